//! Every number of the format, in one place: magics, versions, limits, tags and codes.
//! A number that was ever written is never given another meaning. `docs/trace-format.md` says
//! what each is for.

use unfreed_symbols::PackageManager;

use crate::event::{FactKind, Function, Lost, Metric, RootKind, Trust};

/// The first eight bytes of every trace. As in PNG, a transfer that changes line ends or clears
/// the eighth bit breaks them.
pub const FILE_MAGIC: [u8; 8] = *b"\x89UFR\r\n\x1a\n";
/// The first four bytes of every chunk.
pub(super) const CHUNK_MAGIC: [u8; 4] = *b"\x89UFC";

/// The version of the format that is written, and the highest that is read. 2 since a process may be
/// sampled: whoever does not know of that takes a sampled trace for a whole one.
pub const VERSION: u32 = 2;

/// The longest header record.
pub(super) const MAX_HEADER: usize = 64 << 10;
/// The most bytes a chunk may hold, compressed or not.
pub(super) const MAX_PLAIN: usize = 1 << 20;
/// The most records a chunk may hold.
pub(super) const MAX_EVENTS: u32 = 1 << 16;
/// The writer ends a chunk when it holds this many bytes. With the longest record (eleven
/// strings of a module) it stays below [`MAX_PLAIN`].
pub(super) const CHUNK_TARGET: usize = 128 << 10;
/// The writer leaves chunks shorter than this uncompressed.
pub(super) const MIN_COMPRESSED: usize = 256;
/// The longest string, in bytes; longer ones are cut.
pub(super) const MAX_STRING: usize = 64 << 10;
/// A list of strings is cut when its record holds this many bytes.
pub(super) const MAX_LIST_BYTES: usize = 256 << 10;
/// The most buckets of lifetimes.
pub(super) const MAX_LIFETIMES: usize = 64;

/// Kinds of chunk.
pub(super) mod chunk {
    pub const EVENTS: u8 = 1;
    pub const END: u8 = 2;
}

/// How a chunk's bytes are stored.
pub(super) mod compression {
    pub const STORED: u8 = 0;
    pub const ZSTD: u8 = 1;
}

/// Fields of the header record.
pub(super) mod header {
    pub const UNFREED: u64 = 1;
    pub const SOURCE: u64 = 2;
    pub const STARTED: u64 = 3;
    pub const UTC_OFFSET: u64 = 4;
    pub const CLOCK_NAME: u64 = 5;
    pub const CLOCK_HERTZ: u64 = 6;
}

/// Bits of the tag of a hot record (an allocation or a free).
pub(super) mod hot {
    /// Set in every hot record's tag, clear in every other's.
    pub const HOT: u8 = 0x80;
    /// A free; otherwise an allocation.
    pub const FREE: u8 = 0x40;
    /// Process and thread follow the tag.
    pub const CONTEXT: u8 = 0x20;
    /// The address differs from the last by a multiple of 16, and is stored divided by 16.
    pub const ALIGNED: u8 = 0x10;
    /// The heap follows the address.
    pub const HEAP: u8 = 0x08;
    /// The function's short code.
    pub const FUNCTION: u8 = 0x07;
    /// The short code that says that the function's byte follows.
    pub const FUNCTION_FOLLOWS: u8 = 7;
}

/// Kinds of the other records, and the bit beside the kind.
pub(super) mod cold {
    /// Process and thread follow the tag.
    pub const CONTEXT: u8 = 0x40;
    /// The kind.
    pub const KIND: u8 = 0x3f;

    pub const REALLOC: u8 = 1;
    pub const STACK: u8 = 2;
    pub const MODULE: u8 = 3;
    pub const MODULE_UNLOAD: u8 = 4;
    pub const PROCESS: u8 = 5;
    pub const PROCESS_EXIT: u8 = 6;
    pub const THREAD: u8 = 7;
    pub const THREAD_EXIT: u8 = 8;
    pub const HEAP_CREATE: u8 = 9;
    pub const HEAP_DESTROY: u8 = 10;
    pub const LOSS: u8 = 11;
    pub const MARK: u8 = 12;
    pub const TALLY: u8 = 13;
    pub const SNAPSHOT: u8 = 14;
    pub const SAMPLE: u8 = 15;
    pub const FACT: u8 = 16;
    pub const EPOCH: u8 = 17;
    pub const NAME: u8 = 18;
    pub const FREED_BEFORE: u8 = 19;
    pub const SCAN: u8 = 20;
    pub const REACH: u8 = 21;
    pub const EXCEPTION: u8 = 22;
}

/// How a process ended.
pub(super) mod exit {
    pub const UNKNOWN: u8 = 0;
    pub const STATUS: u8 = 1;
    pub const SIGNAL: u8 = 2;
    pub const REPLACED: u8 = 3;
    pub const STILL_RUNNING: u8 = 4;
}

/// Functions by code; the code is also the discriminant in the vocabulary.
pub(super) const FUNCTIONS: [Function; 24] = [
    Function::Unknown,
    Function::Malloc,
    Function::Calloc,
    Function::Realloc,
    Function::Reallocarray,
    Function::PosixMemalign,
    Function::AlignedAlloc,
    Function::Memalign,
    Function::Valloc,
    Function::Pvalloc,
    Function::New,
    Function::NewArray,
    Function::Free,
    Function::Delete,
    Function::DeleteArray,
    Function::RtlAllocateHeap,
    Function::RtlReAllocateHeap,
    Function::RtlFreeHeap,
    Function::VirtualAlloc,
    Function::VirtualFree,
    Function::Mmap,
    Function::Munmap,
    Function::RtlCreateHeap,
    Function::RtlDestroyHeap,
];

/// Functions by the short code of an allocation's tag.
pub(super) const ALLOC_SHORT: [Function; 7] = [
    Function::Malloc,
    Function::Calloc,
    Function::Realloc,
    Function::New,
    Function::NewArray,
    Function::RtlAllocateHeap,
    Function::PosixMemalign,
];

/// Functions by the short code of a free's tag.
pub(super) const FREE_SHORT: [Function; 7] = [
    Function::Free,
    Function::Realloc,
    Function::Delete,
    Function::DeleteArray,
    Function::RtlFreeHeap,
    Function::VirtualFree,
    Function::Munmap,
];

/// The short code of each function in an allocation's tag, by the function's code.
pub(super) const ALLOC_CODES: [u8; FUNCTIONS.len()] = short_codes(&ALLOC_SHORT);
/// The short code of each function in a free's tag, by the function's code.
pub(super) const FREE_CODES: [u8; FUNCTIONS.len()] = short_codes(&FREE_SHORT);

/// The reverse of a table of short codes.
const fn short_codes(table: &[Function; 7]) -> [u8; FUNCTIONS.len()] {
    let mut codes = [hot::FUNCTION_FOLLOWS; FUNCTIONS.len()];
    let mut short = 0;
    while short < table.len() {
        codes[table[short] as usize] = short as u8;
        short += 1;
    }
    codes
}

/// Trust by code.
pub(super) const TRUSTS: [Trust; 6] =
    [Trust::Context, Trust::Table, Trust::FramePointer, Trust::Recorded, Trust::Code, Trust::Named];

/// What was lost, by code.
pub(super) const LOSSES: [Lost; 6] =
    [Lost::Allocations, Lost::Frees, Lost::Stacks, Lost::Events, Lost::Bytes, Lost::Libraries];

/// Metrics by code.
pub(super) const METRICS: [Metric; 8] = [
    Metric::Rss,
    Metric::PrivateBytes,
    Metric::VirtualBytes,
    Metric::Handles,
    Metric::Threads,
    Metric::CpuTime,
    Metric::HeapCommitted,
    Metric::ManagedHeap,
];

/// Kinds of fact by code.
pub(super) const FACT_KINDS: [FactKind; 10] = [
    FactKind::Setting,
    FactKind::Package,
    FactKind::Product,
    FactKind::System,
    FactKind::Capture,
    FactKind::NotTraced,
    FactKind::FreesUnseen,
    FactKind::AllocationsUnseen,
    FactKind::ListsSome,
    FactKind::SeenLate,
];

/// Kinds of root by code, counting from 1: 0 says that there is none.
pub(super) const ROOT_KINDS: [RootKind; 6] = [
    RootKind::Global,
    RootKind::ThreadLocal,
    RootKind::Mapping,
    RootKind::Untold,
    RootKind::Stack,
    RootKind::Register,
];

/// Package managers by code, counting from 1: 0 says that there is no package.
pub(super) const MANAGERS: [PackageManager; 3] =
    [PackageManager::Dpkg, PackageManager::Rpm, PackageManager::Note];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_vocabularys_discriminants() {
        assert!(FUNCTIONS.iter().enumerate().all(|(code, f)| *f as usize == code));
        assert!(TRUSTS.iter().enumerate().all(|(code, t)| *t as usize == code));
        assert!(LOSSES.iter().enumerate().all(|(code, l)| *l as usize == code));
        assert!(METRICS.iter().enumerate().all(|(code, m)| *m as usize == code));
        assert!(FACT_KINDS.iter().enumerate().all(|(code, k)| *k as usize == code));
        assert!(ROOT_KINDS.iter().enumerate().all(|(code, k)| *k as usize == code));
        assert!(MANAGERS.iter().enumerate().all(|(code, m)| *m as usize == code));
    }
}
