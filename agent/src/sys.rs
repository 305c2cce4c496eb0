//! The C library's functions that the agent calls, all of them while it starts (or starts again
//! in a forked child), except `abort` and `__errno_location`.

use core::ffi::{c_char, c_int, c_long, c_void};

pub(crate) const O_RDWR: c_int = 2;
pub(crate) const O_CLOEXEC: c_int = 0o2000000;
pub(crate) const PROT_READ_WRITE: c_int = 1 | 2;
pub(crate) const MAP_SHARED: c_int = 1;
pub(crate) const MAP_PRIVATE_ANONYMOUS: c_int = 2 | 0x20;
pub(crate) const MAP_NORESERVE: c_int = 0x4000;
pub(crate) const MADV_WIPEONFORK: c_int = 18;
pub(crate) const MADV_DONTDUMP: c_int = 16;
pub(crate) const SYS_GETTID: c_long = 186;
pub(crate) const SYS_MEMBARRIER: c_long = 324;
pub(crate) const MEMBARRIER_REGISTER_GLOBAL_EXPEDITED: c_int = 1 << 2;
pub(crate) const RTLD_NEXT: *mut c_void = -1isize as *mut c_void;
pub(crate) const RTLD_DEFAULT: *mut c_void = core::ptr::null_mut();
pub(crate) const RTLD_LAZY_NOLOAD: c_int = 1 | 4;
pub(crate) const RTLD_DL_SYMENT: c_int = 1;
pub(crate) const RTLD_DEEPBIND: c_int = 8;
pub(crate) const ENOMEM: c_int = 12;
pub(crate) const EINVAL: c_int = 22;

/// `Dl_info` of `<dlfcn.h>`.
#[derive(Default)]
#[repr(C)]
pub(crate) struct DlInfo([usize; 4]);

/// `Elf64_Sym`.
#[repr(C)]
pub(crate) struct ElfSymbol {
    name: u32,
    info: u8,
    other: u8,
    section: u16,
    value: u64,
    pub(crate) size: u64,
}

/// The beginning of `struct dl_phdr_info` of `<link.h>`.
#[repr(C)]
pub(crate) struct DlPhdrInfo {
    load_bias: u64,
    name: *const c_char,
    headers: *const c_void,
    header_count: u16,
    loaded: u64,
    pub(crate) unloaded: u64,
}

unsafe extern "C" {
    pub(crate) fn dl_iterate_phdr(
        each: unsafe extern "C" fn(*const DlPhdrInfo, usize, *mut c_void) -> c_int,
        data: *mut c_void,
    ) -> c_int;
    pub(crate) fn dladdr1(
        address: *const c_void,
        about: *mut DlInfo,
        symbol: *mut *const ElfSymbol,
        flags: c_int,
    ) -> c_int;
    pub(crate) fn abort() -> !;
    pub(crate) fn open(path: *const c_char, flags: c_int, ...) -> c_int;
    pub(crate) fn close(fd: c_int) -> c_int;
    pub(crate) fn readlink(path: *const c_char, to: *mut c_char, room: usize) -> isize;
    pub(crate) fn mmap(
        at: *mut c_void,
        length: usize,
        protection: c_int,
        flags: c_int,
        fd: c_int,
        offset: c_long,
    ) -> *mut c_void;
    pub(crate) fn munmap(at: *mut c_void, length: usize) -> c_int;
    pub(crate) fn madvise(at: *mut c_void, length: usize, advice: c_int) -> c_int;
    pub(crate) fn getpid() -> c_int;
    pub(crate) fn syscall(number: c_long, ...) -> c_long;
    pub(crate) fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    pub(crate) fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void;
    pub(crate) fn __errno_location() -> *mut c_int;
    pub(crate) fn pthread_key_create(
        key: *mut u32,
        destructor: Option<unsafe extern "C" fn(*mut c_void)>,
    ) -> c_int;
    pub(crate) fn pthread_setspecific(key: u32, value: *const c_void) -> c_int;
}

/// `MAP_FAILED`.
pub(crate) fn map_failed(address: *mut c_void) -> bool {
    address as isize == -1
}
