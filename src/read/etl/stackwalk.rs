//! Records that hold the stack of another record, or part of it: its frames at once, or a key whose
//! frames come later. They name their record by its time and thread.

use super::payload::Payload;
use super::record::{Record, Ticks, Width};

/// The most frames that Windows walks: a stack of so many ends early.
pub const MOST_FRAMES: usize = 192;

/// What a record says of stacks.
#[derive(Clone, Copy, Debug)]
pub enum StackRecord<'a> {
    /// Frames of the stack of a record.
    Walk {
        /// Whose.
        of: Of,
        /// The frames.
        frames: Addresses<'a>,
    },
    /// The key of the part of a record's stack that is in user mode.
    UserKey {
        /// Whose.
        of: Of,
        /// The key.
        key: u64,
    },
    /// The same of the part in the kernel.
    KernelKey {
        /// Whose.
        of: Of,
    },
    /// What a key stood for until now: it is given away or the trace ends.
    Definition {
        /// The key.
        key: u64,
        /// Its frames.
        frames: Addresses<'a>,
    },
}

/// The record that a stack belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Of {
    /// When it was logged.
    pub time: Ticks,
    /// In which process.
    pub pid: u32,
    /// On which thread.
    pub tid: u32,
}

/// Addresses as they lie in a payload, innermost frame first.
#[derive(Clone, Copy, Debug)]
pub struct Addresses<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// How wide each is.
    pub width: Width,
}

impl<'a> Addresses<'a> {
    /// The addresses; a part of one at the end is left out.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = u64> + ExactSizeIterator + 'a {
        self.bytes.chunks_exact(self.width.bytes()).map(|bytes| {
            // At most eight bytes, little-endian.
            bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
        })
    }
}

impl<'a> StackRecord<'a> {
    /// Reads a record of kind [`StackWalk`](super::kind::Kind::StackWalk); `None` where it is too short.
    ///
    /// ```text
    /// 0x20 walk                     time u64, pid u32, tid u32, frames p[]
    /// 0x25 kernel key, 0x26 user key  time u64, pid u32, tid u32, key p
    /// 0x23 deletion, 0x24 rundown   key p, frames p[]
    /// ```
    #[inline]
    pub fn read(record: &Record<'a>) -> Option<StackRecord<'a>> {
        let mut from = Payload::of(record);
        let width = record.width;
        if matches!(record.opcode, 0x23 | 0x24) {
            let key = from.pointer()?;
            return Some(StackRecord::Definition {
                key,
                frames: Addresses { bytes: from.rest(), width },
            });
        }
        let of = Of { time: Ticks(from.u64()?), pid: from.u32()?, tid: from.u32()? };
        Some(match record.opcode {
            0x20 => StackRecord::Walk { of, frames: Addresses { bytes: from.rest(), width } },
            0x25 => from.pointer().map(|_| StackRecord::KernelKey { of })?,
            _ => StackRecord::UserKey { of, key: from.pointer()? },
        })
    }
}
