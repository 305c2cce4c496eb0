//! Several recordings of one server as one: an event log, snapshots, counters and a dump tell of the same processes,
//! each by its own numbers and its own clock. [`Case`] puts them on one clock, gives one number to each process, module
//! and stack, and says of each file how that was done, or that it could not be.
//!
//! Nothing is joined on a name alone where a pid contradicts it, and where two files list the same process's blocks
//! one by one at the same time only the first is believed: a block counted twice would be a leak that is none.

mod bases;
mod merge;
mod modules;
mod processes;
mod snapshots;
mod stacks;
mod translate;

pub use merge::{Case, FILE_TIME, Part, PartSeen, Placed};
