//! The header of a session and the geometry that follows from it.
//!
//! ```text
//! 0                    Session
//! PAGE                 Process   x geometry.processes
//! writers_offset       Writer    x geometry.writers
//! tallies_offset       Tally     x tally slots of each writer, the first ones having more
//! young_offset         Bucket    x geometry.young_buckets
//! rings_offset         ring      x geometry.writers, the first ones larger than the others
//! ```
//!
//! The file is sparse: a ring costs memory only once it was written to.

use core::mem::size_of;
use core::sync::atomic::{AtomicU32, AtomicU64};

use crate::{Bucket, Process, Tally, Writer};

/// First eight bytes of every session.
pub const MAGIC: u64 = u64::from_le_bytes(*b"unfreeSM");

/// Version of all layouts in this crate. The agent refuses any other.
pub const VERSION: u32 = 2;

/// Environment variable that tells the agent where the session is: `SIZE:PID:FD:SECRET:SOCKET`, the
/// size of the memory, whose descriptor of which number it is, and what to say at which socket
/// to be handed it where that one cannot be opened; or `SIZE:PATH`.
pub const SESSION_VARIABLE: &str = "UNFREED_SESSION";

const PAGE: usize = 4096;

/// Bytes that the agent keeps for each writer in memory of the process's own.
pub const TRAIL_BYTES: usize = 24 << 10;

/// The header.
#[repr(C)]
pub struct Session {
    /// [`MAGIC`].
    pub magic: u64,
    /// [`VERSION`].
    pub version: u32,
    /// How many frames of a stack are recorded at most.
    pub max_depth: u32,
    /// Where everything lies.
    pub geometry: Geometry,
    /// Counts attempts to execute something, and the beginnings of images between them.
    pub moments: AtomicU64,
    /// How many processes have asked for an entry; may exceed what there is.
    pub claimed_processes: AtomicU32,
    /// One more than the highest index of a writer ever claimed.
    pub claimed_writers: AtomicU32,
    /// Which blocks are told one by one: a [`Telling`].
    pub telling: u32,
    /// Keeps the layout free of gaps.
    pub reserved: u32,
    /// Where only a sample is told: the mean distance of two sampling points, in bytes allocated.
    pub sample_mean: u64,
    /// What changes.
    pub pulse: Pulse,
}

/// Which blocks are told one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum Telling {
    /// Those that do not die young; the others are counted.
    #[default]
    Survivors = 0,
    /// All.
    Everything = 1,
    /// A sample; nothing is known of the others.
    Sample = 2,
}

/// What the collector changes while it runs, on a cache line of its own.
#[repr(C, align(64))]
pub struct Pulse {
    /// The time, in nanoseconds, as the collector publishes it every few milliseconds: the agent
    /// never asks a clock itself.
    pub clock: AtomicU64,
    /// Which of a bucket's words in `told` takes new bits: 0 or 1.
    pub told_word: AtomicU32,
    /// Not 0 once nobody reads any more: the agents fall silent.
    pub closed: AtomicU32,
}

/// Where the tables and rings of a session lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Geometry {
    /// Entries in the table of processes.
    pub processes: u32,
    /// Entries in the table of writers, and rings.
    pub writers: u32,
    /// How many of the writers, the first ones, are large. Writers are claimed from the first on, so
    /// that a program with few threads has large ones, and one with many does not map much.
    pub large: u32,
    /// How many, those after, are of a middle size.
    pub middle: u32,
    /// Buckets in the table of young blocks: a power of two.
    pub young_buckets: u32,
    /// Keeps the layout free of gaps.
    pub reserved: u32,
    /// Bytes of a large ring: a power of two.
    pub large_bytes: u64,
    /// Bytes of a ring of the middle size: a power of two.
    pub middle_bytes: u64,
    /// Bytes of another ring: a power of two.
    pub small_bytes: u64,
    /// Tallies of a large writer, or one of the middle size: a power of two.
    pub large_tallies: u32,
    /// Tallies of another writer: a power of two.
    pub small_tallies: u32,
}

impl Geometry {
    /// Offset of the process with this index.
    pub const fn process_offset(&self, index: u32) -> usize {
        PAGE + index as usize * size_of::<Process>()
    }

    /// Offset of the writer with this index.
    pub const fn writer_offset(&self, index: u32) -> usize {
        page_up(self.process_offset(self.processes)) + index as usize * size_of::<Writer>()
    }

    /// How many of the first `index` writers are large, of the middle size, and small.
    const fn classes(&self, index: u32) -> [usize; 3] {
        let large = if index < self.large { index } else { self.large };
        let rest = index - large;
        let middle = if rest < self.middle { rest } else { self.middle };
        [large as usize, middle as usize, (rest - middle) as usize]
    }

    /// Tallies of the writer with this index.
    pub const fn tallies(&self, index: u32) -> u32 {
        if index < self.large + self.middle { self.large_tallies } else { self.small_tallies }
    }

    /// Offset of the first tally of the writer with this index.
    pub const fn tallies_offset(&self, index: u32) -> usize {
        let [large, middle, small] = self.classes(index);
        let before =
            (large + middle) * self.large_tallies as usize + small * self.small_tallies as usize;
        page_up(self.writer_offset(self.writers)) + before * size_of::<Tally>()
    }

    /// Offset of the first bucket.
    pub const fn young_offset(&self) -> usize {
        page_up(self.tallies_offset(self.writers))
    }

    /// Which bucket a hash names.
    #[inline(always)]
    pub const fn bucket(&self, hash: u64) -> usize {
        (hash >> (64 - self.young_buckets.ilog2())) as usize
    }

    /// Bytes of the ring of the writer with this index.
    pub const fn ring_bytes(&self, index: u32) -> u64 {
        if index < self.large {
            self.large_bytes
        } else if index < self.large + self.middle {
            self.middle_bytes
        } else {
            self.small_bytes
        }
    }

    /// Offset of the ring of the writer with this index.
    pub const fn ring_offset(&self, index: u32) -> usize {
        let [large, middle, small] = self.classes(index);
        page_up(self.young_offset() + self.young_buckets as usize * size_of::<Bucket>())
            + large * self.large_bytes as usize
            + middle * self.middle_bytes as usize
            + small * self.small_bytes as usize
    }

    /// Length of the whole file.
    pub const fn file_bytes(&self) -> usize {
        self.ring_offset(self.writers)
    }

    /// Whether these numbers can be right: both sides check before they compute with them.
    pub const fn is_valid(&self) -> bool {
        self.processes >= 1
            && self.processes <= 1 << 16
            && self.writers >= 1
            && self.writers <= 1 << 16
            && self.large <= self.writers
            && self.middle <= self.writers - self.large
            && is_power(self.young_buckets, 1 << 6, 1 << 20)
            && is_power(self.large_tallies, 1 << 5, 1 << 16)
            && is_power(self.small_tallies, 1 << 5, 1 << 16)
            && is_ring(self.large_bytes)
            && is_ring(self.middle_bytes)
            && is_ring(self.small_bytes)
    }
}

const fn is_ring(bytes: u64) -> bool {
    bytes.is_power_of_two() && bytes >= 1 << 12 && bytes <= 1 << 30
}

const fn is_power(number: u32, least: u32, most: u32) -> bool {
    number.is_power_of_two() && number >= least && number <= most
}

const fn page_up(offset: usize) -> usize {
    offset.next_multiple_of(PAGE)
}

const _: () = assert!(size_of::<Session>() <= PAGE);
