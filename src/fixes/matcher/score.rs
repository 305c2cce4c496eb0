//! How well a signature fits, as a number and in words: the weighted share of its clauses that hold, an unknown one
//! counting less than half, bounded by how much a signature of its kind can tell. It ranks matches of one status; it
//! never makes one.

use super::clause::Clause;
use super::signature::is_vague;
use crate::fixes::entry::{Entry, Read};
use crate::fixes::matched::Standing;

/// What an unknown clause counts.
const UNKNOWN: f64 = 0.4;

/// A signature's fit.
pub(super) struct Score {
    /// 0 to 1, to the hundredth.
    pub value: f64,
    /// The weight of all that holds: of two signatures that fit equally well the one that says more goes first.
    pub held: f64,
    /// How it came about.
    pub says: String,
}

/// Scores judged clauses.
pub(super) fn score(entry: &Entry, clauses: &[Clause]) -> Score {
    let value = |clause: &Clause| match clause.standing() {
        Standing::Yes => 1.0,
        Standing::Unknown => UNKNOWN,
        Standing::No => 0.0,
    };
    let whole: f64 = clauses.iter().map(|clause| clause.weight).sum();
    let counted: f64 = clauses.iter().map(|clause| clause.weight * value(clause)).sum();
    let holds = clauses.iter().filter(|clause| clause.standing() == Standing::Yes);
    let held = holds.map(|clause| clause.weight).sum();
    let (bound, why) = match (&entry.signature.inferred, entry.signature.frames.is_empty()) {
        _ if is_vague(entry) => (0.3, "the signature names the process alone"),
        (Some(_), _) => (0.5, "the signature is inferred"),
        _ if entry.sources.iter().all(|source| source.read == Read::Excerpt) => {
            (0.6, "only a part of the source was read")
        }
        (None, true) => (0.6, "the signature names modules and no function"),
        (None, false) => (0.95, "the signature names functions"),
    };
    if whole <= 0.0 {
        return Score { value: 0.0, held, says: "nothing of the signature counts".to_owned() };
    }
    let parts: Vec<String> = clauses
        .iter()
        .filter(|clause| clause.weight > 0.0)
        .map(|clause| {
            let counts = clause.weight * value(clause);
            format!("{} {} of {}", clause.reason.clause, trimmed(counts), trimmed(clause.weight))
        })
        .collect();
    let value = (counted / whole * bound * 100.0).round() / 100.0;
    let says = format!(
        "{value:.2}: {} of {} ({}), times {bound}, as {why}",
        trimmed(counted),
        trimmed(whole),
        parts.join(", ")
    );
    Score { value, held, says }
}

/// With one decimal, or none where it is zero.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}
