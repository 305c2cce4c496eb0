//! `dlclose`: the one function of the loader we stand in for, because afterwards an address may
//! mean something else. `dlopen` is left alone: which libraries it finds depends on who calls it.

use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicU64, Ordering::AcqRel};

use crate::listing::{Listed, dl_iterate_phdr};
use crate::real::Real;
use crate::unwind;

static DLCLOSE: Real = Real::new(c"dlclose");

/// How many modules had been unloaded when last asked.
static UNLOADED: AtomicU64 = AtomicU64::new(0);

/// Looks the real function up.
pub(super) fn prepare() {
    DLCLOSE.prepare();
}

/// Stands in for the function of this name.
///
/// # Safety
/// As the real function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dlclose(handle: *mut c_void) -> c_int {
    // SAFETY: the type is the C library's; the arguments are the caller's.
    let result = unsafe {
        DLCLOSE.get::<unsafe extern "C" fn(*mut c_void) -> c_int>().map_or(-1, |f| f(handle))
    };
    // Most calls only give up one of several claims to a module that stays.
    let unloaded = unloaded();
    if UNLOADED.swap(unloaded, AcqRel) != unloaded {
        unwind::new_generation();
    }
    result
}

/// How many modules have been unloaded so far. Takes the loader's lock, as `dlclose` just did.
fn unloaded() -> u64 {
    unsafe extern "C" fn note(about: *const Listed, size: usize, count: *mut c_void) -> c_int {
        if size >= size_of::<Listed>() {
            // SAFETY: the loader's structure is that large, and the other is ours.
            unsafe { *count.cast::<u64>() = (*about).unloaded };
        }
        // The first module is enough: every one has the same number.
        1
    }
    let mut count = u64::MAX;
    // SAFETY: the callback fits, and is given what it expects.
    unsafe { dl_iterate_phdr(note, (&raw mut count).cast()) };
    count
}
