//! Recorded sources: readers that turn bytes into events and counted faults.
//!
//! What a file is, is told from its content, never from its name. Readers take bytes from any
//! [`std::io::Read`], in one pass and in bounded memory, and never panic on them; they do not
//! look for other files, name frames or judge anything.

pub mod bundle;
pub mod case;
pub mod counters;
pub mod debugger;
pub mod etl;
mod fault;
pub mod heaptrack;
mod kind;
pub mod leakdiag;
pub mod memleak;
pub mod minidump;
mod open;
mod room;
mod source;
mod text;
pub mod trace;
pub mod umdh;
mod unpack;

pub use fault::{Fault, Faults, Offset};
pub use kind::{FileKind, Support, sniff};
pub use open::open;
pub use source::{About, ReadError, Source};
