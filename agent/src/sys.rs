//! The C library's functions that the agent calls, all of them while it starts (or starts again
//! in a forked child), except `abort` and `__errno_location`.

use core::ffi::{c_char, c_int, c_long, c_ulong, c_void};

use crate::weak::weak;

pub(crate) const RLIMIT_DATA: c_int = 2;
pub(crate) const RLIMIT_AS: c_int = 9;
pub(crate) const O_RDONLY: c_int = 0;
pub(crate) const O_RDWR: c_int = 2;
pub(crate) const O_NOCTTY: c_int = 0o400;
pub(crate) const O_NONBLOCK: c_int = 0o4000;
pub(crate) const SEEK_END: c_int = 2;
pub(crate) const AF_UNIX: u16 = 1;
pub(crate) const SOCK_STREAM_CLOEXEC: c_int = 1 | 0o2000000;
pub(crate) const SOL_SOCKET: c_int = 1;
pub(crate) const SO_RCVTIMEO: c_int = 20;
pub(crate) const SO_SNDTIMEO: c_int = 21;
pub(crate) const SCM_RIGHTS: c_int = 1;
pub(crate) const MSG_NOSIGNAL: c_int = 0x4000;
pub(crate) const MSG_CMSG_CLOEXEC: c_int = 0x4000_0000;
pub(crate) const SYS_EXECVE: c_long = 59;
pub(crate) const SYS_EXECVEAT: c_long = 322;
pub(crate) const ENOENT: c_int = 2;
pub(crate) const EACCES: c_int = 13;
pub(crate) const ENOTDIR: c_int = 20;
pub(crate) const ENOSYS: c_int = 38;
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
pub(crate) const AT_EXECFN: c_ulong = 31;
pub(crate) const RTLD_DEEPBIND: c_int = 8;
pub(crate) const ENOMEM: c_int = 12;
pub(crate) const EINVAL: c_int = 22;

/// `Dl_info` of `<dlfcn.h>`.
#[derive(Default)]
#[repr(C)]
pub(crate) struct DlInfo([usize; 4]);

impl DlInfo {
    /// The name of the file, as the loader was told it.
    ///
    /// # Safety
    /// Filled in by `dladdr1`, about a module that stays.
    pub(crate) unsafe fn file(&self) -> &'static [u8] {
        let name = self.0[0] as *const c_char;
        if name.is_null() {
            return &[];
        }
        // SAFETY: the loader's own text.
        unsafe { core::ffi::CStr::from_ptr(name).to_bytes() }
    }
}

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
    static mut environ: *const *const c_char;
    pub(crate) fn open(path: *const c_char, flags: c_int, ...) -> c_int;
    pub(crate) fn close(fd: c_int) -> c_int;
    pub(crate) fn read(fd: c_int, to: *mut c_void, room: usize) -> isize;
    pub(crate) fn getrlimit(which: c_int, limit: *mut c_void) -> c_int;
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
    pub(crate) fn lseek(fd: c_int, offset: i64, whence: c_int) -> i64;
    pub(crate) fn socket(family: c_int, kind: c_int, protocol: c_int) -> c_int;
    pub(crate) fn setsockopt(
        fd: c_int,
        level: c_int,
        option: c_int,
        value: *const c_void,
        length: u32,
    ) -> c_int;
    pub(crate) fn connect(fd: c_int, to: *const SocketAddress, length: u32) -> c_int;
    pub(crate) fn send(fd: c_int, from: *const c_void, length: usize, flags: c_int) -> isize;
    pub(crate) fn recvmsg(fd: c_int, message: *mut Message, flags: c_int) -> isize;
}

pub(crate) type DlAddr1 =
    unsafe extern "C" fn(*const c_void, *mut DlInfo, *mut *const ElfSymbol, c_int) -> c_int;

weak!("dladdr1", unfreed_agent_dladdr1: Option<DlAddr1>);

/// glibc's `dladdr1`.
pub(crate) fn dladdr1() -> Option<DlAddr1> {
    // SAFETY: filled in by the loader before any code of ours runs.
    unsafe { (&raw const unfreed_agent_dladdr1).read_volatile() }
}

/// The environment of this process as it is now.
pub(crate) fn environment() -> *const *const c_char {
    // SAFETY: the C library's own variable; who changes it meanwhile races with every reader of it.
    unsafe { (&raw const environ).read() }
}

/// Makes it another.
pub(crate) fn set_environment(environment: *const *const c_char) {
    // SAFETY: as above; the caller knows of no other thread.
    unsafe { (&raw mut environ).write(environment) };
}

/// This thread's `errno`.
pub(crate) fn errno() -> c_int {
    // SAFETY: the C library gives this thread's own.
    unsafe { *__errno_location() }
}

/// Sets it.
pub(crate) fn set_errno(value: c_int) {
    // SAFETY: as above.
    unsafe { *__errno_location() = value };
}

/// `struct sockaddr_un`.
#[repr(C)]
pub(crate) struct SocketAddress {
    pub(crate) family: u16,
    pub(crate) path: [u8; 108],
}

/// `struct iovec`.
#[repr(C)]
pub(crate) struct Piece {
    pub(crate) start: *mut c_void,
    pub(crate) length: usize,
}

/// `struct msghdr`.
#[repr(C)]
pub(crate) struct Message {
    pub(crate) name: *mut c_void,
    pub(crate) name_length: u32,
    pub(crate) pieces: *mut Piece,
    pub(crate) piece_count: usize,
    pub(crate) control: *mut c_void,
    pub(crate) control_length: usize,
    pub(crate) flags: c_int,
}

/// `struct cmsghdr` with one descriptor in it.
#[repr(C)]
pub(crate) struct Handed {
    pub(crate) length: usize,
    pub(crate) level: c_int,
    pub(crate) kind: c_int,
    pub(crate) fd: c_int,
}

/// `struct stat`, of which only this much is looked at.
#[repr(C)]
pub(crate) struct FileAbout {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    links: u64,
    pub(crate) mode: u32,
    pub(crate) owner: u32,
    group: u32,
    padding: u32,
    special: u64,
    pub(crate) bytes: i64,
    rest: [u64; 11],
}

const _: () = assert!(size_of::<FileAbout>() == 144);

/// `MAP_FAILED`.
pub(crate) fn map_failed(address: *mut c_void) -> bool {
    address as isize == -1
}
