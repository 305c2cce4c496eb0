//! What heaptrack records: its data files, after `heaptrack_interpret` has named their frames and before
//! (`heaptrack --raw`).
//!
//! Both are lines of text: a letter, then fields in hexadecimal. They differ in what they say. A raw file has the
//! address of every block and of every frame, and where the modules lay. An interpreted one has names instead of
//! modules' addresses, and of each block only its *class*: one size at one stack. Which block of a class was freed
//! is not in it, so its events are tallies, never single blocks: no lifetime is made up. The formats are described
//! in `docs/sources/heaptrack.md`; nothing here names or judges.

mod counts;
mod fields;
mod frames;
mod lines;
mod mapped;
mod passed;
mod program;
mod reader;
mod state;
mod traces;

pub use reader::Reader;
