//! The addresses of a module that stays as long as the program runs.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::unwind::find_object;

/// Empty until it is found.
pub(super) struct Range {
    start: AtomicU64,
    end: AtomicU64,
}

impl Range {
    pub(super) const fn new() -> Range {
        Range { start: AtomicU64::new(0), end: AtomicU64::new(0) }
    }

    /// Learns the addresses of the module that holds this one.
    pub(super) fn find(&self, inside: u64) {
        if let Some(object) = find_object(inside) {
            self.start.store(object.start, Relaxed);
            self.end.store(object.end, Relaxed);
        }
    }

    #[inline(always)]
    pub(super) fn contains(&self, address: u64) -> bool {
        (self.start.load(Relaxed)..self.end.load(Relaxed)).contains(&address)
    }
}
