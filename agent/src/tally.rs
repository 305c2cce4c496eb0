//! Counting a block that died young in the tallies of the thread that frees it.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::*};

use unfreed_wire::Tally;

/// A thread's tallies. No thread but this one changes them.
///
/// Few are used at first, so that those of a program with few stacks lie close together; twice as many
/// where no room is left for another stack. What was counted under the old number of them stays there.
#[derive(Clone, Copy)]
pub struct Tallies<'w> {
    /// Of the writer's table.
    pub first: *const Tally,
    /// One less than how many are in use: see [`unfreed_wire::Writer::tally_mask`].
    pub mask: &'w AtomicU32,
    /// One less than how many there are: a power of two.
    pub most: u32,
}

/// A block that was freed.
pub struct Died {
    /// The hash of the stack that allocated it.
    pub stack: u64,
    /// Its size.
    pub bytes: u64,
    /// Nanoseconds.
    pub lived: u64,
}

impl Tallies<'_> {
    /// Counts the block, if there is room for its stack.
    #[inline(always)]
    pub fn count(self, died: &Died) -> bool {
        let slot = self.slot(died.stack, 0);
        if slot.stack.load(Relaxed) == died.stack {
            add(slot, died);
            return true;
        }
        self.count_elsewhere(died)
    }

    #[inline(always)]
    fn slot(self, stack: u64, probe: u32) -> &'static Tally {
        let mask = self.mask.load(Relaxed) & self.most;
        let index = ((stack >> 24) as u32).wrapping_add(probe) & mask;
        // SAFETY: masked, so within this writer's table, which is mapped as long as the program runs.
        unsafe { &*self.first.add(index as usize) }
    }

    #[inline(never)]
    fn count_elsewhere(self, died: &Died) -> bool {
        let mut free = None;
        for probe in 0..Tally::PROBES {
            let slot = self.slot(died.stack, probe);
            let stack = slot.stack.load(Relaxed);
            if stack == died.stack {
                add(slot, died);
                return true;
            }
            if free.is_none() && is_free(slot, stack) {
                free = Some(slot);
            }
        }
        let Some(slot) = free else { return self.grow() && self.count_elsewhere(died) };
        claim(slot, died.stack);
        add(slot, died);
        true
    }

    /// Uses twice as many, if there are.
    #[cold]
    fn grow(self) -> bool {
        let mask = self.mask.load(Relaxed);
        if mask >= self.most {
            return false;
        }
        let more = (mask << 1 | 1).max(Tally::FIRST - 1).min(self.most);
        self.mask.store(more, Release);
        true
    }
}

/// Whether the slot may be given to another stack: all it counted has been told.
fn is_free(slot: &Tally, stack: u64) -> bool {
    let counted = Tally::mark(slot.claim.load(Relaxed), slot.blocks.load(Relaxed));
    stack == 0 || counted == slot.told.load(Acquire)
}

#[cold]
fn claim(slot: &Tally, stack: u64) {
    let claim = slot.claim.load(Relaxed) | 1;
    slot.claim.store(claim, Release);
    core::sync::atomic::fence(SeqCst);
    // Nobody's until all is done: a jump may leave it here.
    slot.stack.store(0, Relaxed);
    slot.bytes.store(0, Relaxed);
    slot.smallest.store(u64::MAX, Relaxed);
    slot.largest.store(0, Relaxed);
    slot.blocks.store(0, Relaxed);
    slot.lifetimes.iter().for_each(|count| count.store(0, Relaxed));
    slot.claim.store(claim.wrapping_add(1), Release);
    slot.stack.store(stack, Release);
}

#[inline(always)]
fn add(slot: &Tally, died: &Died) {
    let grow = |word: &AtomicU64, by: u64| word.store(word.load(Relaxed).wrapping_add(by), Relaxed);
    grow(&slot.bytes, died.bytes);
    if died.bytes < slot.smallest.load(Relaxed) {
        slot.smallest.store(died.bytes, Relaxed);
    }
    if died.bytes > slot.largest.load(Relaxed) {
        slot.largest.store(died.bytes, Relaxed);
    }
    let lifetime = &slot.lifetimes[Tally::lifetime_index(died.lived)];
    lifetime.store(lifetime.load(Relaxed).wrapping_add(1), Relaxed);
    // Last: what the collector finds counted here, it finds in the others.
    slot.blocks.store(slot.blocks.load(Relaxed).wrapping_add(1), Release);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_stacks_take_more_of_the_table_and_none_is_lost() {
        // SAFETY: all zero is a value of atomics.
        let table: [Tally; 256] = unsafe { core::mem::zeroed() };
        let mask = AtomicU32::new(Tally::FIRST - 1);
        let tallies = Tallies { first: table.as_ptr(), mask: &mask, most: 255 };
        let mut uncounted = 0;
        for round in 1..=3u64 {
            for stack in 1..=120u64 {
                let stack = stack.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                uncounted += !tallies.count(&Died { stack, bytes: round, lived: 0 }) as u64;
            }
        }
        let counted: u64 = table.iter().map(|slot| slot.blocks.load(Relaxed) as u64).sum();
        assert_eq!(counted + uncounted, 360);
        assert!(uncounted < 36, "{uncounted} found no room");
        assert_eq!(mask.load(Relaxed), 255);
    }

    #[test]
    fn a_table_smaller_than_what_is_used_at_first_does_not_grow() {
        // SAFETY: as above.
        let table: [Tally; 32] = unsafe { core::mem::zeroed() };
        let mask = AtomicU32::new(0);
        let tallies = Tallies { first: table.as_ptr(), mask: &mask, most: 31 };
        for stack in 1..=200u64 {
            tallies.count(&Died { stack: stack << 24, bytes: 1, lived: 0 });
        }
        assert_eq!(mask.load(Relaxed), 31);
    }
}
