//! One record of a log, as all its kinds of header have it: who logged what and when, and the payload as it
//! stands in the file.

use crate::read::Offset;

/// A time in units of the log's clock, as the record has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticks(pub u64);

/// Who logged a record.
///
/// A GUID lies on a multiple of eight bytes: behind one byte it is copied in pieces, and to read it at once the processor
/// waits for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u64)]
pub enum Provider {
    /// The kernel's own records: the upper byte of the hook id.
    Group(u8),
    /// A provider or an event class, as its GUID lies in the file.
    Guid([u8; 16]),
}

/// How wide pointers are in a record's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// Four bytes.
    Bits32,
    /// Eight bytes.
    Bits64,
}

impl Width {
    /// The width in bytes.
    pub fn bytes(self) -> usize {
        match self {
            Width::Bits32 => 4,
            Width::Bits64 => 8,
        }
    }
}

/// A record.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Where it, or the compressed buffer that holds it, begins in the file.
    pub offset: Offset,
    /// When it was logged.
    pub time: Ticks,
    /// On which processor.
    pub processor: u16,
    /// In which process; `None` where its kind of header does not say.
    pub process: Option<u32>,
    /// On which thread; `None` where its kind of header does not say.
    pub thread: Option<u32>,
    /// Width of the payload's pointers.
    pub width: Width,
    /// Who logged it.
    pub provider: Provider,
    /// What kind of event it is, of those of its provider.
    pub opcode: u8,
    /// Number of a manifest-based event; 0 for others.
    pub id: u16,
    /// Version of the payload's layout.
    pub version: u16,
    /// The payload.
    pub payload: &'a [u8],
    /// The extended items of an `EVENT_HEADER`, as they lie in the file; empty for others.
    pub extended: &'a [u8],
}
