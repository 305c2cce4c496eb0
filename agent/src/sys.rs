//! The C library's functions that the agent calls, all of them while it starts (or starts again
//! in a forked child), except `abort` and `__errno_location`.

use core::ffi::{c_char, c_int, c_long, c_ulong, c_void};

use crate::weak::weak;

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
pub(crate) const AT_RANDOM: c_ulong = 25;
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

unsafe extern "C" {
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
    pub(crate) fn getauxval(kind: c_ulong) -> c_ulong;
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

type DlAddr1 =
    unsafe extern "C" fn(*const c_void, *mut DlInfo, *mut *const ElfSymbol, c_int) -> c_int;

weak!("dladdr1", unfreed_agent_dladdr1: Option<DlAddr1>);
weak!("__environ", unfreed_agent_environ: *const *const *const c_char);

/// glibc's `dladdr1`.
pub(crate) fn dladdr1() -> Option<DlAddr1> {
    // SAFETY: filled in by the loader before any code of ours runs.
    unsafe { (&raw const unfreed_agent_dladdr1).read_volatile() }
}

/// The environment as the C library knows it; null where it does not yet.
pub(crate) fn environment() -> *const *const c_char {
    // SAFETY: filled in by the loader; the C library's own variable.
    unsafe {
        let environment = (&raw const unfreed_agent_environ).read_volatile();
        if environment.is_null() { core::ptr::null() } else { *environment }
    }
}

/// `MAP_FAILED`.
pub(crate) fn map_failed(address: *mut c_void) -> bool {
    address as isize == -1
}
