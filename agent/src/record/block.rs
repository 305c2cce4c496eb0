//! One block, allocated or freed: into the table of young blocks and out of it, and into the ring
//! where that is not possible or only a sample is told.

use unfreed_wire::Size;

use super::Function;
use super::tell::{
    Earlier, count_unclaimed, give_back, tell_again, tell_alloc, tell_free, tell_pair, told_stamp,
};
use crate::claim;
use crate::clock::stamp;
use crate::define::stack_hash;
use crate::ring::Ring;
use crate::session::Joined;
use crate::tally::Died;
use crate::thread::Thread;
use crate::tid::thread_id;
use crate::unwind::{Registers, return_address};
use crate::young::{Block, Found, Inserted};

#[inline(always)]
pub(super) fn append_alloc(
    thread: *mut Thread,
    session: Joined,
    block: *mut u8,
    size: usize,
    function: Function,
    registers: Registers,
) {
    // SAFETY: this thread's own storage; nobody else holds a reference to it.
    let Some(ring) = claim::open(unsafe { &mut *thread }, session) else {
        return count_unclaimed(session, false, true);
    };
    if session.samples() {
        sample_alloc(&ring, thread, block, size, function, registers);
    } else {
        record_alloc(&ring, block, size, function, registers);
    }
    ring.close();
}

#[inline(always)]
pub(super) fn record_alloc(
    ring: &Ring,
    block: *mut u8,
    size: usize,
    function: Function,
    registers: Registers,
) {
    let place = ring.young().place(block as u64, ring.session.process);
    // It has the time of the walk to arrive.
    if let Some(place) = place {
        place.prefetch();
    }
    let stack = stack_hash(ring, registers);
    let function = function as u8;
    let now = stamp(ring.session);
    if ring.session.pairs()
        && let (Some(place), Some(size)) = (place, Size::new(size as u64, thread_id()))
    {
        let block_there = Block { stamp: now, stack, size, function };
        match ring.young().insert(place, block_there) {
            Inserted::Here => return,
            Inserted::Not => {}
            Inserted::Displacing(old) => {
                tell_alloc(ring, old.stamp, block, old.size.bytes(), old.stack, old.function);
            }
        }
    }
    if let Some(place) = place {
        ring.young().exhume(place);
    }
    let stamp = told_stamp(ring, place, now);
    tell_alloc(ring, stamp, block, size as u64, stack, function);
}

/// Whether the collector may know this block, where it knows a sample.
#[inline(always)]
pub(super) fn is_told(session: Joined, block: *mut u8) -> bool {
    session.place(block).is_none_or(|place| place.may_be_told() || place.is_live())
}

/// Records a block if it is part of the sample.
pub(super) fn sample_alloc(
    ring: &Ring,
    thread: *mut Thread,
    block: *mut u8,
    size: usize,
    function: Function,
    registers: Registers,
) {
    // SAFETY: this thread's own storage; nobody else holds a reference to it.
    if block.is_null() || !ring.session.draws(unsafe { &mut *thread }, size) {
        return;
    }
    let stack = stack_hash(ring, registers);
    let place = ring.session.place(block);
    // It stays in the table until it is freed, by which its free is known; where there is no room for
    // it, a bit says that it may be known.
    let (now, function) = (stamp(ring.session), function as u8);
    if let Some(place) = place {
        let there = Size::new(size as u64, thread_id())
            .map(|size| ring.young().insert(place, Block { stamp: now, stack, size, function }));
        if !matches!(there, Some(Inserted::Here)) {
            place.will_be_told(ring.session.told_word());
        }
    }
    let stamp = told_stamp(ring, place, now);
    tell_alloc(ring, stamp, block, size as u64, stack, function);
}

#[inline(always)]
pub(super) fn append_free(
    thread: *mut Thread,
    session: Joined,
    block: *mut u8,
    function: Function,
    registers: Registers,
) {
    // SAFETY: as in `append_alloc`.
    let Some(ring) = claim::open(unsafe { &mut *thread }, session) else {
        return count_unclaimed(session, true, false);
    };
    let now = stamp(session);
    let from = return_address(registers);
    match ring.young().place(block as u64, session.process) {
        None => tell_free(&ring, told_stamp(&ring, None, now), block, function),
        Some(place) => match ring.young().take(place, now, from) {
            Found::Young(_) if session.samples() => {
                let stamp = told_stamp(&ring, Some(place), now);
                tell_free(&ring, stamp, block, function);
            }
            Found::Young(young) => count_young(&ring, young, now),
            Found::FreedBefore(earlier) => {
                // What is stamped refers to what was defined before.
                let earlier = Earlier { block: earlier, stack: stack_hash(&ring, registers) };
                let stamp = told_stamp(&ring, Some(place), stamp(session));
                give_back(session, Some(place));
                tell_again(&ring, stamp, block, function, earlier);
            }
            Found::Nothing => {
                let stamp = told_stamp(&ring, Some(place), now);
                give_back(session, Some(place));
                if !session.samples() {
                    ring.young().bury(place, stamp, from);
                }
                tell_free(&ring, stamp, block, function);
            }
        },
    }
    ring.close();
}

/// Counts a block that died young; where there is no room for its stack, says so in the ring.
#[inline(always)]
pub(super) fn count_young(ring: &Ring, block: Block, now: u64) {
    let bytes = block.size.bytes();
    let lived = now.saturating_sub(block.stamp);
    if !ring.tallies().count(&Died { stack: block.stack, bytes, lived }) {
        tell_pair(ring, block, now);
    }
}
