//! What stands for an `operator new` that the program did not have when it started: a C program that
//! loaded a C++ plug-in, whose run-time library the loader shows to nobody else. The plug-in's calls
//! come to us all the same, its news and its deletes, so that any allocator will do.
//!
//! Only where there is no memory the run-time library is looked for, since only it can throw. That
//! takes the loader's lock, which is why it is not done for every such call.

use core::ffi::c_void;
use core::ptr::null_mut;

use crate::sys;

/// As the stand-ins are numbered, from this one on they take an alignment; of every four, the last
/// two give NULL instead of throwing.
const ALIGNED: usize = 4;

/// The function to call for the stand-in with this index.
pub(super) fn own_new(index: usize) -> *const c_void {
    let throws = index % 4 < 2;
    match (index >= ALIGNED, throws) {
        (false, true) => plain_or_throw as *const c_void,
        (false, false) => plain as *const c_void,
        (true, true) => aligned_or_throw as *const c_void,
        (true, false) => aligned as *const c_void,
    }
}

unsafe extern "C" fn plain(size: usize) -> *mut u8 {
    // SAFETY: plain allocation, recorded as such.
    unsafe { super::c::malloc(size.max(1)) }
}

unsafe extern "C" fn aligned(size: usize, alignment: usize) -> *mut u8 {
    let Some(whole) = size.max(1).checked_next_multiple_of(alignment) else { return null_mut() };
    // SAFETY: as above; C wants the size to be a multiple of the alignment.
    unsafe { super::c::aligned_alloc(alignment, whole) }
}

macro_rules! or_throw {
    ($name:ident, $allocate:path, $find:path) => {
        /// Allocates; where there is nothing to give, becomes the real function, which throws.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(_: usize, _: usize) -> *mut u8 {
            core::arch::naked_asm!(
                ".cfi_startproc",
                "push rdi", ".cfi_adjust_cfa_offset 8",
                "push rsi", ".cfi_adjust_cfa_offset 8",
                "sub rsp, 8", ".cfi_adjust_cfa_offset 8",
                "call {allocate}",
                "test rax, rax",
                "jne 2f",
                "call {find}",
                "add rsp, 8", ".cfi_adjust_cfa_offset -8",
                "pop rsi", ".cfi_adjust_cfa_offset -8",
                "pop rdi", ".cfi_adjust_cfa_offset -8",
                "jmp rax",
                "2:",
                ".cfi_adjust_cfa_offset 24",
                "add rsp, 24", ".cfi_adjust_cfa_offset -24",
                "ret",
                ".cfi_endproc",
                allocate = sym $allocate,
                find = sym $find,
            )
        }
    };
}

or_throw!(plain_or_throw, plain, find_plain);
or_throw!(aligned_or_throw, aligned, find_aligned);

unsafe extern "C" fn find_plain() -> *const c_void {
    find(c"_Znwm")
}

unsafe extern "C" fn find_aligned() -> *const c_void {
    find(c"_ZnwmSt11align_val_t")
}

#[cold]
fn find(name: &core::ffi::CStr) -> *const c_void {
    for library in [c"libstdc++.so.6", c"libc++.so.1", c"libc++abi.so.1"] {
        // SAFETY: both names end with 0; NOLOAD only finds what is there already.
        let found = unsafe {
            let handle = sys::dlopen(library.as_ptr(), sys::RTLD_LAZY_NOLOAD);
            if handle.is_null() { null_mut() } else { sys::dlsym(handle, name.as_ptr()) }
        };
        if !found.is_null() {
            return found;
        }
    }
    // Nobody can throw what nobody knows: end, as an exception that nobody catches would.
    sys::abort as *const c_void
}
