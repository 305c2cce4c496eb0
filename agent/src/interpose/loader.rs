//! `dlclose`: the one function of the loader we stand in for, because afterwards an address may
//! mean something else. `dlopen` is left alone: which libraries it finds depends on who calls it.

use core::ffi::{c_int, c_void};

use crate::real::Real;
use crate::unwind;

static DLCLOSE: Real = Real::new(c"dlclose");

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
    unwind::new_generation();
    result
}
