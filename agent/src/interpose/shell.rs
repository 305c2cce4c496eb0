//! `system` and `popen`, which start a shell from inside the C library in the environment that this
//! process has. Where that was cleaned, it is exchanged for the length of the call; not while
//! there are other threads, which may be changing it: then the shell is noted as not traced.

use core::ffi::{c_char, c_int, c_void};

use unfreed_wire::Preload;

use super::announce::Note;
use super::environment;
use crate::real::Real;
use crate::sys;

static SYSTEM: Real = Real::new(c"system");
static POPEN: Real = Real::new(c"popen");
/// Not 0 while the C library knows of no second thread. glibc has it since 2.32.
static SINGLE_THREADED: Real = Real::new(c"__libc_single_threaded");

/// Looks the real functions up.
pub(super) fn prepare() {
    for real in [&SYSTEM, &POPEN, &SINGLE_THREADED] {
        real.prepare();
    }
}

fn is_alone() -> bool {
    // SAFETY: the variable of this name is one byte, and stays.
    unsafe { SINGLE_THREADED.get::<*const u8>().is_some_and(|alone| alone.read_volatile() != 0) }
}

/// Runs `start` in the environment that it is to be run in.
///
/// # Safety
/// The environment of this process is whole.
unsafe fn in_environment(start: impl FnOnce()) {
    let own = sys::environment();
    let run = |environment, _: Preload| {
        if environment == own {
            start();
            return 0;
        }
        if !is_alone() {
            // SAFETY: a C string.
            unsafe { Note::of(0, crate::session::moment(), c"/bin/sh".as_ptr(), Preload::Shared) };
            start();
            return 0;
        }
        sys::set_environment(environment);
        start();
        // Unless it was exchanged meanwhile, by a signal handler say.
        if sys::environment() == environment {
            sys::set_environment(own);
        }
        0
    };
    // SAFETY: the caller's.
    unsafe { environment::with(own, run) };
}

/// Stands in for the function of this name.
///
/// # Safety
/// As the real function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn system(command: *const c_char) -> c_int {
    // SAFETY: the type is the C library's.
    unsafe {
        let Some(real) = SYSTEM.get::<unsafe extern "C" fn(*const c_char) -> c_int>() else {
            sys::set_errno(sys::ENOSYS);
            return -1;
        };
        let mut result = -1;
        in_environment(|| result = real(command));
        result
    }
}

/// Stands in for the function of this name.
///
/// # Safety
/// As the real function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn popen(command: *const c_char, kind: *const c_char) -> *mut c_void {
    type Popen = unsafe extern "C" fn(*const c_char, *const c_char) -> *mut c_void;
    // SAFETY: the type is the C library's.
    unsafe {
        let Some(real) = POPEN.get::<Popen>() else {
            sys::set_errno(sys::ENOSYS);
            return core::ptr::null_mut();
        };
        let mut result = core::ptr::null_mut();
        in_environment(|| result = real(command, kind));
        result
    }
}
