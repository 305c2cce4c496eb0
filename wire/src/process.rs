//! One traced process image, as it registered itself, and what a process is about to become.

use core::sync::atomic::{AtomicU32, AtomicU64};

use crate::Session;

/// One entry of the table of processes. Entries are claimed in order and never reused.
#[repr(C, align(64))]
pub struct Process {
    /// A [`ProcessState`]; the fields below hold once it is not `Free`.
    pub state: AtomicU32,
    /// Its number as the system tells it itself: in a pid namespace, that namespace's.
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
    /// The number of the pid namespace in which its image began; 0 where it was not to be known.
    pub pid_namespace: AtomicU64,
    /// When its image began, among the session's moments.
    pub moment: AtomicU64,
    /// Libraries loaded so that they call the C library's allocator past the agent.
    pub libraries_unseen: AtomicU64,
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
    /// Modules cannot be found without the loader's lock (glibc before 2.35, an unknown C library).
    NoFindObject = 1,
    /// The real allocator functions could not be found.
    NoAllocator = 2,
    /// Another malloc comes before the agent's: the program's own, or an earlier preloaded one.
    OwnAllocator = 3,
    /// The program limits itself to less address space or memory than the session takes.
    AddressSpace = 4,
}

impl Refusal {
    /// The refusal with this number.
    pub fn from_u32(number: u32) -> Refusal {
        match number {
            1 => Refusal::NoFindObject,
            2 => Refusal::NoAllocator,
            3 => Refusal::OwnAllocator,
            4 => Refusal::AddressSpace,
            _ => Refusal::None,
        }
    }
}

/// A note that a process is about to execute a program, or that this failed: so that a program
/// that then does not register is known for certain, however short it lives. Notes lie in the
/// page of the header, behind it. Whoever has something to note takes a free one and fills it; the
/// collector reads it within milliseconds and frees it.
///
/// ```text
/// 0             Session
/// FIRST         Execution x COUNT
/// PAGE
/// ```
#[repr(C, align(64))]
pub struct Execution {
    /// An [`ExecutionState`].
    pub state: AtomicU32,
    /// The process that executes, by its own count as in [`Process::pid`].
    pub pid: AtomicU32,
    /// A [`Preload`].
    pub preload: AtomicU32,
    /// In the first note: how many found no room at all.
    pub missed: AtomicU32,
    /// The attempt, among the session's moments.
    pub moment: AtomicU64,
    /// The program as it was named, padded with 0, cut where it is longer; all 0 where it was not named.
    pub program: [AtomicU64; Execution::PROGRAM_WORDS],
}

impl Execution {
    /// Words kept of the program's name.
    pub const PROGRAM_WORDS: usize = 21;
    /// How many there are.
    pub const COUNT: usize = 19;
    const FIRST: usize = 256;

    /// Offset of the note with this index in the session.
    pub const fn offset(index: usize) -> usize {
        Self::FIRST + index * size_of::<Execution>()
    }
}

const _: () = assert!(size_of::<Session>() <= Execution::FIRST);
const _: () = assert!(Execution::offset(Execution::COUNT) <= 4096);

/// What a note says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ExecutionState {
    /// Nothing: anybody may take it.
    Free = 0,
    /// Somebody is filling it.
    Filling = 1,
    /// The process is about to execute the program.
    About = 2,
    /// The attempt of that moment has failed.
    Failed = 3,
}

/// What the agent did so that it would be loaded into the program, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Preload {
    /// The environment is, or has been made, as it must be.
    Asked = 0,
    /// Its file is not to be seen from where the program would run.
    Invisible = 1,
    /// `LD_PRELOAD` is there and empty: somebody wants nothing preloaded.
    Declined = 2,
    /// The environment is too large to be copied.
    TooLarge = 3,
    /// It could not be looked whether its file is to be seen.
    NotKnown = 4,
    /// The environment is that of other threads, too, and could not be exchanged.
    Shared = 5,
}

impl Preload {
    /// The one with this number.
    pub fn from_u32(number: u32) -> Preload {
        match number {
            0 => Preload::Asked,
            1 => Preload::Invisible,
            2 => Preload::Declined,
            3 => Preload::TooLarge,
            5 => Preload::Shared,
            _ => Preload::NotKnown,
        }
    }
}
