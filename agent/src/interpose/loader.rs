//! The loader. After `dlclose` an address may mean something else. `dlopen` is only looked at in
//! passing: a library loaded with `RTLD_DEEPBIND` finds the C library's allocator before ours, so
//! that what it allocates and frees is never seen. Which libraries `dlopen` finds depends on who
//! calls it, so it is jumped to, and returns to its caller.

use core::ffi::{c_char, c_int, c_void};
use core::sync::atomic::{AtomicU64, Ordering::AcqRel};

use crate::listing::{Listed, dl_iterate_phdr};
use crate::real::Real;
use crate::session;
use crate::sys;
use crate::unwind;

static DLCLOSE: Real = Real::new(c"dlclose");
static DLOPEN: Real = Real::new(c"dlopen");

/// How many modules had been unloaded when last asked.
static UNLOADED: AtomicU64 = AtomicU64::new(0);

/// Looks the real function up.
pub(super) fn prepare() {
    DLCLOSE.prepare();
    DLOPEN.prepare();
}

/// Stands in for the function of this name.
///
/// # Safety
/// As the real function.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dlopen(_: *const c_char, _: c_int) -> *mut c_void {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "push rdi",
        ".cfi_adjust_cfa_offset 8",
        "push rsi",
        ".cfi_adjust_cfa_offset 8",
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 8",
        "mov edi, esi",
        "call {look}",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "pop rsi",
        ".cfi_adjust_cfa_offset -8",
        "pop rdi",
        ".cfi_adjust_cfa_offset -8",
        "test rax, rax",
        "jz 2f",
        "jmp rax",
        "2: ret",
        ".cfi_endproc",
        look = sym look_at,
    )
}

/// Takes note of how a library is about to be loaded. Gives the real function; NULL where there is
/// none, which `dlopen` then returns.
unsafe extern "C" fn look_at(flags: c_int) -> *const c_void {
    if flags & sys::RTLD_DEEPBIND != 0 {
        session::note_unseen_library();
    }
    // SAFETY: only its address is used, by the assembly, which jumps to it as what it is.
    unsafe { DLOPEN.get::<*const c_void>() }.unwrap_or(core::ptr::null())
}

/// Stands in for the function of this name.
///
/// # Safety
/// As the real function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dlclose(handle: *mut c_void) -> c_int {
    // Before, as another thread may load another library to the same place as soon as this one has gone;
    // and after, as its destructors were still there.
    let change = unwind::new_generation();
    // SAFETY: the type is the C library's; the arguments are the caller's.
    let result = unsafe {
        DLCLOSE.get::<unsafe extern "C" fn(*mut c_void) -> c_int>().map_or(-1, |f| f(handle))
    };
    // Most calls only give up one of several claims to a module that stays.
    let unloaded = unloaded();
    if UNLOADED.swap(unloaded, AcqRel) != unloaded {
        unwind::new_generation();
    } else {
        unwind::return_to(change);
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
