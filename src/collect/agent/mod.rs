//! The agent source: runs a program with the agent preloaded and turns what the agent writes into
//! shared memory into events.
//!
//! ```text
//! ring per thread -> drain -> merge (by stamp, up to every writer's watermark) -> translate -> event
//! ```

mod clock;
mod collector;
mod door;
mod drain;
mod embedded;
mod error;
mod memory;
mod merge;
mod obstacle;
mod place;
mod procfs;
mod record;
mod rehearsal;
mod session;
mod signals;
mod stale;
mod target;
mod translate;

pub use error::CollectError;
pub use obstacle::{Obstacle, obstacle};
pub use place::{ProgramDirectory, program_directory};
pub use rehearsal::Rehearsal;
pub use session::{Session, Unwatched};
pub use translate::{Identify, Sink};
