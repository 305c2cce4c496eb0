//! Bits that follow the known blocks at once: behind each is counted how many there are.
//!
//! A thread that frees a known block takes its bit back itself, for its address is likely to be given
//! out again at once. If another block stands behind the bit, it is set again when the free is
//! handed on. Between the two, the other's unseen free would go unnoticed; no free is ever lost.

use std::sync::atomic::Ordering::{AcqRel, Relaxed};

use unfreed_wire::Key;

use crate::collect::agent::memory::SessionMemory;

/// Bits of a bucket: two words of them.
const BITS: usize = 128;
/// A count that is no longer exact: its bit stays.
const MANY: u8 = u8::MAX;

/// The counts, by bucket and bit.
#[derive(Default)]
pub(super) struct Counted(Vec<u8>);

impl Counted {
    /// Sets the bit of a block that will be known.
    pub(super) fn expect(memory: &SessionMemory, key: Key) {
        let word = &memory.bucket(key).told[key.told_word()];
        // Mostly it is. To look costs less than to write to what the traced threads look at, too; and
        // whoever takes it back after that might have done so after the writing.
        if word.load(Relaxed) & key.told_bit() == 0 {
            word.fetch_or(key.told_bit(), AcqRel);
        }
    }

    pub(super) fn add(&mut self, memory: &SessionMemory, key: Key) {
        let count = self.count(memory, key);
        *count = count.saturating_add(1);
        Counted::expect(memory, key);
    }

    pub(super) fn remove(&mut self, memory: &SessionMemory, key: Key) {
        let count = self.count(memory, key);
        if *count != MANY {
            *count = count.saturating_sub(1);
        }
        if *count == 0 {
            memory.bucket(key).told[key.told_word()].fetch_and(!key.told_bit(), AcqRel);
        } else {
            Counted::expect(memory, key);
        }
    }

    /// Has the processor fetch what a change of this block's will look at.
    pub(super) fn prefetch(&mut self, memory: &SessionMemory, key: Key) {
        prefetch(&memory.bucket(key).told);
        prefetch(self.count(memory, key));
    }

    fn count(&mut self, memory: &SessionMemory, key: Key) -> &mut u8 {
        if self.0.is_empty() {
            self.0 = vec![0; memory.buckets().len() * BITS];
        }
        let bit = key.told_word() * 64 + key.told_bit().trailing_zeros() as usize;
        &mut self.0[memory.bucket_index(key) * BITS + bit]
    }
}

/// Begins to fetch it from memory. What is looked at for one block is nowhere near what is for the
/// next: one after the other they would take most of the collector's time.
fn prefetch<T>(what: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: reads nothing; any address would do.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(what).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = what;
}
