//! The clock that orders events between threads.

use core::arch::x86_64::__rdtscp;

/// The time stamp counter, read after everything before it has happened.
#[inline(always)]
pub(crate) fn stamp() -> u64 {
    let mut processor = 0u32;
    // SAFETY: every x86-64 processor with an invariant counter has rdtscp; the collector checks.
    unsafe { __rdtscp(&mut processor) }
}
