//! What a record is about: the few providers whose records become events, by group or by GUID.

use super::record::{Provider, Record};
use super::told;

/// A GUID as it lies in a file, from its usual form; as a number, which is told apart from others fast.
const fn guid(a: u32, b: u16, c: u16, d: [u8; 8]) -> u128 {
    a as u128 | (b as u128) << 32 | (c as u128) << 48 | (u64::from_le_bytes(d) as u128) << 64
}

const KERNEL: [u8; 8] = [0x9d, 0xda, 0x00, 0xc0, 0x4f, 0xd7, 0xba, 0x7c];
const PROCESS: u128 = guid(0x3d6f_a8d0, 0xfe05, 0x11d0, KERNEL);
const THREAD: u128 = guid(0x3d6f_a8d1, 0xfe05, 0x11d0, KERNEL);
const PAGE_FAULT: u128 = guid(0x3d6f_a8d3, 0xfe05, 0x11d0, KERNEL);
const IMAGE: u128 =
    guid(0x2cb1_5d1d, 0x5fc1, 0x11d2, [0xab, 0xe1, 0x00, 0xa0, 0xc9, 0x11, 0xf5, 0x18]);
const HEADER: u128 =
    guid(0x68fd_d900, 0x4a3e, 0x11d1, [0x84, 0xf4, 0x00, 0x00, 0xf8, 0x04, 0x64, 0xe3]);
const HEAP: u128 =
    guid(0x2229_62ab, 0x6180, 0x4b88, [0xa8, 0x25, 0x34, 0x6b, 0x75, 0xf2, 0xa2, 0x4a]);
const STACK_WALK: u128 =
    guid(0xdef2_fe46, 0x7bd6, 0x4b80, [0xbd, 0x94, 0xf5, 0x7f, 0xe2, 0x0d, 0x0c, 0xe3]);
const SYMBOLS: u128 =
    guid(0xb3e6_75d7, 0x2554, 0x4f18, [0x83, 0x0b, 0x27, 0x62, 0x73, 0x25, 0x60, 0xde]);
const TOLD: u128 = u128::from_le_bytes(told::CLASS);

/// What kind of record it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Of a heap.
    Heap,
    /// The stack of another record, or part of it.
    StackWalk,
    /// An image was mapped, or was found mapped as the trace began or ended.
    ImageMapped,
    /// An image was unmapped.
    ImageUnmapped,
    /// A process began.
    ProcessStart,
    /// A process ended.
    ProcessEnd,
    /// A process was found running as the trace began or ended.
    ProcessFound,
    /// A thread ended.
    ThreadEnd,
    /// What an image is: its file, program database or version.
    Symbols,
    /// A setting, a sample or a mark, put there by unfreed's collector.
    Told,
    /// Memory was reserved or committed.
    VirtualAlloc,
    /// Memory was released or decommitted.
    VirtualFree,
    /// Of the log itself, or a thread's beginning: known, and of no consequence.
    Passed,
    /// Anything else.
    Unknown,
}

impl Kind {
    /// The kind of a record.
    #[inline]
    pub fn of(record: &Record<'_>) -> Kind {
        // The group whose records a class's GUID stands for.
        let group = match &record.provider {
            Provider::Group(group) => *group,
            Provider::Guid(guid) => match u128::from_le_bytes(*guid) {
                HEADER => 0,
                PAGE_FAULT => 2,
                PROCESS => 3,
                THREAD => 5,
                HEAP => 0x10,
                IMAGE => 0x14,
                STACK_WALK => 0x18,
                SYMBOLS => return Kind::Symbols,
                TOLD => return Kind::Told,
                _ => return Kind::Unknown,
            },
        };
        match (group, record.opcode) {
            (0x10, _) => Kind::Heap,
            (0x18, 0x20 | 0x23..=0x26) => Kind::StackWalk,
            // A load is of the process group where it comes as a hook, of the image class by GUID.
            (0x14, 3 | 4 | 10) | (3, 10) => Kind::ImageMapped,
            (0x14, 2) => Kind::ImageUnmapped,
            (3, 1) => Kind::ProcessStart,
            (3, 2) => Kind::ProcessEnd,
            (3, 3 | 4) => Kind::ProcessFound,
            (5, 2) => Kind::ThreadEnd,
            (2, 98) => Kind::VirtualAlloc,
            (2, 99) => Kind::VirtualFree,
            (0, _) | (5, 1 | 3 | 4) => Kind::Passed,
            _ => Kind::Unknown,
        }
    }
}
