//! What a ring holds: records of 64-bit words, the first of which says kind and length.
//!
//! ```text
//! word 0   kind u8 | function u8 | length in words u16 | detail u32
//! word 1   stamp (nanoseconds by the session's clock)
//!
//! Alloc    address, size, stack hash
//! Free     address
//! Again    address, stack hash, hash of the stack that allocated the block that was freed before,
//!          return address of that free, stamp of that free
//! Pair     stack hash, size, stamp of its allocation      a young block that no tally had room for
//! Realloc  stamp after, old address, new address, size, stack hash     (stamp = before)
//! Stack    stack hash, frame...            detail = StackEnd | generation << 8; innermost frame first
//! Module   load bias, first address, end address, name length, name bytes padded with 0
//!                                          detail = generation
//! Thread   -                               detail = 0 began, 1 ended
//! ```
//!
//! A frame word is the address with its trust in the two highest bits. An allocation is stamped after the
//! real one, a free before it; a realloc carries both.

/// The kinds of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A block was allocated.
    Alloc = 1,
    /// A block will be freed.
    Free = 2,
    /// A block was moved or resized.
    Realloc = 3,
    /// A stack is defined.
    Stack = 4,
    /// A module was seen.
    Module = 5,
    /// A thread began or ended.
    Thread = 6,
    /// A block will be freed at an address where one was freed shortly before.
    Again = 7,
    /// A block was allocated and freed.
    Pair = 8,
}

impl Kind {
    /// The kind with this number.
    pub fn from_u8(number: u8) -> Option<Kind> {
        Some(match number {
            1 => Kind::Alloc,
            2 => Kind::Free,
            3 => Kind::Realloc,
            4 => Kind::Stack,
            5 => Kind::Module,
            6 => Kind::Thread,
            7 => Kind::Again,
            8 => Kind::Pair,
            _ => return None,
        })
    }
}

/// How many words the records of fixed length have.
pub mod words {
    /// [`super::Kind::Alloc`].
    pub const ALLOC: usize = 5;
    /// [`super::Kind::Free`].
    pub const FREE: usize = 3;
    /// [`super::Kind::Again`].
    pub const AGAIN: usize = 7;
    /// [`super::Kind::Pair`].
    pub const PAIR: usize = 5;
    /// [`super::Kind::Realloc`].
    pub const REALLOC: usize = 7;
    /// [`super::Kind::Stack`] without its frames.
    pub const STACK: usize = 3;
    /// [`super::Kind::Module`] without its name.
    pub const MODULE: usize = 6;
    /// [`super::Kind::Thread`].
    pub const THREAD: usize = 2;
}

/// Word 0 of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// A [`Kind`].
    pub kind: u8,
    /// The number of the allocator function, as the event vocabulary has it.
    pub function: u8,
    /// Length of the record, this word included.
    pub words: u16,
    /// Whatever the kind says.
    pub detail: u32,
}

impl RecordHeader {
    /// As a word.
    pub const fn pack(self) -> u64 {
        self.kind as u64
            | (self.function as u64) << 8
            | (self.words as u64) << 16
            | (self.detail as u64) << 32
    }

    /// From a word.
    pub const fn unpack(word: u64) -> RecordHeader {
        RecordHeader {
            kind: word as u8,
            function: (word >> 8) as u8,
            words: (word >> 16) as u16,
            detail: (word >> 32) as u32,
        }
    }
}

/// Where the generation of a stack's modules lies in its record's detail: a stack is of the modules that
/// were told in the same generation, since another may lie at the same place in the next.
pub const STACK_GENERATION_SHIFT: u32 = 8;

/// So much is told of a generation.
pub const STACK_GENERATION_MASK: u32 = u32::MAX >> STACK_GENERATION_SHIFT;

/// Why a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum StackEnd {
    /// At the outermost caller.
    Complete = 0,
    /// A frame has neither an unwind table nor a usable frame pointer.
    NoTable = 1,
    /// It is deeper than what is recorded.
    Depth = 2,
    /// A frame would lie outside the stack.
    OutOfStack = 3,
}

impl StackEnd {
    /// The end with this number; anything unknown did not reach the outermost caller.
    pub fn from_u32(number: u32) -> StackEnd {
        match number {
            0 => StackEnd::Complete,
            2 => StackEnd::Depth,
            3 => StackEnd::OutOfStack,
            _ => StackEnd::NoTable,
        }
    }
}

const TRUST_SHIFT: u32 = 62;

/// A frame as a word: `trust` is 0 the interrupted instruction, 1 by table, 2 by frame pointer, 3 from code.
pub const fn frame_word(address: u64, trust: u8) -> u64 {
    address & ((1 << TRUST_SHIFT) - 1) | (trust as u64) << TRUST_SHIFT
}

/// The address and the trust of a frame word.
pub const fn split_frame_word(word: u64) -> (u64, u8) {
    (word & ((1 << TRUST_SHIFT) - 1), (word >> TRUST_SHIFT) as u8)
}
