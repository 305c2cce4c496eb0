//! Recorded sources: readers that turn bytes into events and counted faults.
//!
//! What a file is, is told from its content, never from its name. Readers take bytes from any
//! [`std::io::Read`], in one pass and in bounded memory, and never panic on them; they do not
//! look for other files, name frames or judge anything.

pub mod counters;
pub mod debugger;
pub mod etl;
mod fault;
mod kind;
pub mod leakdiag;
mod open;
mod source;
mod text;
pub mod trace;
pub mod umdh;

pub use fault::{Fault, Faults, Offset};
pub use kind::{FileKind, Support, sniff};
pub use open::open;
pub use source::{About, ReadError, Source};
