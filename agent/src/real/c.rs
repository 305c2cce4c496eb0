//! The real functions of C.

use core::ffi::c_int;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::{Range, Real, arena_alloc, arena_size, in_arena};
use crate::sys;
use crate::unwind::is_musl;

type Malloc = unsafe extern "C" fn(usize) -> *mut u8;
type Calloc = unsafe extern "C" fn(usize, usize) -> *mut u8;
type ReallocFn = unsafe extern "C" fn(*mut u8, usize) -> *mut u8;
type FreeFn = unsafe extern "C" fn(*mut u8);
type Aligned = unsafe extern "C" fn(usize, usize) -> *mut u8;
type PosixMemalign = unsafe extern "C" fn(*mut *mut u8, usize, usize) -> c_int;

static MALLOC: Real = Real::new(c"malloc");
static CALLOC: Real = Real::new(c"calloc");
static REALLOC: Real = Real::new(c"realloc");
static FREE: Real = Real::new(c"free");
static POSIX_MEMALIGN: Real = Real::new(c"posix_memalign");
static ALIGNED_ALLOC: Real = Real::new(c"aligned_alloc");
static MEMALIGN: Real = Real::new(c"memalign");
static VALLOC: Real = Real::new(c"valloc");
static PVALLOC: Real = Real::new(c"pvalloc");

/// The module that the real functions are in.
static MODULE: Range = Range::new();

/// Where this library itself is, if the real functions may leave with a jump to one of ours.
static JUMPED_FROM: Range = Range::new();

/// Whether the real functions call each other by way of ours.
static CALLS_ITSELF: AtomicBool = AtomicBool::new(false);

/// Whether a call that returns to this address was made by the real allocator itself.
pub(crate) fn is_allocator_s(return_address: u64) -> bool {
    MODULE.contains(return_address) || JUMPED_FROM.contains(return_address)
}

/// Whether the real `calloc`, and `realloc` of NULL, may call `malloc` by its name: musl's `calloc` does,
/// and its `memalign` is a jump to `aligned_alloc`.
#[inline(always)]
pub(crate) fn calls_itself() -> bool {
    CALLS_ITSELF.load(Relaxed)
}

/// Looks all of them up; whether those that every program needs are there.
pub(crate) fn prepare() -> bool {
    for real in [
        &MALLOC,
        &CALLOC,
        &REALLOC,
        &FREE,
        &POSIX_MEMALIGN,
        &ALIGNED_ALLOC,
        &MEMALIGN,
        &VALLOC,
        &PVALLOC,
    ] {
        real.prepare();
    }
    MODULE.find(MALLOC.address());
    if is_musl() {
        CALLS_ITSELF.store(true, Relaxed);
        JUMPED_FROM.find(prepare as *const () as u64);
    }
    // SAFETY: the types are those of the C standard.
    unsafe {
        MALLOC.get::<Malloc>().is_some()
            && CALLOC.get::<Calloc>().is_some()
            && REALLOC.get::<ReallocFn>().is_some()
            && FREE.get::<FreeFn>().is_some()
    }
}

/// The real `malloc`; the arena while it is being looked up.
///
/// # Safety
/// As in C; so for all functions below.
#[inline(always)]
pub(crate) unsafe fn malloc(size: usize) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe { MALLOC.get::<Malloc>().map_or_else(|| arena_alloc(size), |f| f(size)) }
}

/// # Safety
/// As in C.
#[inline(always)]
pub(crate) unsafe fn calloc(count: usize, size: usize) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe {
        CALLOC
            .get::<Calloc>()
            .map_or_else(|| arena_alloc(count.saturating_mul(size)), |f| f(count, size))
    }
}

/// # Safety
/// As in C.
#[inline(always)]
pub(crate) unsafe fn realloc(block: *mut u8, size: usize) -> *mut u8 {
    // SAFETY: the caller's; a block of the arena is copied out of it, since the real function
    // does not know it.
    unsafe {
        if !block.is_null() && in_arena(block) {
            let new = malloc(size);
            if !new.is_null() {
                core::ptr::copy_nonoverlapping(block, new, arena_size(block).min(size));
            }
            return new;
        }
        match REALLOC.get::<ReallocFn>() {
            Some(f) => f(block, size),
            None => arena_alloc(size),
        }
    }
}

/// # Safety
/// As in C.
#[inline(always)]
pub(crate) unsafe fn free(block: *mut u8) {
    // SAFETY: the caller's.
    unsafe {
        if let Some(f) = FREE.get::<FreeFn>() {
            f(block);
        }
    }
}

/// # Safety
/// As in POSIX.
pub(crate) unsafe fn posix_memalign(out: *mut *mut u8, alignment: usize, size: usize) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        POSIX_MEMALIGN.get::<PosixMemalign>().map_or(sys::ENOMEM, |f| f(out, alignment, size))
    }
}

/// # Safety
/// As in C.
pub(crate) unsafe fn aligned_alloc(alignment: usize, size: usize) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe { ALIGNED_ALLOC.get::<Aligned>().map_or(null_mut(), |f| f(alignment, size)) }
}

/// # Safety
/// As glibc documents it.
pub(crate) unsafe fn memalign(alignment: usize, size: usize) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe { MEMALIGN.get::<Aligned>().map_or(null_mut(), |f| f(alignment, size)) }
}

/// # Safety
/// As glibc documents it.
pub(crate) unsafe fn valloc(size: usize) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe { VALLOC.get::<Malloc>().map_or(null_mut(), |f| f(size)) }
}

/// # Safety
/// As glibc documents it.
pub(crate) unsafe fn pvalloc(size: usize) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe { PVALLOC.get::<Malloc>().map_or(null_mut(), |f| f(size)) }
}

/// Sets `errno`.
pub(crate) fn set_errno(value: c_int) {
    // SAFETY: the C library gives this thread's own.
    unsafe { *sys::__errno_location() = value };
}
