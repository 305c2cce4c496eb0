//! Event trace logs of Windows (`.etl`), read on any system and without an interface of Windows.
//!
//! Two halves: the *log* turns the file's buffers into records in the order of time (headers, compression,
//! clocks, processors); the *reader* turns records into events (payloads, stacks, modules). Unknown records
//! are counted by provider and opcode, damage is counted with its place. Nothing here names or judges.

mod ahead;
mod blocks;
mod buffer;
mod closing;
mod committed;
mod counts;
mod header;
pub mod heap;
mod held;
pub mod image;
mod input;
mod inventory;
mod joins;
pub mod kind;
mod live;
mod log;
mod logfile;
mod mappings;
mod merge;
mod modules;
mod onward;
mod payload;
mod pending;
mod plan;
pub mod process;
mod reader;
mod recent;
pub mod record;
mod row;
mod spaces;
mod stacks;
pub mod stackwalk;
pub mod symbols;
mod tallies;
mod timeline;
mod times;
pub mod told;
mod translate;
pub mod unknown;
mod unpack;
pub mod virtual_alloc;

pub use ahead::{Again, Seekable};
pub use counts::Counts;
pub use header::HeaderKind;
pub use live::{Live, decode};
pub use log::Log;
pub use logfile::{Clock, FileTime, Logfile};
pub use reader::Reader;
pub use tallies::Tallies;
pub use unpack::{Corrupt, Format};
