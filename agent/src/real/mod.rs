//! The real allocator functions: those that come after ours in the program's search order.
//!
//! They are looked up at the first call, which the loader makes long before any constructor
//! runs. The look-up may itself allocate; such requests are served from a small arena that is
//! never freed. The C++ functions are looked up again while missing, since a C program may load
//! a C++ plug-in later.

use core::ffi::{CStr, c_void};
use core::mem::transmute_copy;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering::*};

use crate::sys;

mod arena;
mod c;
pub(crate) mod cxx;

pub(crate) use arena::{arena_alloc, arena_size, in_arena};
pub(crate) use c::{
    aligned_alloc, calloc, complete, free, malloc, memalign, posix_memalign, pvalloc, realloc,
    set_errno, valloc,
};

/// A function looked up by name.
pub(crate) struct Real {
    name: &'static CStr,
    address: AtomicPtr<c_void>,
    bytes: AtomicUsize,
}

impl Real {
    pub(crate) const fn new(name: &'static CStr) -> Real {
        Real { name, address: AtomicPtr::new(null_mut()), bytes: AtomicUsize::new(0) }
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
        self.remember(address);
        Some(address)
    }

    fn remember(&self, address: *mut c_void) {
        self.bytes.store(size_of_function(address), Relaxed);
        self.address.store(address, Relaxed);
    }

    /// Whether an address lies in the function's code.
    #[inline(always)]
    pub(crate) fn contains(&self, address: u64) -> bool {
        let start = self.address.load(Relaxed) as u64;
        start != 0 && address.wrapping_sub(start) < self.bytes.load(Relaxed) as u64
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
                        self.remember(address);
                        return address;
                    }
                }
                null_mut()
            })
            .filter(|address| !address.is_null())
    }
}

/// How long a function is by the symbol table; a guess that covers any operator where that is mute.
fn size_of_function(address: *mut c_void) -> usize {
    const GUESS: usize = 128;
    let mut about = sys::DlInfo::default();
    let mut symbol: *const sys::ElfSymbol = core::ptr::null();
    // SAFETY: both answers have room; the symbol, where there is one, is the loader's.
    unsafe {
        let found = sys::dladdr1(address, &mut about, &mut symbol, sys::RTLD_DL_SYMENT);
        if found == 0 || symbol.is_null() || (*symbol).size == 0 {
            return GUESS;
        }
        (*symbol).size as usize
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
