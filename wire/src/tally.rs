//! Tallies: blocks that died young, counted by stack where they were freed instead of told one by one.
//!
//! Every writer has a table of them, which its thread alone changes, and uses more of as it needs more.
//! The collector reads the counts as they grow; they never go down within a claim. A slot whose counts have all been told
//! may be claimed for another stack.

use core::sync::atomic::{AtomicU32, AtomicU64};

/// The counts of one stack. While `claim` is odd the slot changes hands.
#[repr(C, align(128))]
pub struct Tally {
    /// The hash of the stack; 0 where the slot is free.
    pub stack: AtomicU64,
    /// Bytes of the blocks counted.
    pub bytes: AtomicU64,
    /// The smallest block.
    pub smallest: AtomicU64,
    /// The largest.
    pub largest: AtomicU64,
    /// How often the slot changed hands, twice.
    pub claim: AtomicU32,
    /// Blocks counted, which wraps.
    pub blocks: AtomicU32,
    /// Claim and count of what the collector has told, see [`Tally::mark`]; it alone writes here.
    pub told: AtomicU64,
    /// Blocks by how long they lived, see [`Tally::lifetime_index`].
    pub lifetimes: [AtomicU32; Tally::LIFETIMES],
    reserved_too: [u64; 2],
}

impl Tally {
    /// Lifetimes that are told apart.
    pub const LIFETIMES: usize = 16;
    /// Slots that a stack may lie in: those after the first that its hash names, around the table's end.
    pub const PROBES: u32 = 4;
    /// How many of a writer's are in use at first.
    pub const FIRST: u32 = 64;
    /// Lifetimes below two to the power of this, in nanoseconds, are all in index 0.
    pub const SHORTEST_POWER: u32 = 21;

    /// So many blocks within one claim, as [`Tally::told`] has it.
    #[inline(always)]
    pub const fn mark(claim: u32, blocks: u32) -> u64 {
        (claim as u64) << 32 | blocks as u64
    }

    /// Where a lifetime in nanoseconds is counted: index n > 0 holds those of at least
    /// 2^(20 + n) and less than 2^(21 + n), the last one all that are longer.
    #[inline(always)]
    pub const fn lifetime_index(nanoseconds: u64) -> usize {
        let power = (nanoseconds | 1).ilog2();
        let index = power.saturating_sub(Self::SHORTEST_POWER - 1) as usize;
        if index < Self::LIFETIMES { index } else { Self::LIFETIMES - 1 }
    }
}

const _: () = assert!(size_of::<Tally>() == 128);
