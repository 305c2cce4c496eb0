//! Notes for the collector: this process is about to execute that program. Without them a program
//! that is not traced and lives for a moment would never be missed.
//!
//! A note is taken from a few in shared memory without waiting; where none is free, that is counted.

use core::ffi::c_char;
use core::sync::atomic::Ordering::*;

use unfreed_wire::{Execution, ExecutionState, Preload, Session};

use crate::session;

pub(super) use crate::session::own_pid;

/// An attempt that has been noted.
pub(super) struct Note {
    pid: u32,
    /// Which attempt of this process.
    moment: u64,
    /// Where it was noted, and perhaps still is.
    place: Option<&'static Execution>,
}

impl Note {
    /// Notes an attempt that is about to be made.
    ///
    /// # Safety
    /// `program` is NULL or a string that ends with 0.
    pub(super) unsafe fn about(pid: u32, program: *const c_char, preload: Preload) -> Note {
        let moment = session::moment();
        // SAFETY: the caller's.
        let place = unsafe { write(pid, moment, ExecutionState::About, program, preload) };
        Note { pid, moment, place }
    }

    /// Notes one that succeeded, and began at `moment`.
    ///
    /// # Safety
    /// As above.
    pub(super) unsafe fn of(pid: u32, moment: u64, program: *const c_char, preload: Preload) {
        // SAFETY: the caller's.
        unsafe { write(pid, moment, ExecutionState::About, program, preload) };
    }

    /// It failed: takes the note back, or, where it has been read, says so with another.
    pub(super) fn failed(self) {
        let Some(place) = self.place else { return };
        let (about, filling) = (ExecutionState::About as u32, ExecutionState::Filling as u32);
        let ours =
            || place.pid.load(Relaxed) == self.pid && place.moment.load(Relaxed) == self.moment;
        if ours() && place.state.compare_exchange(about, filling, AcqRel, Relaxed).is_ok() {
            // Another's by now, if it was read and taken again in between.
            let state = if ours() { ExecutionState::Free } else { ExecutionState::About };
            place.state.store(state as u32, Release);
            if state == ExecutionState::Free {
                return;
            }
        }
        let state = ExecutionState::Failed;
        // SAFETY: no program is named.
        unsafe { write(self.pid, self.moment, state, core::ptr::null(), Preload::Asked) };
    }
}

/// Fills a free note and gives its place; where there is none, counts that.
///
/// # Safety
/// `program` is NULL or a string that ends with 0.
unsafe fn write(
    pid: u32,
    moment: u64,
    state: ExecutionState,
    program: *const c_char,
    preload: Preload,
) -> Option<&'static Execution> {
    let session = session::header()?;
    let Some(note) = take(session) else {
        place(session, 0).missed.fetch_add(1, Relaxed);
        return None;
    };
    note.pid.store(pid, Relaxed);
    note.moment.store(moment, Relaxed);
    note.preload.store(preload as u32, Relaxed);
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
    Some(note)
}

/// A free note of this session, now being filled.
fn take(session: *mut Session) -> Option<&'static Execution> {
    let (free, filling) = (ExecutionState::Free as u32, ExecutionState::Filling as u32);
    (0..Execution::COUNT).map(|index| place(session, index)).find(|note| {
        note.state.load(Relaxed) == free
            && note.state.compare_exchange(free, filling, AcqRel, Relaxed).is_ok()
    })
}

fn place(session: *mut Session, index: usize) -> &'static Execution {
    // SAFETY: inside the page of the header, aligned, atomics only; never unmapped.
    unsafe { &*session.cast::<u8>().add(Execution::offset(index)).cast::<Execution>() }
}
