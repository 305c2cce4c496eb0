//! The C functions.

use core::ffi::c_int;
use core::ptr::null_mut;

use super::entry;
use crate::real;
use crate::record::{self, Function};
use crate::sys::{EINVAL, ENOMEM};
use crate::unwind::Registers;

entry!(malloc(usize) -> *mut u8, "rsi", "rdx", malloc_traced);
entry!(calloc(usize, usize) -> *mut u8, "rdx", "rcx", calloc_traced);
entry!(realloc(*mut u8, usize) -> *mut u8, "rdx", "rcx", realloc_traced);
entry!(reallocarray(*mut u8, usize, usize) -> *mut u8, "rcx", "r8", reallocarray_traced);
entry!(free(*mut u8) -> (), "rsi", "rdx", free_traced);
entry!(cfree(*mut u8) -> (), "rsi", "rdx", free_traced);
entry!(posix_memalign(*mut *mut u8, usize, usize) -> c_int, "rcx", "r8", posix_memalign_traced);
entry!(aligned_alloc(usize, usize) -> *mut u8, "rdx", "rcx", aligned_alloc_traced);
entry!(memalign(usize, usize) -> *mut u8, "rdx", "rcx", memalign_traced);
entry!(valloc(usize) -> *mut u8, "rsi", "rdx", valloc_traced);
entry!(pvalloc(usize) -> *mut u8, "rsi", "rdx", pvalloc_traced);

unsafe extern "C" fn malloc_traced(size: usize, sp: u64, bp: u64) -> *mut u8 {
    // SAFETY: the caller's; so in all functions here.
    let block = unsafe { real::malloc(size) };
    record::allocated(block, size, Function::Malloc, Registers { sp, bp });
    block
}

unsafe extern "C" fn calloc_traced(count: usize, size: usize, sp: u64, bp: u64) -> *mut u8 {
    let whole = count.saturating_mul(size);
    fresh(whole, Function::Calloc, Registers { sp, bp }, || {
        // SAFETY: as above.
        unsafe { real::calloc(count, size) }
    })
}

/// Records what `real` gives. Only where it may call one of ours in turn the guard is set first.
#[inline(always)]
fn fresh(
    size: usize,
    function: Function,
    registers: Registers,
    real: impl FnOnce() -> *mut u8,
) -> *mut u8 {
    if real::calls_itself() {
        return record::allocating(size, function, registers, real);
    }
    let block = real();
    record::allocated(block, size, function, registers);
    block
}

unsafe extern "C" fn realloc_traced(block: *mut u8, size: usize, sp: u64, bp: u64) -> *mut u8 {
    // SAFETY: as above.
    unsafe { resize(block, size, Function::Realloc, Registers { sp, bp }) }
}

unsafe extern "C" fn reallocarray_traced(
    block: *mut u8,
    count: usize,
    size: usize,
    sp: u64,
    bp: u64,
) -> *mut u8 {
    let Some(whole) = count.checked_mul(size) else {
        real::set_errno(ENOMEM);
        return null_mut();
    };
    // SAFETY: as above. The real one is this check and a realloc.
    unsafe { resize(block, whole, Function::Reallocarray, Registers { sp, bp }) }
}

#[inline(always)]
unsafe fn resize(block: *mut u8, size: usize, function: Function, registers: Registers) -> *mut u8 {
    if block.is_null() || real::in_arena(block) {
        return fresh(size, function, registers, || {
            // SAFETY: as above.
            unsafe { real::realloc(block, size) }
        });
    }
    record::reallocating(block, size, function, registers, || {
        // SAFETY: as above.
        unsafe { real::realloc(block, size) }
    })
}

unsafe extern "C" fn free_traced(block: *mut u8, sp: u64, bp: u64) {
    if block.is_null() || real::in_arena(block) {
        return;
    }
    record::freeing(block, Function::Free, Registers { sp, bp }, || {
        // SAFETY: as above.
        unsafe { real::free(block) }
    });
}

unsafe extern "C" fn posix_memalign_traced(
    out: *mut *mut u8,
    alignment: usize,
    size: usize,
    sp: u64,
    bp: u64,
) -> c_int {
    let mut result = EINVAL;
    record::allocating(size, Function::PosixMemalign, Registers { sp, bp }, || {
        // SAFETY: as above; `out` is only read where the real function has set it.
        unsafe {
            result = real::posix_memalign(out, alignment, size);
            if result == 0 { *out } else { null_mut() }
        }
    });
    result
}

unsafe extern "C" fn aligned_alloc_traced(
    alignment: usize,
    size: usize,
    sp: u64,
    bp: u64,
) -> *mut u8 {
    record::allocating(size, Function::AlignedAlloc, Registers { sp, bp }, || {
        // SAFETY: as above.
        unsafe { real::aligned_alloc(alignment, size) }
    })
}

unsafe extern "C" fn memalign_traced(alignment: usize, size: usize, sp: u64, bp: u64) -> *mut u8 {
    record::allocating(size, Function::Memalign, Registers { sp, bp }, || {
        // SAFETY: as above.
        unsafe { real::memalign(alignment, size) }
    })
}

unsafe extern "C" fn valloc_traced(size: usize, sp: u64, bp: u64) -> *mut u8 {
    record::allocating(size, Function::Valloc, Registers { sp, bp }, || {
        // SAFETY: as above.
        unsafe { real::valloc(size) }
    })
}

unsafe extern "C" fn pvalloc_traced(size: usize, sp: u64, bp: u64) -> *mut u8 {
    record::allocating(size, Function::Pvalloc, Registers { sp, bp }, || {
        // SAFETY: as above.
        unsafe { real::pvalloc(size) }
    })
}
