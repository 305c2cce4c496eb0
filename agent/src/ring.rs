//! Writing records: claiming a writer for a thread, and appending to its ring.
//!
//! A record appears whole or not at all: the words are written first, the head is moved after.
//! A full ring drops the record and counts it. The last eighth is kept for frees, because a lost
//! free makes a block look alive, while a lost allocation is only a block not seen.

use core::arch::x86_64::__rdtscp;
use core::sync::atomic::{Ordering::*, compiler_fence};

use unfreed_wire::{Kind, RecordHeader, Writer, WriterState, words};

use crate::session::Joined;
use crate::thread::Thread;

/// The time stamp counter, read after everything before it has happened.
#[inline(always)]
pub(crate) fn stamp() -> u64 {
    let mut processor = 0u32;
    // SAFETY: every x86-64 processor with an invariant counter has rdtscp; the collector checks.
    unsafe { __rdtscp(&mut processor) }
}

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
    /// Opens the ring of this thread, claiming a writer if it has none (or its parent's).
    #[inline(always)]
    pub(crate) fn open(thread: &mut Thread, session: Joined) -> Option<Ring> {
        if thread.writer == 0 || thread.process != session.process {
            claim(thread, session)?;
        }
        let index = thread.writer - 1;
        let writer = session.writer(index);
        writer.pending.store(1, Relaxed);
        compiler_fence(SeqCst);
        let (words, bytes) = session.ring(index);
        Some(Ring { writer, words, bytes, session })
    }

    /// Appends a record: `words[0]` is its header. Returns whether there was room.
    #[inline(always)]
    pub(crate) fn append(&self, record: &[u64], need: Need) -> bool {
        let length = record.len() as u64 * 8;
        let head = self.writer.head.load(Relaxed);
        let used = head.wrapping_sub(self.writer.tail.load(Acquire));
        let keep = if need == Need::Free { 0 } else { self.bytes / 8 };
        if used + length + keep > self.bytes {
            return false;
        }
        let mask = self.bytes / 8 - 1;
        let first = head / 8;
        for (n, word) in record.iter().enumerate() {
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

#[cold]
#[inline(never)]
fn claim(thread: &mut Thread, session: Joined) -> Option<()> {
    thread.writer = 0;
    thread.process = session.process;
    let hint = session.writer_hint().load(Relaxed);
    for n in 0..session.writers() {
        let index = hint.wrapping_add(n) % session.writers();
        let writer = session.writer(index);
        if writer.state.load(Relaxed) != WriterState::Free as u32
            || writer
                .state
                .compare_exchange(
                    WriterState::Free as u32,
                    WriterState::Claiming as u32,
                    AcqRel,
                    Relaxed,
                )
                .is_err()
        {
            continue;
        }
        session.writer_hint().store(index.wrapping_add(1), Relaxed);
        writer.process.store(session.process - 1, Relaxed);
        writer.tid.store(crate::life::thread_id(), Relaxed);
        writer.pending.store(0, Relaxed);
        writer.state.store(WriterState::Live as u32, Release);
        thread.writer = index + 1;
        announce(thread, session, 0);
        crate::life::watch_thread_end();
        return Some(());
    }
    None
}

/// Writes the record that the thread began (0) or ended (1).
pub(crate) fn announce(thread: &mut Thread, session: Joined, detail: u32) {
    if let Some(ring) = Ring::open(thread, session) {
        let header = RecordHeader {
            kind: Kind::Thread as u8,
            function: 0,
            words: words::THREAD as u16,
            detail,
        };
        ring.append(&[header.pack(), stamp()], Need::Free);
        ring.close();
    }
}

/// Gives the thread's writer back: the collector frees it when it has read everything.
pub(crate) fn release(thread: &mut Thread, session: Joined) {
    if thread.writer != 0 && thread.process == session.process {
        announce(thread, session, 1);
        session.writer(thread.writer - 1).state.store(WriterState::Ended as u32, Release);
    }
    thread.writer = 0;
    thread.process = 0;
}
