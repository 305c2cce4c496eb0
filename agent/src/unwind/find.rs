//! Asking the loader which module an address lies in, without a lock.

use core::ffi::{CStr, c_char, c_int, c_void};

use super::memory::pointer;

/// glibc's `struct dl_find_object` (`<dlfcn.h>`, since 2.35).
#[repr(C)]
struct DlFindObject {
    flags: u64,
    map_start: *mut c_void,
    map_end: *mut c_void,
    link_map: *const LinkMap,
    eh_frame: *mut c_void,
    reserved: [u64; 7],
}

/// The public beginning of glibc's `struct link_map` (`<link.h>`).
#[repr(C)]
struct LinkMap {
    load_bias: u64,
    name: *const c_char,
}

type FindObject = unsafe extern "C" fn(*mut c_void, *mut DlFindObject) -> c_int;

// Weak: a C library without it must still be able to load us, so that we can say so.
core::arch::global_asm!(
    ".weak _dl_find_object",
    ".section .data.rel.unfreed_agent_find_object,\"aw\"",
    ".balign 8",
    ".hidden unfreed_agent_find_object",
    ".globl unfreed_agent_find_object",
    "unfreed_agent_find_object: .quad _dl_find_object",
    ".text",
);

unsafe extern "C" {
    static unfreed_agent_find_object: Option<FindObject>;
}

/// A module, as the loader knows it.
#[derive(Clone, Copy, Debug)]
pub struct Object {
    /// First address of the mapping.
    pub start: u64,
    /// First address after it.
    pub end: u64,
    /// What the loader added to the file's addresses.
    pub load_bias: u64,
    /// Its `.eh_frame_hdr`, or 0.
    pub eh_frame_header: u64,
    name: *const c_char,
}

impl Object {
    /// The path it was loaded from; empty for the program itself.
    pub fn name(&self) -> &[u8] {
        if self.name.is_null() {
            return &[];
        }
        // SAFETY: the loader's own string, which lives as long as the module is loaded; it is, as
        // one of its functions is running.
        unsafe { CStr::from_ptr(self.name) }.to_bytes()
    }
}

/// Whether the C library can be asked at all.
pub fn usable() -> bool {
    // SAFETY: filled in by the loader before any code of ours runs.
    unsafe { (&raw const unfreed_agent_find_object).read_volatile().is_some() }
}

/// The module that holds this address, if any.
pub fn find_object(address: u64) -> Option<Object> {
    let mut found = DlFindObject {
        flags: 0,
        map_start: core::ptr::null_mut(),
        map_end: core::ptr::null_mut(),
        link_map: core::ptr::null(),
        eh_frame: core::ptr::null_mut(),
        reserved: [0; 7],
    };
    // SAFETY: any address may be asked for; the loader fills in the structure.
    unsafe {
        let find = (&raw const unfreed_agent_find_object).read_volatile()?;
        if find(pointer(address), &mut found) != 0 || found.link_map.is_null() {
            return None;
        }
        let map = &*found.link_map;
        Some(Object {
            start: found.map_start as u64,
            end: found.map_end as u64,
            load_bias: map.load_bias,
            eh_frame_header: found.eh_frame as u64,
            name: map.name,
        })
    }
}
