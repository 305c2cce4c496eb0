//! Asking which module an address lies in, without a lock and without allocating. How depends on
//! the C library, which is known only when the loader has loaded us: one agent serves both.

use core::ffi::{CStr, c_char};

use super::code::Code;

mod glibc;
mod musl;

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

/// Learns how modules are found here. To be called once, while the program starts and whoever
/// calls cannot hold the loader's lock. `ends`: where the C library's `exit` and `pthread_exit` are.
pub fn prepare(ends: [u64; 2]) {
    if glibc::function().is_none() {
        musl::prepare(ends);
    }
}

/// Whether the C library is musl, and its modules can be found.
pub fn is_musl() -> bool {
    musl::is_usable()
}

/// Whether modules can be found at all.
pub fn usable() -> bool {
    glibc::function().is_some() || musl::is_usable()
}

/// The code that holds this address, of a module whose functions may have no unwind tables.
pub(super) fn find_code(address: u64) -> Option<Code> {
    if is_musl() { musl::find_code(address) } else { None }
}

/// The module that holds this address, if any.
pub fn find_object(address: u64) -> Option<Object> {
    match glibc::function() {
        Some(function) => glibc::find(function, address),
        None => musl::find(address),
    }
}
