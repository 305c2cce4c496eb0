//! Published fixes: the catalogue and the matcher. The matcher knows suspects only through
//! [`Evidence`]; it knows nothing of ledgers or traces.

mod evidence;
mod matched;

pub use evidence::{Evidence, EvidenceFrame, EvidenceKind};
pub use matched::{Match, Reason, Remedy, Standing, Status};
