//! glibc, which can be asked without a lock since 2.35.
//!
//! An older one cannot: its list of modules loses entries in `dlclose`, which unmaps the module and
//! frees the entry at once, and nothing that a reader without the loader's lock can look at tells
//! it in time. So it is refused.

use core::ffi::{c_char, c_int, c_void};

use super::Object;
use crate::unwind::memory::pointer;
use crate::weak::weak;

/// glibc's `struct dl_find_object` (`<dlfcn.h>`, since 2.35).
#[repr(C)]
pub(super) struct DlFindObject {
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

/// The type of `_dl_find_object`.
pub(super) type FindObject = unsafe extern "C" fn(*mut c_void, *mut DlFindObject) -> c_int;

weak!("_dl_find_object", unfreed_agent_find_object: Option<FindObject>);

/// The function, where the C library has it.
#[inline(always)]
pub(super) fn function() -> Option<FindObject> {
    // SAFETY: filled in by the loader before any code of ours runs.
    unsafe { (&raw const unfreed_agent_find_object).read_volatile() }
}

/// The module that holds this address, if any.
pub(super) fn find(find: FindObject, address: u64) -> Option<Object> {
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
