//! The headers that records have, told apart by a byte and the marker behind it. Records lie on multiples of eight bytes.

use super::record::{Provider, Record, Ticks, Width};
use crate::read::Offset;

/// What kind of header a record has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is what Windows calls it")]
#[repr(u8)]
pub enum HeaderKind {
    System32 = 1,
    System64 = 2,
    Compact32 = 3,
    Compact64 = 4,
    Full32 = 10,
    Instance32 = 11,
    Error = 13,
    Message = 15,
    PerfInfo32 = 16,
    PerfInfo64 = 17,
    EventHeader32 = 18,
    EventHeader64 = 19,
    Full64 = 20,
    Instance64 = 21,
}

/// A record's outline: enough to put it in order and to find the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outline {
    pub kind: HeaderKind,
    /// Length of the record, without what aligns the next.
    pub size: usize,
    pub time: Ticks,
}

/// What is known of a record besides its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lies {
    pub offset: Offset,
    pub time: Ticks,
    pub processor: u16,
}

/// Bits of the marker: 80 every record has, 40 those that say their kind, 10 messages, which do not.
const KNOWN: u8 = 0xc0;
const MESSAGE: (u8, u8) = (0xf0, 0x90);
/// Flag of an `EVENT_HEADER` with extended items.
const EXTENDED: u16 = 1;
/// The start of an extended item: its length, its type, whether another follows, its data's length.
const ITEM: usize = 8;

impl HeaderKind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::System32,
        Self::System64,
        Self::Compact32,
        Self::Compact64,
        Self::Full32,
        Self::Instance32,
        Self::Error,
        Self::Message,
        Self::PerfInfo32,
        Self::PerfInfo64,
        Self::EventHeader32,
        Self::EventHeader64,
        Self::Full64,
        Self::Instance64,
    ];

    fn of(byte: u8, marker: u8) -> Option<Self> {
        if marker & KNOWN != KNOWN {
            return (marker & MESSAGE.0 == MESSAGE.1).then_some(Self::Message);
        }
        Some(match byte {
            1 => Self::System32,
            2 => Self::System64,
            3 => Self::Compact32,
            4 => Self::Compact64,
            10 => Self::Full32,
            11 => Self::Instance32,
            13 => Self::Error,
            15 => Self::Message,
            16 => Self::PerfInfo32,
            17 => Self::PerfInfo64,
            18 => Self::EventHeader32,
            19 => Self::EventHeader64,
            20 => Self::Full64,
            21 => Self::Instance64,
            _ => return None,
        })
    }

    /// Width of the pointers in the payload.
    fn width(self) -> Width {
        match self {
            Self::System32
            | Self::Compact32
            | Self::Full32
            | Self::Instance32
            | Self::PerfInfo32
            | Self::EventHeader32 => Width::Bits32,
            _ => Width::Bits64,
        }
    }

    /// Length of the fixed part of the header.
    fn length(self) -> usize {
        match self {
            Self::Error | Self::Message => 8,
            Self::PerfInfo32 | Self::PerfInfo64 => 16,
            Self::Compact32 | Self::Compact64 => 24,
            Self::System32 | Self::System64 => 32,
            Self::Full32 | Self::Full64 => 48,
            Self::Instance32 | Self::Instance64 => 72,
            Self::EventHeader32 | Self::EventHeader64 => 80,
        }
    }

    /// Where the record's size and its time stand.
    fn size_and_time(self) -> (usize, usize) {
        match self {
            Self::System32 | Self::System64 | Self::Compact32 | Self::Compact64 => (4, 0x10),
            Self::PerfInfo32 | Self::PerfInfo64 => (4, 8),
            _ => (0, 0x10),
        }
    }

    /// Whether it says what happened and when; the others are counted only.
    pub(super) fn tells(self) -> bool {
        !matches!(self, Self::Error | Self::Message)
    }
}

/// Every header has its time in its first bytes.
pub(super) const TIMED: usize = 24;

/// The time of the record that `bytes` begin with, which need not hold all of it.
pub(super) fn time(bytes: &[u8]) -> Option<Ticks> {
    let start: [u8; 8] = *bytes.first_chunk()?;
    let kind = HeaderKind::of(start[2], start[3])?;
    let time = bytes.get(kind.size_and_time().1..)?.first_chunk()?;
    kind.tells().then_some(Ticks(u64::from_le_bytes(*time)))
}

/// Outlines the record that `bytes` begin with; `None` where there is none, or not all of it.
#[inline]
pub(super) fn outline(bytes: &[u8]) -> Option<Outline> {
    let start: [u8; 8] = *bytes.first_chunk()?;
    let kind = HeaderKind::of(start[2], start[3])?;
    let (size_at, time_at) = kind.size_and_time();
    let size = usize::from(u16::from_le_bytes([start[size_at], start[size_at + 1]]));
    if size < kind.length() || size > bytes.len() {
        return None;
    }
    let time = if kind.tells() { Ticks(eight(bytes, time_at)) } else { Ticks(0) };
    Some(Outline { kind, size, time })
}

/// The record that `bytes` are, which were outlined before; `false` beside it where its extended items or
/// its header do not fit into it: then it has no payload.
#[inline]
pub(super) fn record(bytes: &[u8], lies: Lies) -> Option<(Record<'_>, bool)> {
    let start: [u8; 16] = *bytes.first_chunk()?;
    let kind = HeaderKind::of(start[2], start[3])?;
    let two = |at: usize| u16::from_le_bytes([start[at], start[at + 1]]);
    let four =
        |at: usize| u32::from_le_bytes([start[at], start[at + 1], start[at + 2], start[at + 3]]);
    let (mut opcode, mut id, mut version) = (start[6], 0, two(0));
    let mut header = kind.length();
    let (mut whole, mut extended) = (true, &[][..]);
    let provider = match kind {
        HeaderKind::PerfInfo32 | HeaderKind::PerfInfo64 => {
            // The upper byte says what stands between header and payload.
            header += 8 * usize::from(version >> 15);
            header += 8 * usize::from((version >> 8) & 7);
            version &= 0xff;
            Provider::Group(start[7])
        }
        HeaderKind::System32
        | HeaderKind::System64
        | HeaderKind::Compact32
        | HeaderKind::Compact64 => Provider::Group(start[7]),
        HeaderKind::Full32
        | HeaderKind::Full64
        | HeaderKind::Instance32
        | HeaderKind::Instance64 => {
            opcode = start[4];
            version = two(6);
            guid(bytes)
        }
        HeaderKind::EventHeader32 | HeaderKind::EventHeader64 => {
            let descriptor: [u8; 8] = *bytes.get(0x28..)?.first_chunk()?;
            id = u16::from_le_bytes([descriptor[0], descriptor[1]]);
            version = descriptor[2].into();
            opcode = descriptor[5];
            if two(4) & EXTENDED != 0 {
                let items = items(bytes.get(header..)?);
                whole = items.is_some();
                let length = items.unwrap_or(bytes.len());
                extended = bytes.get(header..header.saturating_add(length)).unwrap_or(&[]);
                header = header.saturating_add(length);
            }
            guid(bytes)
        }
        HeaderKind::Error | HeaderKind::Message => return None,
    };
    let payload = bytes.get(header..);
    whole &= payload.is_some();
    let threaded = !matches!(kind, HeaderKind::PerfInfo32 | HeaderKind::PerfInfo64);
    // Put together at once, of what is in registers: one that is read just after its bytes were written singly makes
    // the processor wait.
    let record = Record {
        offset: lies.offset,
        time: lies.time,
        processor: lies.processor,
        process: threaded.then(|| four(12)),
        thread: threaded.then(|| four(8)),
        width: kind.width(),
        provider,
        opcode,
        id,
        version,
        payload: payload.unwrap_or(&[]),
        extended,
    };
    Some((record, whole))
}

#[inline]
fn guid(bytes: &[u8]) -> Provider {
    let (low, high) = (eight(bytes, 0x18), eight(bytes, 0x20));
    Provider::Guid((u128::from(high) << 64 | u128::from(low)).to_le_bytes())
}

#[inline]
fn eight(bytes: &[u8], at: usize) -> u64 {
    let word = bytes.get(at..).and_then(|rest| rest.first_chunk());
    u64::from_le_bytes(word.copied().unwrap_or_default())
}

/// How long the extended items are that `bytes` begin with; `None` where they leave it.
fn items(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let item: [u8; ITEM] = *bytes.get(at..)?.first_chunk()?;
        let size = usize::from(u16::from_le_bytes([item[0], item[1]]));
        let data = usize::from(u16::from_le_bytes([item[6], item[7]]));
        at = at.checked_add(size)?;
        if size < ITEM + data || at > bytes.len() {
            return None;
        }
        if item[4] & 1 == 0 {
            return Some(at);
        }
    }
}
