//! Record layouts shared by the agent, the probe and the collector.
//!
//! A session is one shared-memory file that the collector makes and every traced process maps. It
//! holds a header, a table of processes, a table of writers (one for each thread) and a ring for
//! each writer. This crate only says where things lie and what a record looks like: it allocates
//! nothing, calls nothing, and has no opinion on who reads.
#![no_std]

mod process;
mod record;
mod session;
mod writer;

pub use process::{Execution, ExecutionState, Preload, Process, ProcessState, Refusal};
pub use record::{Kind, RecordHeader, StackEnd, frame_word, split_frame_word, words};
pub use session::{Geometry, MAGIC, SESSION_VARIABLE, Session, VERSION};
pub use writer::{Writer, WriterState};
