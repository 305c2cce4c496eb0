//! The real allocator functions: those that come after ours in the program's search order.
//!
//! They are looked up while the program starts: at the first call, which the loader makes long
//! before any constructor runs, or at the latest by ours. The look-up may itself allocate; such
//! requests are served from a small arena that is never freed. Afterwards nothing is looked up
//! any more, because that takes the loader's lock, which the caller's caller may hold.

use core::ffi::{CStr, c_void};
use core::mem::transmute_copy;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::*};

use crate::sys;

mod arena;
mod c;
pub(crate) mod cxx;
mod range;

pub(crate) use arena::{arena_alloc, arena_size, in_arena};
pub(crate) use c::{
    aligned_alloc, calloc, calls_itself, free, is_allocator_s, malloc, memalign, posix_memalign,
    prepare, pvalloc, realloc, set_errno, valloc,
};

use range::Range;

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

    /// The function, looked up if need be and still allowed; `None` where the program has none.
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

    /// Looks the function up, while that is allowed, for whoever calls it later.
    pub(crate) fn prepare(&self) {
        if self.address.load(Relaxed).is_null() {
            self.look_up();
        }
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
        self.bytes.store(size_of_function(address), Relaxed);
        self.address.store(address, Relaxed);
        Some(address)
    }

    /// Where it lies; 0 where it is not known.
    fn address(&self) -> u64 {
        self.address.load(Relaxed) as u64
    }

    /// Whether an address lies in the function's code.
    #[inline(always)]
    pub(crate) fn contains(&self, address: u64) -> bool {
        let start = self.address();
        start != 0 && address.wrapping_sub(start) < self.bytes.load(Relaxed) as u64
    }
}

/// How long a function is by the symbol table; a guess that covers any operator where that is mute.
fn size_of_function(address: *mut c_void) -> usize {
    const GUESS: usize = 128;
    let mut about = sys::DlInfo::default();
    let mut symbol: *const sys::ElfSymbol = core::ptr::null();
    let Some(dladdr1) = sys::dladdr1() else { return GUESS };
    // SAFETY: both answers have room; the symbol, where there is one, is the loader's.
    unsafe {
        let found = dladdr1(address, &mut about, &mut symbol, sys::RTLD_DL_SYMENT);
        if found == 0 || symbol.is_null() || (*symbol).size == 0 {
            return GUESS;
        }
        (*symbol).size as usize
    }
}

/// Which thread is looking something up, so that its own allocations meanwhile go to the arena.
struct LookingUp {
    thread: AtomicUsize,
}

/// No thread: nothing is looked up any more.
const OVER: usize = 1;

static LOOKING_UP: LookingUp = LookingUp { thread: AtomicUsize::new(0) };

/// From now on what is not known is not there.
pub(crate) fn end_look_ups() {
    LOOKING_UP.thread.store(OVER, Release);
}

impl LookingUp {
    /// Runs `look_up`, or gives `None` where this thread is in one already.
    fn during(&self, look_up: impl FnOnce() -> *mut c_void) -> Option<*mut c_void> {
        let me = crate::thread::this_thread() as usize;
        let other = self.thread.load(Acquire);
        if other == me || other == OVER {
            return None;
        }
        // Several threads may look up at once and all find the same; only one of them is
        // remembered, which is enough: the first look-ups happen before a second thread exists.
        let first = self.thread.compare_exchange(0, me, AcqRel, Relaxed).is_ok();
        let found = look_up();
        if first {
            self.thread.store(0, Release);
        }
        Some(found)
    }
}
