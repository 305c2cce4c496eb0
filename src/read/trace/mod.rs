//! The native trace (`.unfreed`): what a recorder writes and every later command reads.
//!
//! A trace is a file header and chunks. Each chunk is compressed and checksummed by itself and
//! carries the numbers (of its first event, of the next stack) that let a reader go on after a
//! damaged one and say exactly what is missing. `docs/trace-format.md` documents every byte; the
//! layouts are also drawn beside their encoders here, and every number of the format stands in
//! `tags.rs`. This module writes and reads; it does not name frames, fold or judge.

mod chunk;
mod counted;
mod cursor;
mod header;
mod hot;
mod input;
mod reach;
mod reader;
mod record;
mod sink;
mod stack;
mod stack_ids;
mod tags;
mod target;
mod unpack;
mod writer;

pub use header::{Clock, Header};
pub use reader::Reader;
pub use tags::{FILE_MAGIC as MAGIC, VERSION};
pub use writer::{Summary, Writer};
