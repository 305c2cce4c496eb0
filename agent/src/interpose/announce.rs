//! Notes for the collector: this process is about to execute that program. Without them a program
//! that is not traced and lives for a moment would never be missed.
//!
//! A note is taken from a few in shared memory without waiting; where none is free, that is counted
//! and said with the next one.

use core::ffi::c_char;
use core::sync::atomic::{AtomicU32, Ordering::*};

use unfreed_wire::{Execution, ExecutionState, Preload, Session};

use crate::{clock, session};

/// How many found no room, since it was last said.
static MISSED: AtomicU32 = AtomicU32::new(0);

pub(super) use crate::session::own_pid;

/// An attempt that has been noted.
pub(super) struct Note {
    pid: u32,
    /// Which attempt of this process.
    stamp: u64,
}

impl Note {
    /// Notes an attempt that is about to be made.
    ///
    /// # Safety
    /// `program` is NULL or a string that ends with 0.
    pub(super) unsafe fn about(pid: u32, program: *const c_char, preload: Preload) -> Note {
        let note = Note { pid, stamp: clock::stamp() };
        // SAFETY: the caller's.
        unsafe { note.write(ExecutionState::About, program, preload) };
        note
    }

    /// Notes one that succeeded, and began at `stamp`.
    ///
    /// # Safety
    /// As above.
    pub(super) unsafe fn of(pid: u32, stamp: u64, program: *const c_char, preload: Preload) {
        let note = Note { pid, stamp };
        // SAFETY: the caller's.
        unsafe { note.write(ExecutionState::About, program, preload) };
    }

    /// It failed.
    pub(super) fn failed(self) {
        // SAFETY: no program is named.
        unsafe { self.write(ExecutionState::Failed, core::ptr::null(), Preload::Asked) };
    }

    unsafe fn write(&self, state: ExecutionState, program: *const c_char, preload: Preload) {
        let Some(session) = session::header() else { return };
        let Some(note) = take(session) else {
            MISSED.fetch_add(1, Relaxed);
            return;
        };
        note.pid.store(self.pid, Relaxed);
        note.stamp.store(self.stamp, Relaxed);
        note.preload.store(preload as u32, Relaxed);
        note.missed.store(MISSED.swap(0, Relaxed), Relaxed);
        let mut rest = program;
        for word in &note.program {
            let mut value = 0u64;
            for n in 0..8 {
                // SAFETY: the caller's; stays at the final 0 once it was reached.
                let byte = if rest.is_null() { 0 } else { unsafe { *rest as u8 } };
                value |= (byte as u64) << (n * 8);
                if byte != 0 {
                    rest = rest.wrapping_add(1);
                }
            }
            word.store(value, Relaxed);
        }
        note.state.store(state as u32, Release);
    }
}

/// A free note of this session, now being filled.
fn take(session: *mut Session) -> Option<&'static Execution> {
    (0..Execution::COUNT).find_map(|index| {
        // SAFETY: inside the page of the header, aligned, atomics only; never unmapped.
        let note = unsafe { &*session.cast::<u8>().add(Execution::offset(index)).cast::<Execution>() };
        let (free, filling) = (ExecutionState::Free as u32, ExecutionState::Filling as u32);
        (note.state.load(Relaxed) == free
            && note.state.compare_exchange(free, filling, AcqRel, Relaxed).is_ok())
        .then_some(note)
    })
}
