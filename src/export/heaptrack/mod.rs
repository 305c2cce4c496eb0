//! An interpreted data file of heaptrack, in format 3 (`docs/sources/heaptrack.md`): what `heaptrack_print` and
//! `heaptrack_gui` open. Its counts of allocations, live blocks and bytes are the trace's, by stack.
//!
//! A stack must be defined before the blocks that have it, with names, and these are found last: so blocks and times
//! wait in a spool. Blocks that were only counted are written one by one, at the time they were told, with their mean
//! size. They are freed as another class of the same size and stack, since a free directly behind an allocation of
//! its own class would count as temporary, which nobody knows of them.
//!
//! Memory follows live blocks, stacks and classes, as a ledger's does. The form has a line for each block, and a trace may
//! say in one line that there were any number: what would go beyond [`Most`](blocks::Most) is refused before it is written.

mod blocks;
mod definitions;
mod exporter;

pub(super) use exporter::Exporter;
