//! One clause of a match while it is being judged: the reason that people will read, and what
//! it counts for.

use crate::fixes::matched::{Reason, Standing};

/// A judged clause.
#[derive(Clone, Debug)]
pub(super) struct Clause {
    /// What people will read.
    pub reason: Reason,
    /// How much it counts in the confidence; 0 for what is no part of the signature.
    pub weight: f64,
    /// Whether an `unknown` here keeps a match from being more than `possible`.
    pub decides: bool,
}

impl Clause {
    /// A clause that decides: unless it holds the fix is not said to apply.
    pub(super) fn deciding(name: &str, standing: Standing, weight: f64, text: String) -> Clause {
        Clause { reason: Reason { clause: name.to_owned(), standing, text }, weight, decides: true }
    }

    /// A clause that is told, and whose `unknown` keeps nothing from applying.
    pub(super) fn telling(name: &str, standing: Standing, weight: f64, text: String) -> Clause {
        Clause { decides: false, ..Clause::deciding(name, standing, weight, text) }
    }

    /// Whether it holds.
    pub(super) fn standing(&self) -> Standing {
        self.reason.standing
    }
}
