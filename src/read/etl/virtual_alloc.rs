//! Records of memory that was taken from the system or given back: `VirtualAlloc`, `VirtualFree` and whatever
//! else calls them. The layout is that of `PageFault_VirtualAlloc` in Microsoft's documentation; no real log at hand has
//! one.

use super::payload::Payload;
use super::record::Record;
use crate::event::{Address, Bytes};

/// The last version whose length is known.
const KNOWN_VERSION: u16 = 2;

const RESERVE: u32 = 0x2000;
const RELEASE: u32 = 0x8000;

/// A range of addresses that was reserved, committed, decommitted or released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Where it begins.
    pub base: Address,
    /// How long it is.
    pub size: Bytes,
    /// The process it belongs to, which need not be the one that called.
    pub pid: u32,
    flags: u32,
}

impl Range {
    /// Reads a record of kind [`VirtualAlloc`](super::kind::Kind::VirtualAlloc) or
    /// [`VirtualFree`](super::kind::Kind::VirtualFree); `None` where it has not the length that goes with its pointers'
    /// width, or, of a later version than is known, is shorter.
    ///
    /// ```text
    /// base p, size p, pid u32, flags u32
    /// ```
    pub fn read(record: &Record<'_>) -> Option<Range> {
        let known = 2 * record.width.bytes() + 8;
        if record.payload.len() != known && record.version <= KNOWN_VERSION {
            return None;
        }
        let mut from = Payload::of(record);
        Some(Range {
            base: Address(from.pointer()?),
            size: Bytes(from.pointer()?),
            pid: from.u32()?,
            flags: from.u32()?,
        })
    }

    /// Whether addresses were taken: a block begins. What is committed in a range that was reserved before
    /// belongs to that block.
    pub fn reserves(&self) -> bool {
        self.flags & RESERVE != 0
    }

    /// Whether the addresses were given back: the block ends.
    pub fn releases(&self) -> bool {
        self.flags & RELEASE != 0
    }
}
