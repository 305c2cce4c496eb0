//! The agent source: runs a program with the agent preloaded and turns what the agent writes into
//! shared memory into events.
//!
//! ```text
//! ring per thread    -> drain -+-> merge (by stamp, up to every watermark) -> translate -> event
//! young blocks       -> take  -+
//! tallies per thread -> read  -+
//! ```

pub(in crate::collect) mod clock;
mod collector;
mod door;
mod drain;
mod embedded;
mod error;
#[doc(hidden)]
pub mod hot;
mod memory;
mod merge;
mod obstacle;
mod place;
pub(in crate::collect) mod procfs;
pub(in crate::collect) mod record;
mod rehearsal;
mod session;
mod sigbus;
pub(in crate::collect) mod signals;
mod stale;
mod tallies;
mod target;
mod told;
pub(in crate::collect) mod translate;
mod unseen;
mod young;

pub(in crate::collect) use collector::machine_facts;
pub(in crate::collect) use drain::function;
pub use embedded::{AGENT_NAME, write_agent};
pub use error::CollectError;
pub use memory::MostMemory;
pub use obstacle::{Obstacle, obstacle};
pub use place::{ProgramDirectory, program_directory};
pub use rehearsal::Rehearsal;
pub use session::{Session, Stop, Unwatched};
pub use signals::{asked_to_end, survive_hangup, warn_before_end};
pub use target::Elsewhere;
pub use translate::Identify;
