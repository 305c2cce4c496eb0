//! What the heaps of one process have committed, by heap, as they themselves tell.

use rustc_hash::FxHashMap;

use crate::event::{Bytes, HeapId, Time};

/// The sum is told at most so often, in nanoseconds.
const EVERY: u64 = 100_000_000;

/// The heaps of a process.
#[derive(Debug, Default)]
pub struct Committed {
    heaps: FxHashMap<HeapId, Bytes>,
    sum: u64,
    told: Option<(Time, u64)>,
}

impl Committed {
    /// A heap says what it has committed.
    pub fn set(&mut self, heap: HeapId, committed: Bytes) {
        let old = self.heaps.insert(heap, committed).unwrap_or_default();
        self.sum = self.sum.saturating_sub(old.0).saturating_add(committed.0);
    }

    /// A heap is gone.
    pub fn destroyed(&mut self, heap: HeapId) {
        let old = self.heaps.remove(&heap).unwrap_or_default();
        self.sum = self.sum.saturating_sub(old.0);
    }

    /// The sum, if it is time to tell it.
    pub fn due(&mut self, now: Time) -> Option<u64> {
        let soon = self.told.is_some_and(|(told, _)| now.0.saturating_sub(told.0) < EVERY);
        if soon { None } else { self.untold(now) }
    }

    /// The sum, if it is another than was told last.
    pub fn untold(&mut self, now: Time) -> Option<u64> {
        let changed = self.told.map(|(_, sum)| sum).unwrap_or_default() != self.sum;
        changed.then(|| self.told = Some((now, self.sum)))?;
        Some(self.sum)
    }
}
