//! What the probe counts as lost, read where it writes it.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use aya::maps::MapData;
use memmap2::MmapMut;

use super::error::AttachError;
use super::kernel;
use super::layout::{Counters, SLOTS, Slot};

const WORDS: usize = size_of::<Counters>() / 8;

/// The counters of all slots.
pub(super) struct Losses {
    memory: MmapMut,
}

impl Losses {
    pub(super) fn new(map: &MapData) -> Result<Losses, AttachError> {
        let memory = kernel::map_array(map.fd().as_fd(), SLOTS as usize * size_of::<Counters>())
            .map_err(AttachError::system("cannot map the probe's counters"))?;
        Ok(Losses { memory })
    }

    /// What was lost of a process so far.
    pub(super) fn of(&self, slot: Slot) -> Counters {
        let word = |index: usize| {
            let at = (slot.0 as usize % SLOTS as usize * WORDS + index) * 8;
            // SAFETY: within the mapping, which begins at a page; the kernel adds to the word as a whole.
            unsafe { &*self.memory.as_ptr().add(at).cast::<AtomicU64>() }.load(Relaxed)
        };
        Counters {
            allocations: word(0),
            frees: word(1),
            stacks: word(2),
            missed_returns: word(3),
            others: word(4),
        }
    }
}
