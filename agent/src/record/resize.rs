//! A realloc is a free and an allocation, with the real call between the two halves.

use core::sync::atomic::Ordering::Relaxed;

use unfreed_wire::{Kind, RecordHeader, words};

use super::Function;
use super::block::{count_young, record_alloc};
use super::tell::{Earlier, give_back, tell_again, tell_alloc, tell_free, told_stamp};
use crate::clock::stamp;
use crate::define::stack_hash;
use crate::ring::{Need, Ring};
use crate::unwind::{Registers, return_address};
use crate::young::{Block, Found, Inserted, Place};

/// A block that was given to `realloc`: from then on its address may be somebody else's.
pub(super) struct GivenUp {
    address: *mut u8,
    place: Option<Place>,
    /// The block, if it was young.
    young: Option<Block>,
    /// What was freed there before, if it was.
    earlier: Option<Earlier>,
    stamp: u64,
    /// Where `realloc` was called from.
    from: u64,
}

impl GivenUp {
    #[inline(always)]
    pub(super) fn take(ring: &Ring, address: *mut u8, registers: Registers) -> GivenUp {
        let from = return_address(registers);
        let now = stamp(ring.session);
        let place = ring.young().place(address as u64, ring.session.process);
        match place.map(|place| ring.young().take(place, now, from)) {
            Some(Found::Young(block)) if !ring.session.samples() => {
                GivenUp { address, place, young: Some(block), earlier: None, stamp: now, from }
            }
            found => {
                let earlier = match found {
                    Some(Found::FreedBefore(block)) => {
                        Some(Earlier { block, stack: stack_hash(ring, registers) })
                    }
                    _ => None,
                };
                // Anew: a definition may have come in between.
                let stamp = told_stamp(ring, place, stamp(ring.session));
                give_back(ring.session, place);
                GivenUp { address, place, young: None, earlier, stamp, from }
            }
        }
    }

    /// It became another block, in place or elsewhere.
    #[inline(always)]
    pub(super) fn resized(
        self,
        ring: &Ring,
        new: *mut u8,
        size: usize,
        function: Function,
        registers: Registers,
    ) {
        if self.young.is_some() || new != self.address {
            self.freed(ring, function);
            return record_alloc(ring, new, size, function, registers);
        }
        let hash = stack_hash(ring, registers);
        let now = stamp(ring.session);
        let after = told_stamp(ring, self.place, now);
        let header = RecordHeader {
            kind: Kind::Realloc as u8,
            function: function as u8,
            words: words::REALLOC as u16,
            detail: 0,
        };
        let address = new as u64;
        let record = [header.pack(), self.stamp, after, address, address, size as u64, hash];
        if !ring.append(&record, Need::Other) {
            ring.counters().lost_allocations.fetch_add(1, Relaxed);
            tell_free(ring, self.stamp, new, function);
        }
    }

    /// It is no more.
    #[inline(always)]
    pub(super) fn freed(&self, ring: &Ring, function: Function) {
        if let Some(block) = self.young {
            return count_young(ring, block, self.stamp);
        }
        if let Some(earlier) = self.earlier {
            return tell_again(ring, self.stamp, self.address, function, earlier);
        }
        // Only now that it moved: of a block that stays, a tombstone would be wrong.
        if let Some(place) = self.place.filter(|_| !ring.session.samples()) {
            ring.young().bury(place, self.stamp, self.from);
        }
        tell_free(ring, self.stamp, self.address, function);
    }

    /// The program keeps it after all.
    #[cold]
    pub(super) fn kept(self, ring: &Ring) {
        let Some(place) = self.place else { return };
        let Some(block) = self.young else {
            if ring.session.pairs() {
                place.is_told_again();
            } else if ring.session.samples() {
                place.will_be_told(ring.session.told_word());
            }
            return;
        };
        if !matches!(ring.young().insert(place, block), Inserted::Here) {
            let Block { stamp, stack, size, function } = block;
            let stamp = place.told_stamp(stamp);
            tell_alloc(ring, stamp, self.address, size.bytes(), stack, function);
        }
    }
}
