//! The loader's list of modules as `<link.h>` has it: `dl_iterate_phdr`, which takes its lock.

use core::ffi::{c_char, c_int, c_void};

/// `struct dl_phdr_info`.
#[repr(C)]
pub(crate) struct Listed {
    pub(crate) load_bias: u64,
    name: *const c_char,
    pub(crate) headers: *const ProgramHeader,
    pub(crate) header_count: u16,
    loaded: u64,
    pub(crate) unloaded: u64,
}

/// `Elf64_Phdr`.
#[repr(C)]
pub(crate) struct ProgramHeader {
    pub(crate) kind: u32,
    pub(crate) flags: u32,
    offset: u64,
    pub(crate) address: u64,
    physical: u64,
    file_bytes: u64,
    pub(crate) memory_bytes: u64,
    alignment: u64,
}

unsafe extern "C" {
    pub(crate) fn dl_iterate_phdr(
        each: unsafe extern "C" fn(*const Listed, usize, *mut c_void) -> c_int,
        data: *mut c_void,
    ) -> c_int;
}
