//! Blocks and heaps: made, resized, released, counted.

use serde::{Deserialize, Serialize};

use super::{Address, Bytes, HeapId, StackId, Time};

/// How a block was allocated or freed.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
#[allow(missing_docs, reason = "each is the function it is named after")]
pub enum Function {
    /// The source does not say.
    #[default]
    Unknown = 0,
    Malloc = 1,
    Calloc = 2,
    Realloc = 3,
    Reallocarray = 4,
    PosixMemalign = 5,
    AlignedAlloc = 6,
    Memalign = 7,
    Valloc = 8,
    Pvalloc = 9,
    /// C++ `operator new` and its aligned and nothrow forms.
    New = 10,
    /// C++ `operator new[]`.
    NewArray = 11,
    Free = 12,
    /// C++ `operator delete`.
    Delete = 13,
    /// C++ `operator delete[]`.
    DeleteArray = 14,
    RtlAllocateHeap = 15,
    RtlReAllocateHeap = 16,
    RtlFreeHeap = 17,
    VirtualAlloc = 18,
    VirtualFree = 19,
    Mmap = 20,
    Munmap = 21,
    /// A heap itself, as a block at its handle: a private heap that is never destroyed leaks too.
    RtlCreateHeap = 22,
    RtlDestroyHeap = 23,
}

impl Function {
    /// The function as its callers write it: `malloc`, `operator new[]`, `RtlAllocateHeap`.
    pub fn name(self) -> &'static str {
        match self {
            Function::Unknown => "an unknown function",
            Function::Malloc => "malloc",
            Function::Calloc => "calloc",
            Function::Realloc => "realloc",
            Function::Reallocarray => "reallocarray",
            Function::PosixMemalign => "posix_memalign",
            Function::AlignedAlloc => "aligned_alloc",
            Function::Memalign => "memalign",
            Function::Valloc => "valloc",
            Function::Pvalloc => "pvalloc",
            Function::New => "operator new",
            Function::NewArray => "operator new[]",
            Function::Free => "free",
            Function::Delete => "operator delete",
            Function::DeleteArray => "operator delete[]",
            Function::RtlAllocateHeap => "RtlAllocateHeap",
            Function::RtlReAllocateHeap => "RtlReAllocateHeap",
            Function::RtlFreeHeap => "RtlFreeHeap",
            Function::VirtualAlloc => "VirtualAlloc",
            Function::VirtualFree => "VirtualFree",
            Function::Mmap => "mmap",
            Function::Munmap => "munmap",
            Function::RtlCreateHeap => "RtlCreateHeap",
            Function::RtlDestroyHeap => "RtlDestroyHeap",
        }
    }
}

/// A block was allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each field is its type")]
pub struct Alloc {
    pub address: Address,
    pub size: Bytes,
    pub stack: StackId,
    pub function: Function,
    pub heap: HeapId,
}

/// A block was released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Free {
    /// The block's address; never NULL.
    pub address: Address,
    /// Where it was freed; mostly [`StackId::NOT_TAKEN`].
    pub stack: StackId,
    /// The function that freed it.
    pub function: Function,
    /// The heap it was freed to.
    pub heap: HeapId,
}

/// An earlier free at an address that is about to be freed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreedBefore {
    /// The address. A block may live there all the same, of which the free was not that one.
    pub address: Address,
    /// The stack that had allocated the block freed before; [`StackId::NOT_TAKEN`] where the
    /// source did not see it allocated.
    pub site: StackId,
    /// Where it was freed, as far as is known: mostly the caller alone.
    pub stack: StackId,
    /// When.
    pub freed: Time,
}

/// A block changed its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Realloc {
    /// Address before.
    pub old: Address,
    /// Address after; the same where the block did not move.
    pub new: Address,
    /// The new size.
    pub size: Bytes,
    /// The stack of the call; the block belongs to this site from now on.
    pub stack: StackId,
    /// The function called.
    pub function: Function,
    /// The heap.
    pub heap: HeapId,
}

/// A heap was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each field is its type")]
pub struct HeapCreate {
    pub heap: HeapId,
    pub stack: StackId,
}

/// Blocks of one site and interval that were counted where they happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Their stack.
    pub stack: StackId,
    /// The interval began at this time and ends at the event's.
    pub since: Time,
    /// Blocks allocated.
    pub allocated: u64,
    /// Bytes allocated.
    pub allocated_bytes: Bytes,
    /// Blocks freed.
    pub freed: u64,
    /// Bytes freed.
    pub freed_bytes: Bytes,
    /// The smallest and the largest block counted so far; `None` where the source does not say.
    pub sizes: Option<(Bytes, Bytes)>,
    /// Blocks freed by lifetime: index n counts those that lived at least 2^n ns and less than
    /// 2^(n+1) ns (index 0 also those below 1 ns). At most 64.
    pub lifetimes: Vec<u64>,
    /// Lifetimes shorter than this were not told apart and are all counted in index 0; 0 where
    /// all were.
    pub resolution: Time,
    /// Whether the counts are estimates from sampling.
    pub estimated: bool,
}

/// The live set of one stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Which snapshot: all entries of one carry the same number, counting up from 0.
    pub number: u32,
    /// The stack.
    pub stack: StackId,
    /// Live blocks.
    pub blocks: u64,
    /// Live bytes, as requested.
    pub bytes: Bytes,
}
