//! Recording: what happens around a real allocator function.
//!
//! An allocation is stamped after the real call and a free before it, a realloc on both sides:
//! ordered by stamps, no address is ever taken before it was given back. Whatever is called from
//! inside one of these is let through unrecorded, see [`crate::thread`].

use core::sync::atomic::Ordering::Relaxed;

use unfreed_wire::{Kind, RecordHeader, words};

use crate::claim;
use crate::clock::stamp;
use crate::define::stack_hash;
use crate::real::cxx::is_operator_s;
use crate::ring::{Need, Ring};
use crate::session::{Joined, joined};
use crate::thread::{Entry, Thread, Wrapping, this_thread};
use crate::unwind::{Registers, return_address};

/// The number of an allocator function in the event vocabulary (`event::Function`).
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "each is the function it is named after")]
pub enum Function {
    Malloc = 1,
    Calloc = 2,
    Realloc = 3,
    Reallocarray = 4,
    PosixMemalign = 5,
    AlignedAlloc = 6,
    Memalign = 7,
    Valloc = 8,
    Pvalloc = 9,
    New = 10,
    NewArray = 11,
    Free = 12,
    Delete = 13,
    DeleteArray = 14,
}

/// Records a block that a real function has just returned.
#[inline(always)]
pub fn allocated(block: *mut u8, size: usize, function: Function, registers: Registers) {
    let Some(session) = joined() else { return };
    if block.is_null() {
        return;
    }
    let thread = this_thread();
    // SAFETY: this thread's own storage.
    match unsafe { (*thread).enter(registers, Wrapping::Nothing) } {
        Entry::Outermost => {
            append_alloc(thread, session, block, size, function, registers);
            // SAFETY: as above.
            unsafe { (*thread).leave() };
        }
        Entry::NestedInOperator if !is_operator_s(return_address(registers)) => {
            // SAFETY: as above.
            let interrupted = unsafe { (*thread).interrupt(registers.sp) };
            append_alloc(thread, session, block, size, function, registers);
            // SAFETY: as above.
            unsafe {
                (*thread).block = block as u64;
                (*thread).resume(interrupted);
            }
        }
        Entry::Nested | Entry::NestedInOperator => {}
        Entry::Reentrant => count_reentrant(thread, session, false),
    }
}

/// Records a block that is about to be freed, then frees it with `real`.
#[inline(always)]
pub fn freeing(block: *mut u8, function: Function, registers: Registers, real: impl FnOnce()) {
    let Some(session) = joined() else { return real() };
    let thread = this_thread();
    // SAFETY: this thread's own storage.
    match unsafe { (*thread).enter(registers, Wrapping::Nothing) } {
        Entry::Outermost => {
            append_free(thread, session, block, function);
            // The C++ functions call `free`, which must not be recorded again.
            if function == Function::Free {
                // SAFETY: as above.
                unsafe { (*thread).leave() };
                real();
            } else {
                // SAFETY: as above.
                unsafe {
                    (*thread).enter(registers, Wrapping::Operator);
                    (*thread).block = block as u64;
                    real();
                    (*thread).leave();
                }
            }
        }
        // The block being deleted is freed on the way; any other has nothing to do with it.
        // SAFETY: as above.
        Entry::NestedInOperator if unsafe { (*thread).block } != block as u64 => {
            // SAFETY: as above.
            let interrupted = unsafe { (*thread).interrupt(registers.sp) };
            append_free(thread, session, block, function);
            // SAFETY: as above.
            unsafe { (*thread).resume(interrupted) };
            real();
        }
        Entry::Nested | Entry::NestedInOperator => real(),
        Entry::Reentrant => {
            count_reentrant(thread, session, true);
            real();
        }
    }
}

/// Runs a real function that may call other allocator functions, and records its block.
#[inline(always)]
pub fn allocating(
    size: usize,
    function: Function,
    registers: Registers,
    real: impl FnOnce() -> *mut u8,
) -> *mut u8 {
    let entered = enter_wrapped(registers, Wrapping::Function);
    let block = real();
    if entered {
        leave_wrapped(block, size, function, registers);
    }
    block
}

/// Sets the guard for a real function that may call others. Whether [`leave_wrapped`] must follow.
pub(crate) fn enter_wrapped(registers: Registers, wrapping: Wrapping) -> bool {
    let Some(session) = joined() else { return false };
    let thread = this_thread();
    // SAFETY: this thread's own storage.
    match unsafe { (*thread).enter(registers, wrapping) } {
        Entry::Outermost => true,
        Entry::Nested | Entry::NestedInOperator => false,
        Entry::Reentrant => {
            count_reentrant(thread, session, false);
            false
        }
    }
}

/// Records what the real function returned and takes the guard away.
pub fn leave_wrapped(block: *mut u8, size: usize, function: Function, registers: Registers) {
    let thread = this_thread();
    // SAFETY: this thread's own storage.
    let recorded = unsafe {
        (*thread).unwrap_entry();
        // Another library's malloc stands between the operator and ours, and what it was given
        // has been recorded under its own name.
        (*thread).block == block as u64
    };
    if let (Some(session), false) = (joined(), block.is_null() || recorded) {
        append_alloc(thread, session, block, size, function, registers);
    }
    // SAFETY: as above.
    unsafe { (*thread).leave() };
}

/// An exception passes through a wrapped function: the guard goes with it.
pub fn abandon_wrapped() {
    // SAFETY: this thread's own storage.
    unsafe { (*this_thread()).leave() };
}

/// Runs a real `realloc` of a block that is not NULL, and records both halves.
#[inline(always)]
pub fn reallocating(
    old: *mut u8,
    size: usize,
    function: Function,
    registers: Registers,
    real: impl FnOnce() -> *mut u8,
) -> *mut u8 {
    let Some(session) = joined() else { return real() };
    let thread = this_thread();
    // SAFETY: this thread's own storage.
    match unsafe { (*thread).enter(registers, Wrapping::Function) } {
        Entry::Outermost => {}
        Entry::Nested | Entry::NestedInOperator => return real(),
        Entry::Reentrant => {
            count_reentrant(thread, session, false);
            return real();
        }
    }
    // SAFETY: this thread's own storage; nobody else holds a reference to it. The ring stays
    // open, and so unread stamps are known of, until both halves are written.
    let ring = claim::open(unsafe { &mut *thread }, session);
    let before = stamp();
    let new = real();
    // SAFETY: as above.
    unsafe { (*thread).unwrap_entry() };
    match ring {
        None => count_unclaimed(session, true, !new.is_null()),
        Some(ring) => {
            if !new.is_null() {
                append_realloc(&ring, before, old, new, size, function, registers);
            } else if size == 0 {
                write_free(&ring, before, old, function);
            }
            ring.close();
        }
    }
    // SAFETY: as above.
    unsafe { (*thread).leave() };
    new
}

fn append_realloc(
    ring: &Ring,
    before: u64,
    old: *mut u8,
    new: *mut u8,
    size: usize,
    function: Function,
    registers: Registers,
) {
    let hash = stack_hash(ring, registers);
    let header = RecordHeader {
        kind: Kind::Realloc as u8,
        function: function as u8,
        words: words::REALLOC as u16,
        detail: 0,
    };
    let record = [header.pack(), before, stamp(), old as u64, new as u64, size as u64, hash];
    if ring.append(&record, Need::Other) {
        return;
    }
    ring.counters().lost_allocations.fetch_add(1, Relaxed);
    write_free(ring, before, old, function);
}

fn append_alloc(
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
    let hash = stack_hash(&ring, registers);
    let header = RecordHeader {
        kind: Kind::Alloc as u8,
        function: function as u8,
        words: words::ALLOC as u16,
        detail: 0,
    };
    if !ring.append(&[header.pack(), stamp(), block as u64, size as u64, hash], Need::Other) {
        ring.counters().lost_allocations.fetch_add(1, Relaxed);
    }
    ring.close();
}

fn append_free(thread: *mut Thread, session: Joined, block: *mut u8, function: Function) {
    // SAFETY: as in `append_alloc`.
    let Some(ring) = claim::open(unsafe { &mut *thread }, session) else {
        return count_unclaimed(session, true, false);
    };
    write_free(&ring, stamp(), block, function);
    ring.close();
}

fn write_free(ring: &Ring, stamp: u64, block: *mut u8, function: Function) {
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

#[cold]
fn count_unclaimed(session: Joined, free: bool, allocation: bool) {
    let entry = session.entry();
    entry.lost_frees.fetch_add(free as u64, Relaxed);
    entry.lost_allocations.fetch_add(allocation as u64, Relaxed);
}

#[cold]
fn count_reentrant(thread: *mut Thread, session: Joined, free: bool) {
    // SAFETY: this thread's own storage, only read here.
    let (writer, process) = unsafe { ((*thread).writer, (*thread).process) };
    if writer == 0 || process != session.process {
        return count_unclaimed(session, free, !free);
    }
    let counters = session.writer(writer - 1);
    let counter = if free { &counters.reentrant_frees } else { &counters.reentrant_allocations };
    counter.fetch_add(1, Relaxed);
}
