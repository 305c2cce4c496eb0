//! Record layouts shared by the agent, the probe and the collector.
//!
//! A session is one shared-memory file that the collector makes and every traced process maps. It
//! holds a header, a table of processes, a table of writers (one for each thread), tallies and a ring
//! for each writer, and the table of young blocks. This crate only says where things lie and what a record looks like: it allocates
//! nothing, calls nothing, and has no opinion on who reads.
#![no_std]

mod process;
mod record;
mod session;
mod tally;
mod writer;
mod young;

pub use process::{Execution, ExecutionState, Preload, Process, ProcessState, Refusal};
pub use record::{
    Kind, RecordHeader, STACK_GENERATION_MASK, STACK_GENERATION_SHIFT, StackEnd, frame_word,
    split_frame_word, words,
};
pub use session::{
    Geometry, MAGIC, Pulse, SESSION_VARIABLE, Session, TRAIL_BYTES, Telling, VERSION,
};
pub use tally::Tally;
pub use writer::{Writer, WriterState};
pub use young::{Bucket, Key, Size, State, YoungBlock};
