//! What each thread last did with its heaps: enough to tell whether a realloc's summary repeats what was told.
//!
//! A realloc that moves a block was seen to log an allocation and a free, and then a summary. What one in place, or
//! one that failed, logs is not proven: so it is not assumed, but read off what the thread did just before.
//! Memory is in proportion to threads, not to blocks.

use rustc_hash::FxHashMap;

use crate::event::{Address, Bytes};

/// So many of a thread's operations are kept. A realloc is one allocation and one free; the heap may do a few of
/// its own in between.
const KEPT: usize = 8;

/// The most threads that are kept.
const THREADS: usize = 1 << 16;

/// What of a realloc was not told yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untold {
    /// Nothing: it only sums up, or it failed.
    Nothing,
    /// All of it.
    All,
    /// The free of the old block.
    Free,
    /// The allocation of the new block.
    Alloc,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Operation {
    #[default]
    None,
    Alloc(Address, Bytes),
    Free(Address),
}

#[derive(Clone, Copy, Debug, Default)]
struct Thread {
    last: [Operation; KEPT],
    at: usize,
}

/// The threads' latest operations.
#[derive(Debug, Default)]
pub struct Recent {
    threads: FxHashMap<u32, Thread>,
}

impl Recent {
    /// A thread allocated a block.
    #[inline]
    pub fn allocated(&mut self, tid: u32, address: Address, size: Bytes) {
        self.note(tid, Operation::Alloc(address, size));
    }

    /// A thread freed a block.
    #[inline]
    pub fn freed(&mut self, tid: u32, address: Address) {
        self.note(tid, Operation::Free(address));
    }

    /// What of a realloc that a thread has just finished was not told; what was, is then forgotten.
    pub fn summed_up(&mut self, tid: u32, old: Address, new: Address, size: Bytes) -> Untold {
        if new == Address(0) {
            return Untold::Nothing;
        }
        let thread = self.threads.entry(tid).or_default();
        if old == new {
            // One in place that also logs a free and an allocation has told all of it.
            let freed = thread.take(|known| known == Operation::Free(old));
            let told = freed && thread.take(|known| known == Operation::Alloc(new, size));
            return if told { Untold::Nothing } else { Untold::All };
        }
        // By address alone: whether both give the same size is not proven.
        let allocated = thread.take(|known| matches!(known, Operation::Alloc(at, _) if at == new));
        let freed = old == Address(0) || thread.take(|known| known == Operation::Free(old));
        match (allocated, freed) {
            (true, true) => Untold::Nothing,
            (true, false) => Untold::Free,
            (false, true) => Untold::Alloc,
            (false, false) => Untold::All,
        }
    }

    /// A thread ended.
    pub fn ended(&mut self, tid: u32) {
        self.threads.remove(&tid);
    }

    #[inline]
    fn note(&mut self, tid: u32, operation: Operation) {
        if self.threads.len() >= THREADS && !self.threads.contains_key(&tid) {
            self.threads.clear();
        }
        let thread = self.threads.entry(tid).or_default();
        thread.last[thread.at % KEPT] = operation;
        thread.at = (thread.at + 1) % KEPT;
    }
}

impl Thread {
    fn take(&mut self, is: impl Fn(Operation) -> bool) -> bool {
        let found = self.last.iter_mut().find(|known| is(**known));
        found.map(|known| *known = Operation::None).is_some()
    }
}
