//! What goes into the ring: blocks that the table of young ones cannot hold, and frees of those that
//! have been told. Each is stamped so that what happens at one address keeps its order.

use core::sync::atomic::Ordering::Relaxed;

use unfreed_wire::{Kind, RecordHeader, words};

use super::Function;
use crate::ring::{Need, Ring};
use crate::session::Joined;
use crate::thread::Thread;
use crate::young::{Block, Place};

/// A block that was told is freed: its address is nothing special any more.
#[inline(always)]
pub(super) fn give_back(session: Joined, place: Option<Place>) {
    if let (Some(place), true) = (place, session.pairs()) {
        place.is_told_no_more();
    }
}

/// The stamp of what is told of an address.
pub(super) fn told_stamp(ring: &Ring, place: Option<Place>, now: u64) -> u64 {
    let newest = &ring.counters().newest;
    let now = now.max(newest.load(Relaxed));
    let stamp = place.map_or(now, |place| place.told_stamp(now));
    newest.store(stamp, Relaxed);
    stamp
}

#[cold]
#[inline(never)]
pub(super) fn tell_alloc(
    ring: &Ring,
    stamp: u64,
    block: *mut u8,
    size: u64,
    hash: u64,
    function: u8,
) {
    let header =
        RecordHeader { kind: Kind::Alloc as u8, function, words: words::ALLOC as u16, detail: 0 };
    if !ring.append(&[header.pack(), stamp, block as u64, size, hash], Need::Other) {
        ring.counters().lost_allocations.fetch_add(1, Relaxed);
    }
}

#[cold]
#[inline(never)]
pub(super) fn tell_pair(ring: &Ring, block: Block, now: u64) {
    let header =
        RecordHeader { kind: Kind::Pair as u8, function: 0, words: words::PAIR as u16, detail: 0 };
    let record = [header.pack(), now, block.stack, block.size.bytes(), block.stamp];
    if !ring.append(&record, Need::Free) {
        // Neither is known: the two counts stay equal, and no block looks alive.
        ring.counters().lost_allocations.fetch_add(1, Relaxed);
        ring.counters().lost_frees.fetch_add(1, Relaxed);
    }
}

#[cold]
#[inline(never)]
pub(super) fn tell_free(ring: &Ring, stamp: u64, block: *mut u8, function: Function) {
    let header = RecordHeader {
        kind: Kind::Free as u8,
        function: function as u8,
        words: words::FREE as u16,
        detail: 0,
    };
    if !ring.append(&[header.pack(), stamp, block as u64], Need::Free) {
        ring.counters().lost_frees.fetch_add(1, Relaxed);
    }
}

/// What is known of an earlier free, and the stack of the one that met its tombstone.
#[derive(Clone, Copy)]
pub(super) struct Earlier {
    pub(super) block: Block,
    pub(super) stack: u64,
}

/// A block is freed where another was before: only then the stack of a free is worth a walk.
#[cold]
#[inline(never)]
pub(super) fn tell_again(
    ring: &Ring,
    stamp: u64,
    block: *mut u8,
    function: Function,
    earlier: Earlier,
) {
    let header = RecordHeader {
        kind: Kind::Again as u8,
        function: function as u8,
        words: words::AGAIN as u16,
        detail: 0,
    };
    let Earlier { block: Block { stamp: freed, stack: site, size: from, .. }, stack } = earlier;
    if !ring.append(&[header.pack(), stamp, block as u64, stack, site, from.0, freed], Need::Free) {
        ring.counters().lost_frees.fetch_add(1, Relaxed);
    }
}

#[cold]
pub(super) fn count_unclaimed(session: Joined, free: bool, allocation: bool) {
    let entry = session.entry();
    entry.lost_frees.fetch_add(free as u64, Relaxed);
    entry.lost_allocations.fetch_add(allocation as u64, Relaxed);
}

#[cold]
pub(super) fn count_reentrant(thread: *mut Thread, session: Joined, free: bool) {
    // SAFETY: this thread's own storage, only read here.
    let (writer, process) = unsafe { ((*thread).writer, (*thread).process) };
    if writer == 0 || process != session.process {
        return count_unclaimed(session, free, !free);
    }
    let counters = session.writer(writer - 1);
    let counter = if free { &counters.reentrant_frees } else { &counters.reentrant_allocations };
    counter.fetch_add(1, Relaxed);
}
