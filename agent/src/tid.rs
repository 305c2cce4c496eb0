//! Thread ids, without asking the kernel each time.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::sys;
use crate::unwind::{is_musl, pointer, thread_pointer};

/// Offset of the thread id in the C library's thread control block, if it was found to be there.
static TID_OFFSET: AtomicU32 = AtomicU32::new(0);

/// glibc's `struct pthread.tid` on x86-64, for as long as anybody remembers.
const GLIBC_TID_OFFSET: u32 = 0x2d0;

/// musl's: since 1.2.1, and before.
const MUSL_TID_OFFSETS: [u32; 2] = [0x30, 0x38];

/// Checks that the thread id lies where we think, so that it can be known without asking the
/// kernel each time.
pub(crate) fn find_thread_id() {
    let offsets = if is_musl() { &MUSL_TID_OFFSETS[..] } else { &[GLIBC_TID_OFFSET] };
    // SAFETY: gettid has no effect; the offsets lie inside the C library's control block.
    let found = unsafe {
        let asked = sys::syscall(sys::SYS_GETTID) as u32;
        offsets.iter().find(|offset| *pointer::<u32>(thread_pointer() + **offset as u64) == asked)
    };
    if let Some(offset) = found {
        TID_OFFSET.store(*offset, Relaxed);
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
