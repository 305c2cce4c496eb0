//! Published fixes: the catalogue and the matcher. The matcher knows suspects only through
//! [`Evidence`]; it knows nothing of ledgers or traces. `docs/fixes.md` has the file format and
//! the rules by which a match gets its status.

mod evidence;
mod matched;

mod builds;
pub mod changelog;
mod document;
pub mod entry;
mod product;
pub mod version;

pub mod draft;

mod catalogue;
mod embedded;
mod findings;
mod index;
mod lines;
mod load;
mod problem;

mod answer;
mod matcher;
mod page;
mod show;

pub use builds::Deduced;
pub use catalogue::{Catalogue, check};
pub use evidence::{CrashEvidence, Evidence, EvidenceFrame, EvidenceKind};
pub use matched::{Command, Match, Reason, Remedy, Standing, Status};
pub use matcher::{
    MAX_MATCHES, candidate_count, concerns, explain, explain_dismissed, is_judged, lacking,
    match_crash, match_dismissed, match_suspect,
};
pub use page::page;
pub use problem::{CatalogueError, Problem};
pub use product::{Level, Product};
pub use show::{list, show};
