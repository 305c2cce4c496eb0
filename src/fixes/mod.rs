//! Published fixes: the catalogue and the matcher. The matcher knows suspects only through
//! [`Evidence`]; it knows nothing of ledgers or traces. `docs/fixes.md` has the file format and
//! the rules by which a match gets its status.

mod evidence;
mod matched;

mod document;
pub mod entry;
mod product;
pub mod version;

mod catalogue;
mod embedded;
mod findings;
mod lines;
mod load;
mod problem;

mod answer;
mod matcher;
mod show;

pub use catalogue::{Catalogue, check};
pub use evidence::{CrashEvidence, Evidence, EvidenceFrame, EvidenceKind};
pub use matched::{Match, Reason, Remedy, Standing, Status};
pub use matcher::{MAX_MATCHES, concerns, explain, explain_dismissed, match_crash, match_suspect};
pub use problem::{CatalogueError, Problem};
pub use product::{Level, Product};
pub use show::{list, show};
