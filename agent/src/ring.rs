//! Appending records to a thread's ring.
//!
//! A record appears whole or not at all: the words are written first, the head is moved after.
//! A full ring drops the record and counts it. The last eighth is kept for frees, because a lost
//! free makes a block look alive, while a lost allocation is only a block not seen.

use core::sync::atomic::{Ordering::*, compiler_fence};

use unfreed_wire::Writer;

use crate::session::Joined;

/// What a record needs the ring for, and so how much room it must leave.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Frees may fill the ring.
    Free,
    /// Everything else leaves an eighth of it to frees.
    Other,
}

/// A thread's ring, open for one or more records. While it is open, `pending` says that a stamp
/// may have been taken that is not published yet.
pub(crate) struct Ring {
    writer: &'static Writer,
    words: *mut u64,
    bytes: u64,
    /// The process the ring belongs to.
    pub(crate) session: Joined,
}

impl Ring {
    /// Opens the ring of the writer with this index, which must be this thread's own.
    #[inline(always)]
    pub(crate) fn open(session: Joined, index: u32) -> Ring {
        let writer = session.writer(index);
        writer.pending.store(1, Relaxed);
        compiler_fence(SeqCst);
        let (words, bytes) = session.ring(index);
        Ring { writer, words, bytes, session }
    }

    /// Appends a record: `record[0]` is its header. Returns whether there was room.
    #[inline(always)]
    pub(crate) fn append(&self, record: &[u64], need: Need) -> bool {
        self.append_both(record, &[], need)
    }

    /// Appends a record that lies in two places.
    #[inline(always)]
    pub(crate) fn append_both(&self, record: &[u64], rest: &[u64], need: Need) -> bool {
        let length = (record.len() + rest.len()) as u64 * 8;
        let head = self.writer.head.load(Relaxed);
        let used = head.wrapping_sub(self.writer.tail.load(Acquire));
        let keep = if need == Need::Free { 0 } else { self.bytes / 8 };
        if used + length + keep > self.bytes {
            return false;
        }
        let mask = self.bytes / 8 - 1;
        let first = head / 8;
        for (n, word) in record.iter().chain(rest).enumerate() {
            // SAFETY: masked, so within this writer's ring; nobody else writes there, and the
            // collector does not read past the head.
            unsafe { *self.words.add(((first + n as u64) & mask) as usize) = *word };
        }
        self.writer.head.store(head + length, Release);
        true
    }

    /// Counts for what could not be recorded.
    #[inline(always)]
    pub(crate) fn counters(&self) -> &'static Writer {
        self.writer
    }

    /// Closes the ring: every stamp taken is published.
    #[inline(always)]
    pub(crate) fn close(self) {
        compiler_fence(SeqCst);
        self.writer.pending.store(0, Release);
    }
}
