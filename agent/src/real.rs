//! The real allocator functions: those that come after ours in the program's search order.
//!
//! They are looked up at the first call, which the loader makes long before any constructor
//! runs. The look-up may itself allocate; such requests are served from a small arena that is
//! never freed. The C++ functions are looked up again while missing, since a C program may load
//! a C++ plug-in later.

use core::ffi::{CStr, c_int, c_void};
use core::mem::transmute_copy;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering::*};

use crate::sys;

/// A function looked up by name.
pub(crate) struct Real {
    name: &'static CStr,
    address: AtomicPtr<c_void>,
}

impl Real {
    pub(crate) const fn new(name: &'static CStr) -> Real {
        Real { name, address: AtomicPtr::new(null_mut()) }
    }

    /// The function, looked up if need be; `None` where the program has none.
    ///
    /// # Safety
    /// `F` is a function pointer type of the C function's true signature.
    #[inline(always)]
    pub(crate) unsafe fn get<F: Copy>(&self) -> Option<F> {
        const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
        let mut address = self.address.load(Relaxed);
        if address.is_null() {
            address = self.look_up()?;
        }
        // SAFETY: not null, and of type F by this function's own contract.
        Some(unsafe { transmute_copy(&address) })
    }

    /// The address, without looking it up.
    #[inline(always)]
    pub(crate) fn known(&self) -> bool {
        !self.address.load(Relaxed).is_null()
    }

    #[cold]
    #[inline(never)]
    fn look_up(&self) -> Option<*mut c_void> {
        // SAFETY: the name ends with 0. A thread that looks up already is served by the arena.
        let address =
            LOOKING_UP.during(|| unsafe { sys::dlsym(sys::RTLD_NEXT, self.name.as_ptr()) })?;
        if address.is_null() {
            return None;
        }
        self.address.store(address, Relaxed);
        Some(address)
    }

    /// Looks the function up in the C++ run-time library, which a plug-in may have brought along
    /// where the global search order does not see it.
    #[cold]
    #[inline(never)]
    pub(crate) fn look_up_in_cxx_runtime(&self) -> Option<*mut c_void> {
        LOOKING_UP
            .during(|| {
                for library in [c"libstdc++.so.6", c"libc++.so.1", c"libc++abi.so.1"] {
                    // SAFETY: both names end with 0; NOLOAD only finds what is there already.
                    let address = unsafe {
                        let handle = sys::dlopen(library.as_ptr(), sys::RTLD_LAZY_NOLOAD);
                        if handle.is_null() {
                            continue;
                        }
                        sys::dlsym(handle, self.name.as_ptr())
                    };
                    if !address.is_null() {
                        self.address.store(address, Relaxed);
                        return address;
                    }
                }
                null_mut()
            })
            .filter(|address| !address.is_null())
    }
}

/// Which thread is looking something up, so that its own allocations meanwhile go to the arena.
struct LookingUp {
    thread: AtomicUsize,
    depth: AtomicU32,
}

static LOOKING_UP: LookingUp = LookingUp { thread: AtomicUsize::new(0), depth: AtomicU32::new(0) };

impl LookingUp {
    /// Runs `look_up`, or gives `None` where this thread is in one already.
    fn during(&self, look_up: impl FnOnce() -> *mut c_void) -> Option<*mut c_void> {
        let me = crate::thread::this_thread() as usize;
        if self.thread.load(Acquire) == me {
            return None;
        }
        // Several threads may look up at once and all find the same; only one of them is
        // remembered, which is enough: the first look-ups happen before a second thread exists.
        let first = self.thread.compare_exchange(0, me, AcqRel, Relaxed).is_ok();
        self.depth.fetch_add(1, Relaxed);
        let found = look_up();
        self.depth.fetch_sub(1, Relaxed);
        if first {
            self.thread.store(0, Release);
        }
        Some(found)
    }
}

const ARENA_BYTES: usize = 64 << 10;

#[repr(C, align(64))]
struct Arena(core::cell::UnsafeCell<[u8; ARENA_BYTES]>);

// SAFETY: handed out in disjoint pieces by an atomic counter.
unsafe impl Sync for Arena {}

static ARENA: Arena = Arena(core::cell::UnsafeCell::new([0; ARENA_BYTES]));
static ARENA_USED: AtomicUsize = AtomicUsize::new(0);

/// A zeroed block from the arena, preceded by its size; null when the arena is used up.
#[cold]
pub(crate) fn arena_alloc(size: usize) -> *mut u8 {
    let whole = size.saturating_add(16).next_multiple_of(16);
    if whole > ARENA_BYTES {
        return null_mut();
    }
    let at = ARENA_USED.fetch_add(whole, Relaxed);
    if at + whole > ARENA_BYTES {
        return null_mut();
    }
    // SAFETY: within the arena, and this piece is nobody else's.
    unsafe {
        let block = ARENA.0.get().cast::<u8>().add(at);
        block.cast::<usize>().write(size);
        block.add(16)
    }
}

/// Whether a block is the arena's.
#[inline(always)]
pub(crate) fn in_arena(block: *mut u8) -> bool {
    (block as usize).wrapping_sub(ARENA.0.get() as usize) < ARENA_BYTES
}

/// The size of an arena block.
///
/// # Safety
/// `block` came from [`arena_alloc`].
pub(crate) unsafe fn arena_size(block: *mut u8) -> usize {
    // SAFETY: the size lies before it.
    unsafe { block.sub(16).cast::<usize>().read() }
}

type Malloc = unsafe extern "C" fn(usize) -> *mut u8;
type Calloc = unsafe extern "C" fn(usize, usize) -> *mut u8;
type ReallocFn = unsafe extern "C" fn(*mut u8, usize) -> *mut u8;
type FreeFn = unsafe extern "C" fn(*mut u8);
type Aligned = unsafe extern "C" fn(usize, usize) -> *mut u8;
type PosixMemalign = unsafe extern "C" fn(*mut *mut u8, usize, usize) -> c_int;

static MALLOC: Real = Real::new(c"malloc");
static CALLOC: Real = Real::new(c"calloc");
static REALLOC: Real = Real::new(c"realloc");
static FREE: Real = Real::new(c"free");
static POSIX_MEMALIGN: Real = Real::new(c"posix_memalign");
static ALIGNED_ALLOC: Real = Real::new(c"aligned_alloc");
static MEMALIGN: Real = Real::new(c"memalign");
static VALLOC: Real = Real::new(c"valloc");
static PVALLOC: Real = Real::new(c"pvalloc");

/// Whether the functions that every program needs are there.
pub(crate) fn complete() -> bool {
    // SAFETY: the types are those of the C standard.
    unsafe {
        MALLOC.get::<Malloc>().is_some()
            && CALLOC.get::<Calloc>().is_some()
            && REALLOC.get::<ReallocFn>().is_some()
            && FREE.get::<FreeFn>().is_some()
            && MALLOC.known()
    }
}

/// The real `malloc`; the arena while it is being looked up.
///
/// # Safety
/// As in C; so for all functions below.
#[inline(always)]
pub(crate) unsafe fn malloc(size: usize) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe { MALLOC.get::<Malloc>().map_or_else(|| arena_alloc(size), |f| f(size)) }
}

/// # Safety
/// As in C.
#[inline(always)]
pub(crate) unsafe fn calloc(count: usize, size: usize) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe {
        CALLOC
            .get::<Calloc>()
            .map_or_else(|| arena_alloc(count.saturating_mul(size)), |f| f(count, size))
    }
}

/// # Safety
/// As in C.
#[inline(always)]
pub(crate) unsafe fn realloc(block: *mut u8, size: usize) -> *mut u8 {
    // SAFETY: the caller's; a block of the arena is copied out of it, since the real function
    // does not know it.
    unsafe {
        if !block.is_null() && in_arena(block) {
            let new = malloc(size);
            if !new.is_null() {
                core::ptr::copy_nonoverlapping(block, new, arena_size(block).min(size));
            }
            return new;
        }
        match REALLOC.get::<ReallocFn>() {
            Some(f) => f(block, size),
            None => arena_alloc(size),
        }
    }
}

/// # Safety
/// As in C.
#[inline(always)]
pub(crate) unsafe fn free(block: *mut u8) {
    // SAFETY: the caller's.
    unsafe {
        if let Some(f) = FREE.get::<FreeFn>() {
            f(block);
        }
    }
}

/// # Safety
/// As in POSIX.
pub(crate) unsafe fn posix_memalign(out: *mut *mut u8, alignment: usize, size: usize) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        POSIX_MEMALIGN.get::<PosixMemalign>().map_or(sys::ENOMEM, |f| f(out, alignment, size))
    }
}

/// # Safety
/// As in C.
pub(crate) unsafe fn aligned_alloc(alignment: usize, size: usize) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe { ALIGNED_ALLOC.get::<Aligned>().map_or(null_mut(), |f| f(alignment, size)) }
}

/// # Safety
/// As glibc documents it.
pub(crate) unsafe fn memalign(alignment: usize, size: usize) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe { MEMALIGN.get::<Aligned>().map_or(null_mut(), |f| f(alignment, size)) }
}

/// # Safety
/// As glibc documents it.
pub(crate) unsafe fn valloc(size: usize) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe { VALLOC.get::<Malloc>().map_or(null_mut(), |f| f(size)) }
}

/// # Safety
/// As glibc documents it.
pub(crate) unsafe fn pvalloc(size: usize) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe { PVALLOC.get::<Malloc>().map_or(null_mut(), |f| f(size)) }
}

/// Sets `errno`.
pub(crate) fn set_errno(value: c_int) {
    // SAFETY: the C library gives this thread's own.
    unsafe { *sys::__errno_location() = value };
}
