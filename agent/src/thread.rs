//! What the agent keeps for each thread, and the recursion guard.
//!
//! The storage is initial-exec: it exists from the thread's first instruction and reading it
//! never allocates. Stable Rust has no `#[thread_local]`, so it is declared in assembly.
//!
//! The guard is the stack pointer of the outermost entry, not a flag. While a real function runs, a call
//! made from inside lies deeper (lower) and is let through unrecorded; a call at the same height or
//! higher proves that the earlier entry was left by `longjmp`, and takes over. So does a deeper one
//! that the allocator itself cannot have made. While something is recorded, only a signal handler can
//! call: its stack, which may be any, leads back to what it interrupted. Otherwise the recording
//! was left by a jump.

use core::arch::{asm, global_asm};

use crate::real::is_allocator_s;
use crate::ring::Desk;
use crate::sample::Countdown;
use crate::unwind::{Registers, interrupts, return_address};

/// The state of one thread; all zero when the thread begins.
#[repr(C)]
pub(crate) struct Thread {
    /// Stack pointer of the outermost entry, or 0.
    guard: u64,
    /// Why the guard is set: a [`Wrapping`].
    wrapping: u64,
    /// The writer's index plus one, or 0.
    pub(crate) writer: u32,
    /// The process index plus one that the writer was claimed for: after a fork it differs.
    pub(crate) process: u32,
    /// While an operator runs: the block being deleted, or the last one that was recorded inside.
    pub(crate) block: u64,
    /// What the writer's parts are; holds while `writer` is not 0.
    pub(crate) desk: Desk,
    /// Where only a sample is told: how far it is to the next.
    pub(crate) countdown: Countdown,
}

global_asm!(
    ".section .tbss.unfreed_agent_thread,\"awT\",@nobits",
    ".balign 16",
    ".hidden unfreed_agent_thread",
    ".globl unfreed_agent_thread",
    ".type unfreed_agent_thread,@object",
    ".size unfreed_agent_thread,112",
    "unfreed_agent_thread:",
    ".zero 112",
    ".text",
);

const _: () = assert!(size_of::<Thread>() == 112);

/// This thread's state.
#[inline(always)]
pub(crate) fn this_thread() -> *mut Thread {
    let address: *mut Thread;
    // SAFETY: reads the thread pointer and a constant of the linker's; the symbol is defined above,
    // and the memory is this thread's own for as long as it runs.
    unsafe {
        asm!(
            "mov {0}, qword ptr fs:[0]",
            "add {0}, qword ptr [rip + unfreed_agent_thread@GOTTPOFF]",
            out(reg) address,
            options(nostack, pure, readonly, preserves_flags)
        );
    }
    address
}

/// Why the guard is set.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Wrapping {
    /// Something is being recorded.
    Nothing = 0,
    /// A real function runs that may call others, as part of itself.
    Function = 1,
    /// A real C++ operator runs: it calls others as part of itself, and may throw.
    Operator = 2,
}

/// How an entry finds its thread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Nothing of ours is below: record.
    Outermost,
    /// Called by the real function that is being recorded, as part of it.
    Nested,
    /// Called while a C++ operator is being recorded: part of it or not, as its caller shows.
    NestedInOperator,
    /// Called by a signal handler that interrupted the recording itself.
    Reentrant,
}

impl Thread {
    /// Whether nothing of ours is below, as far as the guard tells at a glance.
    #[inline(always)]
    pub(crate) fn is_outside(&self) -> bool {
        self.guard == 0
    }

    /// Sets the guard for an entry with these registers, or says why not.
    #[inline(always)]
    pub(crate) fn enter(&mut self, registers: Registers, wrapping: Wrapping) -> Entry {
        if self.guard != 0 {
            match self.wrapping {
                0 if interrupts(registers, self.guard) => return Entry::Reentrant,
                1 | 2 if registers.sp >= self.guard => {}
                1 if is_allocator_s(return_address(registers)) => return Entry::Nested,
                2 => return Entry::NestedInOperator,
                // No real function calls from elsewhere, and nothing of ours calls anything: it was
                // left by a jump, and the program has since gone deeper, or on to another stack.
                _ => {}
            }
        }
        self.guard = registers.sp;
        self.wrapping = wrapping as u64;
        self.block = 0;
        core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
        Entry::Outermost
    }

    /// The real function has returned; what follows is recording.
    #[inline(always)]
    pub(crate) fn unwrap_entry(&mut self) {
        self.wrapping = 0;
        core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
    }

    /// Sets the guard for an entry inside another; [`Thread::resume`] puts back what it gives.
    pub(crate) fn interrupt(&mut self, sp: u64) -> Interrupted {
        let interrupted = Interrupted { guard: self.guard, wrapping: self.wrapping };
        self.guard = sp;
        self.wrapping = Wrapping::Nothing as u64;
        core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
        interrupted
    }

    /// Ends what [`Thread::interrupt`] began.
    pub(crate) fn resume(&mut self, interrupted: Interrupted) {
        core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
        self.guard = interrupted.guard;
        self.wrapping = interrupted.wrapping;
    }

    /// Takes the guard away.
    #[inline(always)]
    pub(crate) fn leave(&mut self) {
        core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
        self.wrapping = 0;
        self.guard = 0;
    }
}

/// The guard of an entry in which another was made.
pub(crate) struct Interrupted {
    guard: u64,
    wrapping: u64,
}
