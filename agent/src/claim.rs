//! Claiming a writer for a thread, and giving it back when the thread ends.

use core::ffi::c_void;
use core::ptr::null;
use core::sync::atomic::{AtomicU32, Ordering::*};

use unfreed_wire::{Kind, RecordHeader, Tally, WriterState, words};

use crate::clock::stamp;
use crate::ring::{Desk, Need, Ring};
use crate::session::{Joined, joined};
use crate::sys;
use crate::thread::{Thread, this_thread};

/// Opens the ring of this thread, claiming a writer if it has none (or its parent's).
#[inline(always)]
pub(crate) fn open(thread: &mut Thread, session: Joined) -> Option<Ring> {
    if thread.writer == 0 || thread.process != session.process {
        claim(thread, session)?;
    }
    let desk = &raw const thread.desk;
    // SAFETY: this thread's own storage. The desk changes only where another writer is claimed: while a
    // ring is open that can only be a child that a handler forked during a realloc, and then the ring is
    // the child's own, too.
    let desk = unsafe { &*desk };
    Some(Ring::open(session, desk))
}

#[cold]
#[inline(never)]
fn claim(thread: &mut Thread, session: Joined) -> Option<()> {
    thread.writer = 0;
    thread.process = session.process;
    for index in 0..session.writers() {
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
        writer.process.store(session.process - 1, Relaxed);
        writer.tid.store(crate::tid::thread_id(), Relaxed);
        writer.opened.store(0, Relaxed);
        writer.newest.store(0, Relaxed);
        writer.tally_mask.fetch_max(session.tallies(index).1.min(Tally::FIRST - 1), Relaxed);
        writer.state.store(WriterState::Live as u32, Release);
        session.note_writer(index);
        thread.desk = Desk::of(session, index);
        thread.writer = index + 1;
        // SAFETY: the writer's own, and so this thread's.
        unsafe { (*session.trail(index)).forget() };
        announce(thread, session, 0);
        watch_end();
        return Some(());
    }
    None
}

/// Writes the record that the thread began (0) or ended (1).
fn announce(thread: &mut Thread, session: Joined, detail: u32) {
    if let Some(ring) = open(thread, session) {
        let header = RecordHeader {
            kind: Kind::Thread as u8,
            function: 0,
            words: words::THREAD as u16,
            detail,
        };
        ring.append(&[header.pack(), stamp(session)], Need::Free);
        ring.close();
    }
}

/// Gives the thread's writer back: the collector frees it when it has read everything.
fn release(thread: &mut Thread, session: Joined) {
    if thread.writer != 0 && thread.process == session.process {
        announce(thread, session, 1);
        session.writer(thread.writer - 1).state.store(WriterState::Ended as u32, Release);
    }
    thread.writer = 0;
    thread.process = 0;
}

static END_KEY: AtomicU32 = AtomicU32::new(u32::MAX);

/// Asks to be told when threads end.
pub(crate) fn find_ends() {
    let mut key = 0;
    // SAFETY: the destructor only touches the ending thread's storage and its writer.
    if unsafe { sys::pthread_key_create(&mut key, Some(ended)) } == 0 {
        END_KEY.store(key, Relaxed);
    }
}

fn watch_end() {
    /// glibc keeps the values of the first 32 keys without allocating.
    const KEYS_IN_PLACE: u32 = 32;
    let key = END_KEY.load(Relaxed);
    if key < KEYS_IN_PLACE {
        // SAFETY: a key of ours; the value is only ever compared with null.
        unsafe { sys::pthread_setspecific(key, null::<u8>().wrapping_add(1).cast()) };
    }
}

unsafe extern "C" fn ended(_: *mut c_void) {
    let thread = this_thread();
    if let Some(session) = joined() {
        // SAFETY: this thread's own storage.
        release(unsafe { &mut *thread }, session);
    }
}
