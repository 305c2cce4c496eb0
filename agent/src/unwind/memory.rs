//! Where a thread's stack ends, and pointers from what was read from it.

use core::arch::asm;
use core::ptr::with_exposed_provenance_mut;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The highest address of the first thread's stack; 0 where the C library does not tell.
pub static FIRST_STACK_END: AtomicU64 = AtomicU64::new(0);

/// The first address beyond a stack.
#[derive(Clone, Copy)]
pub(super) struct StackEndAddress(pub(super) u64);

impl StackEndAddress {
    /// The end of the stack that this thread's stack pointer points into. Threads made by the C
    /// library have their control block above their stack; the first thread's stack lies above
    /// its control block and ends where the program's arguments are.
    #[inline(always)]
    pub(super) fn of(sp: u64) -> StackEndAddress {
        let pointer = thread_pointer();
        StackEndAddress(if sp < pointer { pointer } else { FIRST_STACK_END.load(Relaxed) })
    }
}

/// The thread pointer.
#[inline(always)]
pub fn thread_pointer() -> u64 {
    let pointer: u64;
    // SAFETY: the x86-64 ABI keeps the thread pointer at its own address.
    unsafe {
        asm!(
            "mov {0}, qword ptr fs:[0]",
            out(reg) pointer,
            options(nostack, pure, readonly, preserves_flags)
        );
    }
    pointer
}

/// A pointer from an address that was read as a number.
#[inline(always)]
pub fn pointer<T>(address: u64) -> *mut T {
    with_exposed_provenance_mut(address as usize)
}
