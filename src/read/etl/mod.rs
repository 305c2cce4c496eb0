//! Event trace logs of Windows (`.etl`), read on any system and without an interface of Windows.
//!
//! Two halves: the *log* turns the file's buffers into records in the order of time (headers, compression,
//! clocks, processors); the *reader* turns records into events (payloads, stacks, modules). Unknown records
//! are counted by provider and opcode, damage is counted with its place. Nothing here names or judges.

mod buffer;
mod counts;
mod header;
mod held;
mod input;
mod log;
mod logfile;
mod merge;
mod plan;
pub mod record;
mod row;
mod times;
mod unpack;

pub use counts::Counts;
pub use header::HeaderKind;
pub use log::Log;
pub use logfile::{Clock, FileTime, Logfile};
pub use unpack::{Corrupt, Format};
