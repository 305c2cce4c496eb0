//! The header of a session and the geometry that follows from it.
//!
//! ```text
//! 0                    Session
//! PAGE                 Process   x geometry.processes
//! writers_offset       Writer    x geometry.writers
//! rings_offset         ring      x geometry.writers, each geometry.ring_bytes long
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

/// Environment variable that tells the agent where the session is: `SIZE:PATH`, the size of
/// the file in decimal and a path that can be opened.
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
    /// A hint where a free writer may be found.
    pub writer_hint: AtomicU32,
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
    /// Bytes of one ring: a power of two.
    pub ring_bytes: u64,
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

    /// Offset of the ring of the writer with this index.
    pub const fn ring_offset(&self, index: u32) -> usize {
        page_up(self.writer_offset(self.writers)) + index as usize * self.ring_bytes as usize
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
            && self.ring_bytes.is_power_of_two()
            && self.ring_bytes >= 1 << 12
            && self.ring_bytes <= 1 << 30
    }
}

const fn page_up(offset: usize) -> usize {
    offset.next_multiple_of(PAGE)
}

const _: () = assert!(size_of::<Session>() <= PAGE);
