//! One thread that writes, and the state of its ring.
//!
//! The thread alone moves `head`, the collector alone moves `tail`; both count bytes since the
//! writer was claimed and never wrap. Between the two lies what is written and not yet read.

use core::sync::atomic::{AtomicU32, AtomicU64};

/// One entry of the table of writers.
#[repr(C, align(64))]
pub struct Writer {
    /// A [`WriterState`].
    pub state: AtomicU32,
    /// Index of its process.
    pub process: AtomicU32,
    /// Thread id; 0 where it could not be known without a system call.
    pub tid: AtomicU32,
    /// Counts what the thread does; odd while it may hold a stamp that it has not published yet. As
    /// long as this is even, every record still to come will be stamped no earlier than the clock
    /// was when it was read.
    pub opened: AtomicU32,
    /// Bytes published.
    pub head: AtomicU64,
    /// The newest stamp of what happened to a block: what its thread tells keeps the thread's order.
    pub newest: AtomicU64,
    /// One less than how many of its tallies are in use, from the first on: a power of two, less one.
    /// It only grows.
    pub tally_mask: AtomicU32,
    /// Keeps the layout free of gaps.
    pub reserved: u32,
    reserved_line: [u64; 3],
    /// Bytes consumed.
    pub tail: AtomicU64,
    /// Allocations that found the ring full.
    pub lost_allocations: AtomicU64,
    /// Frees that found the ring full.
    pub lost_frees: AtomicU64,
    /// Stacks whose definition found the ring full.
    pub lost_stacks: AtomicU64,
    /// Allocations made by a signal handler while its thread was recording.
    pub reentrant_allocations: AtomicU64,
    /// Frees made by a signal handler while its thread was recording.
    pub reentrant_frees: AtomicU64,
    reserved_too: [u64; 2],
}

/// Where a writer is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum WriterState {
    /// Nobody has it; the next thread may claim it.
    Free = 0,
    /// A thread is making it its own.
    Claiming = 1,
    /// A thread writes to it.
    Live = 2,
    /// Its thread has ended; the collector frees it when it has read everything.
    Ended = 3,
}
