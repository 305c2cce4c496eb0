//! Appending records to a thread's ring.
//!
//! A record appears whole or not at all: the words are written first, the head is moved after.
//! A full ring drops the record and counts it. The last eighth is kept for frees, because a lost
//! free makes a block look alive, while a lost allocation is only a block not seen.

use core::sync::atomic::{Ordering::*, compiler_fence};

use unfreed_wire::{Tally, Writer};

use crate::session::Joined;
use crate::tally::Tallies;
use crate::unwind::Trail;
use crate::young::Young;

/// What a record needs the ring for, and so how much room it must leave.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Frees may fill the ring.
    Free,
    /// Everything else leaves an eighth of it to frees.
    Other,
}

/// Everything a thread writes to, found once when it claims a writer.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Desk {
    writer: *const Writer,
    words: *mut u64,
    bytes: u64,
    tallies: *const Tally,
    most_tallies: u32,
    young: Young,
    trail: *mut Trail,
}

impl Desk {
    /// The desk of the writer with this index.
    pub(crate) fn of(session: Joined, index: u32) -> Desk {
        let (words, bytes) = session.ring(index);
        let (tallies, most_tallies) = session.tallies(index);
        let (writer, young) = (session.writer(index), session.young(index));
        let trail = session.trail(index);
        Desk { writer, words, bytes, tallies, most_tallies, young, trail }
    }
}

/// A thread's desk, open for what belongs to one call. While it is open, the collector knows that a
/// stamp may have been taken that is not published yet.
pub(crate) struct Ring {
    desk: &'static Desk,
    /// The process the ring belongs to.
    pub(crate) session: Joined,
}

impl Ring {
    /// Opens a desk, which must be this thread's own.
    #[inline(always)]
    pub(crate) fn open(session: Joined, desk: &'static Desk) -> Ring {
        let ring = Ring { desk, session };
        let opened = &ring.counters().opened;
        // What a jump left open is opened again.
        opened.store(opened.load(Relaxed).wrapping_add(1) | 1, Relaxed);
        compiler_fence(SeqCst);
        ring
    }

    /// The table of young blocks.
    #[inline(always)]
    pub(crate) fn young(&self) -> Young {
        self.desk.young
    }

    /// This thread's tallies.
    #[inline(always)]
    pub(crate) fn tallies(&self) -> Tallies<'static> {
        let Desk { tallies: first, most_tallies: most, .. } = *self.desk;
        Tallies { first, mask: &self.counters().tally_mask, most }
    }

    /// The walk that this thread made last.
    #[inline(always)]
    #[allow(clippy::mut_from_ref, reason = "the memory is the thread's, not the ring's")]
    pub(crate) fn trail(&self) -> &mut Trail {
        // SAFETY: the writer's own, which only this thread uses, and it only once at a time: nothing
        // that is called while a stack is walked opens a desk.
        unsafe { &mut *self.desk.trail }
    }

    /// Appends a record: `record[0]` is its header. Returns whether there was room.
    #[inline(always)]
    pub(crate) fn append(&self, record: &[u64], need: Need) -> bool {
        self.append_both(record, core::iter::empty(), need)
    }

    /// Appends a record that lies in two places.
    #[inline(always)]
    pub(crate) fn append_both(
        &self,
        record: &[u64],
        rest: impl ExactSizeIterator<Item = u64>,
        need: Need,
    ) -> bool {
        let length = (record.len() + rest.len()) as u64 * 8;
        let head = self.counters().head.load(Relaxed);
        let used = head.wrapping_sub(self.counters().tail.load(Acquire));
        let keep = if need == Need::Free { 0 } else { self.desk.bytes / 8 };
        if used + length + keep > self.desk.bytes {
            return false;
        }
        let mask = self.desk.bytes / 8 - 1;
        let first = head / 8;
        for (n, word) in record.iter().copied().chain(rest).enumerate() {
            // SAFETY: masked, so within this writer's ring; nobody else writes there, and the
            // collector does not read past the head.
            unsafe { *self.desk.words.add(((first + n as u64) & mask) as usize) = word };
        }
        self.counters().head.store(head + length, Release);
        true
    }

    /// Counts for what could not be recorded.
    #[inline(always)]
    pub(crate) fn counters(&self) -> &'static Writer {
        // SAFETY: of a claimed writer, whose mapping is never undone.
        unsafe { &*self.desk.writer }
    }

    /// Closes the ring: every stamp taken is published.
    #[inline(always)]
    pub(crate) fn close(self) {
        compiler_fence(SeqCst);
        let opened = &self.counters().opened;
        opened.store(opened.load(Relaxed).wrapping_add(1), Release);
    }
}
