//! Records of heaps (event version 2, and 3 where it is longer). A payload has one of the known lengths for its pointers'
//! width, or, of a later version, more: what a 32-bit process on a 64-bit system would log is not proven, so
//! a payload that does not fit its header's width is no record of ours.

use super::payload::Payload;
use super::record::{Record, Width};
use crate::event::{Address, Bytes, HeapId};

/// The last version whose lengths are known.
const KNOWN_VERSION: u16 = 3;

/// What a record says of a heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each field is its type")]
pub enum HeapRecord {
    /// `RtlCreateHeap`; what it has committed where the version tells.
    Create { heap: HeapId, committed: Option<Bytes> },
    /// `RtlAllocateHeap`.
    Alloc { heap: HeapId, size: Bytes, address: Address },
    /// The summary at the end of `RtlReAllocateHeap`.
    ReAlloc { heap: HeapId, new: Address, old: Address, size: Bytes },
    /// `RtlDestroyHeap`.
    Destroy { heap: HeapId },
    /// `RtlFreeHeap`.
    Free { heap: HeapId, address: Address },
    /// A heap took memory from the system or gave some back, and what it has committed now.
    Resize { heap: HeapId, address: Address, committed: Bytes },
    /// A heap found as the trace began; of another process than the one that logged it where `pid` is there.
    Snapshot { heap: HeapId, committed: Bytes, pid: Option<u32> },
    /// Locks, walks and validations.
    Other,
}

/// Why a record of a heap says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Odd {
    /// An opcode that is not known.
    Opcode,
    /// A length that does not go with the version and the pointers' width.
    Length,
}

impl HeapRecord {
    /// Reads a record of kind [`Heap`](super::kind::Kind::Heap).
    ///
    /// ```text
    /// 32 create            heap p, flags u32 [version 3: reserve, commit, allocated p]
    /// 33 alloc             heap p, size p, address p, source u32
    /// 34 realloc           heap p, new p, old p, new size p, old size p, source u32
    /// 35 destroy, 43-46    heap p
    /// 36 free              heap p, address p, source u32
    /// 37 expand, 42 contract  heap, size, address, free, committed, reserved p, UCRs u32 [+ allocated p]
    /// 38-41 snapshots      heap, free, committed, reserved p, flags u32
    ///                      [+ pid u32, large UCR p, 2 lengths u32, allocated p]
    /// ```
    #[inline]
    pub fn read(record: &Record<'_>) -> Result<HeapRecord, Odd> {
        let known: &[(usize, usize)] = match record.opcode {
            32 => &[(1, 1), (4, 1)],
            33 => &[(3, 1)],
            34 => &[(5, 1)],
            35 | 43..=46 => &[(1, 0)],
            36 => &[(2, 1)],
            37 | 42 => &[(6, 1), (7, 1)],
            38..=41 => &[(4, 1), (6, 4)],
            _ => return Err(Odd::Opcode),
        };
        if !fits(record, known) {
            return Err(Odd::Length);
        }
        fields(record).ok_or(Odd::Length)
    }
}

/// Whether the payload has one of these numbers of pointers and of 32-bit words.
#[inline]
fn fits(record: &Record<'_>, known: &[(usize, usize)]) -> bool {
    let len = record.payload.len();
    let mut lengths =
        known.iter().map(|(pointers, words)| pointers * record.width.bytes() + words * 4);
    lengths.any(|known| known == len)
        || (record.version > KNOWN_VERSION
            && record.width == Width::Bits64
            && lengths_max(known, record.width) < len)
}

fn lengths_max(known: &[(usize, usize)], width: Width) -> usize {
    known.iter().map(|(pointers, words)| pointers * width.bytes() + words * 4).max().unwrap_or(0)
}

#[inline]
fn fields(record: &Record<'_>) -> Option<HeapRecord> {
    let mut from = Payload::of(record);
    let heap = HeapId(from.pointer()?);
    Some(match record.opcode {
        32 => {
            from.u32()?;
            let committed = from.pointer().and_then(|_| from.pointer()).map(Bytes);
            HeapRecord::Create { heap, committed }
        }
        33 => {
            let size = Bytes(from.pointer()?);
            HeapRecord::Alloc { heap, size, address: Address(from.pointer()?) }
        }
        34 => {
            let (new, old) = (Address(from.pointer()?), Address(from.pointer()?));
            HeapRecord::ReAlloc { heap, new, old, size: Bytes(from.pointer()?) }
        }
        35 => HeapRecord::Destroy { heap },
        36 => HeapRecord::Free { heap, address: Address(from.pointer()?) },
        37 | 42 => {
            from.pointer()?;
            let address = Address(from.pointer()?);
            from.pointer()?;
            HeapRecord::Resize { heap, address, committed: Bytes(from.pointer()?) }
        }
        38 | 39 | 41 => {
            from.pointer()?;
            let committed = Bytes(from.pointer()?);
            from.pointer()?;
            from.u32()?;
            HeapRecord::Snapshot { heap, committed, pid: from.u32() }
        }
        _ => HeapRecord::Other,
    })
}
