//! The library that unfreed preloads into a traced process.
//!
//! It stands in for the allocator functions, calls the real ones, and writes what happened as
//! plain numbers into shared memory. After it has started it makes no system call that the
//! program would not have made, takes no lock, starts no thread and never allocates; where it
//! cannot record, it counts what it did not record. Names, versions and verdicts are found
//! elsewhere. Order of reading: `interpose`, `record`, `unwind`.
#![no_std]
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod listing;
pub mod tally;
pub mod unwind;
mod weak;
pub mod young;

// Everything else only makes sense in the preloaded library.
#[cfg(feature = "preload")]
mod claim;
#[cfg(feature = "preload")]
mod clock;
#[cfg(feature = "preload")]
mod define;
#[cfg(feature = "preload")]
mod interpose;
#[cfg(feature = "preload")]
mod limit;
#[cfg(feature = "preload")]
mod real;
#[cfg(feature = "preload")]
mod record;
#[cfg(feature = "preload")]
mod ring;
#[cfg(feature = "preload")]
mod sample;
#[cfg(feature = "preload")]
mod session;
#[cfg(feature = "preload")]
mod start;
#[cfg(feature = "preload")]
mod sys;
#[cfg(feature = "preload")]
mod thread;
#[cfg(feature = "preload")]
mod tid;
#[cfg(feature = "preload")]
mod transport;

#[cfg(feature = "preload")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: abort takes nothing and does not return. No code here panics by design; should it
    // ever, ending is better than unwinding through a stranger's frames.
    unsafe { sys::abort() }
}

// The compiler's own `core` is built with unwinding and refers to this; nothing here ever unwinds.
#[cfg(feature = "preload")]
core::arch::global_asm!(
    ".hidden rust_eh_personality",
    ".globl rust_eh_personality",
    "rust_eh_personality: ud2",
);
