//! Recording: what happens around a real allocator function.
//!
//! An allocation is recorded after the real call and a free before it, a realloc on both sides: so no
//! address is ever taken before it was given back. A block goes into the table of young blocks, and
//! if it is freed from there only counted; what the table cannot hold goes into the ring. Whatever is
//! called from inside one of these is let through unrecorded, see [`crate::thread`].

use crate::claim;
use crate::real::cxx::is_operator_s;
use crate::session::joined;
use crate::thread::{Entry, Wrapping, this_thread};
use crate::unwind::{Registers, return_address};

mod block;
mod resize;
mod tell;

use block::{append_alloc, append_free, is_told, sample_alloc};
use resize::GivenUp;
use tell::{count_reentrant, count_unclaimed};

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
    let passes = |size: usize| {
        // SAFETY: this thread's own storage.
        unsafe { (*thread).is_outside() && (*thread).countdown.passes(size as u64) }
    };
    if session.samples() && passes(size) {
        return;
    }
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
    if session.samples() && !is_told(session, block) {
        return real();
    }
    let thread = this_thread();
    // SAFETY: this thread's own storage.
    match unsafe { (*thread).enter(registers, Wrapping::Nothing) } {
        Entry::Outermost => {
            append_free(thread, session, block, function, registers);
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
            append_free(thread, session, block, function, registers);
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
    if entered != Entered::Not {
        leave_wrapped(block, size, function, registers, entered);
    }
    block
}

/// How a real function that may call others was entered.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Entered {
    /// As part of another: nothing is to be recorded.
    Not = 0,
    /// With the guard set. [`leave_wrapped`] must follow.
    Outermost = 1,
    /// Called by what a C++ operator calls, a new-handler say. [`leave_wrapped`] must follow.
    Inside = 2,
}

/// Sets the guard for a real function that may call others.
pub(crate) fn enter_wrapped(registers: Registers, wrapping: Wrapping) -> Entered {
    let Some(session) = joined() else { return Entered::Not };
    let thread = this_thread();
    // SAFETY: this thread's own storage.
    match unsafe { (*thread).enter(registers, wrapping) } {
        Entry::Outermost => Entered::Outermost,
        Entry::NestedInOperator if !is_operator_s(return_address(registers)) => Entered::Inside,
        Entry::Nested | Entry::NestedInOperator => Entered::Not,
        Entry::Reentrant => {
            count_reentrant(thread, session, false);
            Entered::Not
        }
    }
}

/// Records what the real function returned and puts the guard back as it was.
pub(crate) fn leave_wrapped(
    block: *mut u8,
    size: usize,
    function: Function,
    registers: Registers,
    entered: Entered,
) {
    let thread = this_thread();
    // SAFETY: this thread's own storage.
    let (interrupted, last) = unsafe {
        let interrupted = (entered == Entered::Inside).then(|| (*thread).interrupt(registers.sp));
        if interrupted.is_none() {
            (*thread).unwrap_entry();
        }
        (interrupted, (*thread).block)
    };
    // Another library's malloc stands between the operator and ours, and what it was given has been
    // recorded under its own name.
    let recorded = last == block as u64;
    if let (Some(session), false) = (joined(), block.is_null() || recorded) {
        append_alloc(thread, session, block, size, function, registers);
    }
    // SAFETY: as above.
    unsafe {
        match interrupted {
            Some(interrupted) => {
                (*thread).block = block as u64;
                (*thread).resume(interrupted);
            }
            None => (*thread).leave(),
        }
    }
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
    let told = !session.samples() || is_told(session, old);
    // SAFETY: this thread's own storage.
    if !told && unsafe { (*thread).is_outside() && (*thread).countdown.passes(size as u64) } {
        return real();
    }
    // SAFETY: this thread's own storage.
    match unsafe { (*thread).enter(registers, Wrapping::Function) } {
        Entry::Outermost => {}
        Entry::NestedInOperator if !is_operator_s(return_address(registers)) => {
            // What a new-handler resizes: rare enough to be only counted.
            count_reentrant(thread, session, true);
            count_reentrant(thread, session, false);
            return real();
        }
        Entry::Nested | Entry::NestedInOperator => return real(),
        Entry::Reentrant => {
            count_reentrant(thread, session, false);
            return real();
        }
    }
    // SAFETY: this thread's own storage; nobody else holds a reference to it. The ring stays
    // open, and so unread stamps are known of, until both halves are written.
    let ring = claim::open(unsafe { &mut *thread }, session);
    let given_up = ring.as_ref().map(|ring| told.then(|| GivenUp::take(ring, old, registers)));
    let new = real();
    // SAFETY: as above.
    unsafe { (*thread).unwrap_entry() };
    match (ring, given_up) {
        (Some(ring), Some(given_up)) => {
            match given_up {
                Some(given_up) if session.samples() => {
                    if !new.is_null() || size == 0 {
                        given_up.freed(&ring, function);
                    }
                    sample_alloc(&ring, thread, new, size, function, registers);
                }
                Some(given_up) if !new.is_null() => {
                    given_up.resized(&ring, new, size, function, registers);
                }
                Some(given_up) if size == 0 => given_up.freed(&ring, function),
                Some(given_up) => given_up.kept(&ring),
                None => sample_alloc(&ring, thread, new, size, function, registers),
            }
            ring.close();
        }
        _ => count_unclaimed(session, true, !new.is_null()),
    }
    // SAFETY: as above.
    unsafe { (*thread).leave() };
    new
}
