//! One traced process image, as it registered itself.

use core::sync::atomic::{AtomicU32, AtomicU64};

/// One entry of the table of processes. Entries are claimed in order and never reused.
#[repr(C, align(64))]
pub struct Process {
    /// A [`ProcessState`]; the fields below hold once it is not `Free`.
    pub state: AtomicU32,
    /// The system's number for it.
    pub pid: AtomicU32,
    /// The index of the process it was forked from plus one; 0 where its image began by exec.
    pub forked_from: AtomicU32,
    /// A [`Refusal`], where the state is `Refused`.
    pub refusal: AtomicU32,
    /// When it registered, by the session's clock.
    pub began: AtomicU64,
    /// Allocations not recorded because no writer was free.
    pub lost_allocations: AtomicU64,
    /// Frees not recorded because no writer was free.
    pub lost_frees: AtomicU64,
    /// Libraries loaded so that they call the C library's allocator past the agent.
    pub libraries_unseen: AtomicU64,
    reserved: u64,
    /// Path of its program, padded with 0: a process may be gone before anybody can ask the system.
    /// All 0 in a forked child, which has its parent's, and where it was not to be known.
    pub program: [AtomicU64; Process::PROGRAM_WORDS],
}

impl Process {
    /// Words kept of the program's path.
    pub const PROGRAM_WORDS: usize = 32;
}

/// Where an entry is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ProcessState {
    /// Nobody has it.
    Free = 0,
    /// Tracing.
    Ready = 1,
    /// The agent was loaded but cannot trace here.
    Refused = 2,
}

/// Why the agent cannot trace where it was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Refusal {
    /// No reason given.
    None = 0,
    /// The C library has no `_dl_find_object` (glibc before 2.35, musl).
    NoFindObject = 1,
    /// The real allocator functions could not be found.
    NoAllocator = 2,
    /// Another malloc comes before the agent's: the program's own, or an earlier preloaded one.
    OwnAllocator = 3,
}

impl Refusal {
    /// The refusal with this number.
    pub fn from_u32(number: u32) -> Refusal {
        match number {
            1 => Refusal::NoFindObject,
            2 => Refusal::NoAllocator,
            3 => Refusal::OwnAllocator,
            _ => Refusal::None,
        }
    }
}
