//! Minidumps: what a process was at one moment, mostly that of its crash. They say which modules of which versions
//! were loaded, what exception was raised and where, and how much memory was committed; nothing of who allocated
//! what, and no heap is walked. The `minidump` crate reads the format; here it becomes events.

mod modules;
mod reader;
mod stack;

pub use reader::Reader;
