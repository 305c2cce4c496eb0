//! What the probe and this room share: `probe/layout.h`, in Rust. Whoever changes one changes the other.

use crate::event::Function;

/// Processes that can be traced at once.
pub(super) const SLOTS: u32 = 4096;
/// Executable mappings of one process that are known to the probe, at most.
pub(super) const MAPPINGS_MOST: usize = 510;
/// Frames of a stack.
pub(super) const DEPTH_MOST: usize = 192;

/// The probe's place in [`Slot`] tables: a process while it is traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Slot(pub(super) u32);

/// Where a function's arguments are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Shape {
    Size = 0,
    Product = 1,
    Aligned = 2,
    Out = 3,
    Resize = 4,
    ResizeArray = 5,
    Heap = 6,
    HeapResize = 7,
    HeapFree = 8,
    WholeHeap = 9,
}

/// What a probe is told of where it sits.
pub(super) fn cookie(slot: Slot, function: Function, shape: Shape, guarded: bool) -> u64 {
    u64::from(function as u8)
        | u64::from(shape as u8) << 8
        | u64::from(guarded) << 12
        | u64::from(slot.0) << 32
}

/// One row of an unwind table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Row {
    pub(super) from: u32,
    pub(super) cfa: i32,
    pub(super) saved: i32,
    pub(super) next: u8,
    pub(super) base: u8,
    pub(super) saved_base: u8,
    pub(super) unused: u8,
}

impl Row {
    /// As it lies in the probe's map.
    pub(super) fn encode(self) -> [u8; size_of::<Row>()] {
        let mut bytes = [0; size_of::<Row>()];
        bytes[0..4].copy_from_slice(&self.from.to_ne_bytes());
        bytes[4..8].copy_from_slice(&self.cfa.to_ne_bytes());
        bytes[8..12].copy_from_slice(&self.saved.to_ne_bytes());
        bytes[12..16].copy_from_slice(&[self.next, self.base, self.saved_base, self.unused]);
        bytes
    }

    pub(super) fn decode(bytes: &[u8; size_of::<Row>()]) -> Row {
        let four = |at: usize| [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        let [next, base, saved_base, unused] = four(12);
        Row {
            from: u32::from_ne_bytes(four(0)),
            cfa: i32::from_ne_bytes(four(4)),
            saved: i32::from_ne_bytes(four(8)),
            next,
            base,
            saved_base,
            unused,
        }
    }
}

/// Executable memory of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Mapping {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) bias: u64,
    pub(super) first: u32,
    pub(super) rows: u32,
    pub(super) flags: u32,
    pub(super) unused: u32,
}

/// The mapping holds an allocator.
pub(super) const MAPPING_ALLOCATOR: u32 = 1;

/// A process as the probe knows it.
#[derive(Clone, Debug)]
#[repr(C)]
pub(super) struct ProcessTable {
    pub(super) generation: u32,
    pub(super) count: u32,
    /// The code of the C library, if it has the allocator.
    pub(super) own_start: u64,
    pub(super) own_end: u64,
    pub(super) mappings: [Mapping; MAPPINGS_MOST],
}

/// What the probe counts as lost, by slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Counters {
    pub(super) allocations: u64,
    pub(super) frees: u64,
    pub(super) stacks: u64,
    pub(super) missed_returns: u64,
    pub(super) others: u64,
}

/// Kinds of record.
pub(super) mod kind {
    pub(in crate::collect::ebpf) const ALLOC: u8 = 1;
    pub(in crate::collect::ebpf) const FREE: u8 = 2;
    pub(in crate::collect::ebpf) const STACK: u8 = 3;
    pub(in crate::collect::ebpf) const MAP: u8 = 4;
    pub(in crate::collect::ebpf) const FORK: u8 = 5;
    pub(in crate::collect::ebpf) const EXEC: u8 = 6;
    pub(in crate::collect::ebpf) const EXIT: u8 = 7;
    pub(in crate::collect::ebpf) const FAILED: u8 = 8;
    pub(in crate::collect::ebpf) const COPY: u8 = 9;
    pub(in crate::collect::ebpf) const OWN_FREE: u8 = 10;
    pub(in crate::collect::ebpf) const GREW: u8 = 11;
    pub(in crate::collect::ebpf) const HEAP_ALLOC: u8 = 12;
    pub(in crate::collect::ebpf) const HEAP_FREE: u8 = 13;
}

/// How a stack ends.
pub(super) mod end {
    pub(in crate::collect::ebpf) const COMPLETE: u8 = 0;
    pub(in crate::collect::ebpf) const NO_MAPPING: u8 = 1;
}
