//! Thread ids, without asking the kernel each time.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::sys;
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
