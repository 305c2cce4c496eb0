//! The header of a session and the geometry that follows from it.
//!
//! ```text
//! 0                    Session
//! PAGE                 Process   x geometry.processes
//! writers_offset       Writer    x geometry.writers
//! rings_offset         ring      x geometry.writers, the first ones larger than the others
//! ```
//!
//! The file is sparse: a ring costs memory only once it was written to.

use core::mem::size_of;
use core::sync::atomic::AtomicU32;

use crate::{Process, Writer};

/// First eight bytes of every session.
pub const MAGIC: u64 = u64::from_le_bytes(*b"unfreeSM");

/// Version of all layouts in this crate. The agent refuses any other.
pub const VERSION: u32 = 1;

/// Environment variable that tells the agent where the session is: `SIZE:PID:FD:SECRET:SOCKET`, the
/// size of the memory, whose descriptor of which number it is, and what to say at which socket
/// to be handed it where that one cannot be opened.
pub const SESSION_VARIABLE: &str = "UNFREED_SESSION";

const PAGE: usize = 4096;

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
    /// How many processes have asked for an entry; may exceed what there is.
    pub claimed_processes: AtomicU32,
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
    /// How many of the rings, the first ones, are large. Writers are claimed from the first on, so
    /// that a program with few threads has large rings, and one with many does not map much.
    pub large_rings: u32,
    /// Keeps the layout free of gaps.
    pub reserved: u32,
    /// Bytes of a large ring: a power of two.
    pub large_bytes: u64,
    /// Bytes of another ring: a power of two.
    pub small_bytes: u64,
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

    /// Bytes of the ring of the writer with this index.
    pub const fn ring_bytes(&self, index: u32) -> u64 {
        if index < self.large_rings { self.large_bytes } else { self.small_bytes }
    }

    /// Offset of the ring of the writer with this index.
    pub const fn ring_offset(&self, index: u32) -> usize {
        let large = if index < self.large_rings { index } else { self.large_rings };
        page_up(self.writer_offset(self.writers))
            + large as usize * self.large_bytes as usize
            + (index - large) as usize * self.small_bytes as usize
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
            && self.large_rings <= self.writers
            && is_ring(self.large_bytes)
            && is_ring(self.small_bytes)
    }
}

const fn is_ring(bytes: u64) -> bool {
    bytes.is_power_of_two() && bytes >= 1 << 12 && bytes <= 1 << 30
}

const fn page_up(offset: usize) -> usize {
    offset.next_multiple_of(PAGE)
}

const _: () = assert!(size_of::<Session>() <= PAGE);
