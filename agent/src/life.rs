//! The lives of threads: their ids without asking the kernel, and word when one ends.

use core::ffi::c_void;
use core::ptr::null;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::ring::release;
use crate::session::joined;
use crate::sys;
use crate::thread::this_thread;
use crate::unwind::{pointer, thread_pointer};

/// Offset of the thread id in the C library's thread control block, if it was found to be there.
static TID_OFFSET: AtomicU32 = AtomicU32::new(0);

/// glibc's `struct pthread.tid` on x86-64, for as long as anybody remembers.
const GLIBC_TID_OFFSET: u32 = 0x2d0;

/// Checks that the thread id lies where we think, so that it can be known without asking the
/// kernel each time.
pub(crate) fn find_thread_id() {
    // SAFETY: gettid has no effect; the offset lies inside glibc's control block.
    let (asked, read) = unsafe {
        (
            sys::syscall(sys::SYS_GETTID) as u32,
            *pointer::<u32>(thread_pointer() + GLIBC_TID_OFFSET as u64),
        )
    };
    if asked == read {
        TID_OFFSET.store(GLIBC_TID_OFFSET, Relaxed);
    }
}

/// This thread's id, or 0 where it cannot be known without a system call.
pub(crate) fn thread_id() -> u32 {
    match TID_OFFSET.load(Relaxed) {
        0 => 0,
        // SAFETY: checked in `find_thread_id`.
        offset => unsafe { *pointer::<u32>(thread_pointer() + offset as u64) },
    }
}

static END_KEY: AtomicU32 = AtomicU32::new(u32::MAX);

/// Asks to be told when threads end.
pub(crate) fn find_thread_ends() {
    let mut key = 0;
    // SAFETY: the destructor only touches the ending thread's storage and its writer.
    if unsafe { sys::pthread_key_create(&mut key, Some(thread_ended)) } == 0 {
        END_KEY.store(key, Relaxed);
    }
}

pub(crate) fn watch_thread_end() {
    /// glibc keeps the values of the first 32 keys without allocating.
    const KEYS_IN_PLACE: u32 = 32;
    let key = END_KEY.load(Relaxed);
    if key < KEYS_IN_PLACE {
        // SAFETY: a key of ours; the value is only ever compared with null.
        unsafe { sys::pthread_setspecific(key, null::<u8>().wrapping_add(1).cast()) };
    }
}

unsafe extern "C" fn thread_ended(_: *mut c_void) {
    let thread = this_thread();
    if let Some(session) = joined() {
        // SAFETY: this thread's own storage.
        release(unsafe { &mut *thread }, session);
    }
}
