//! The header of a buffer: a log is a row of buffers, each filled on one processor.

/// A buffer header's length; its records follow.
pub(super) const LEN: usize = 0x48;

/// No session has larger buffers; a size beyond this is damage.
pub(super) const LARGEST: u32 = 16 << 20;

/// The header of a buffer, as far as it is of use. Integers are little-endian.
///
/// ```text
/// 00  4  size as stored: the step to the next buffer
/// 04  4  saved offset: 0 or too small on Windows 7, not used
/// 10  8  when it was written out (FILETIME), not used
/// 28  2  processor; only the lower byte of it without flag 20
/// 2a  2  session
/// 2c  4  state; in a log's first buffer the lower half is the compression format
/// 30  4  where its records end, counted from the header's start, unpacked
/// 34  2  flags: 02 events were lost, 04 buffers were lost, 20 processor has two bytes, 40 compressed
/// 36  2  type; 4 is the first of a log
/// 48
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BufferHeader {
    pub size: u32,
    pub processor: u16,
    pub state: u32,
    pub end: u32,
    pub flags: u16,
    pub kind: u16,
}

pub(super) mod flag {
    pub const EVENTS_LOST: u16 = 0x02;
    pub const BUFFERS_LOST: u16 = 0x04;
    pub const PROCESSOR_INDEX: u16 = 0x20;
    pub const COMPRESSED: u16 = 0x40;
    /// All that are known.
    pub const ALL: u16 = 0x7f;
}

/// The highest type known is 8.
const KINDS: u16 = 16;

impl BufferHeader {
    pub fn decode(bytes: &[u8; LEN]) -> Self {
        let two = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let four = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let flags = two(0x34);
        // Windows 7 has the buffer's alignment in the upper byte.
        let mask = if flags & flag::PROCESSOR_INDEX == 0 { 0xff } else { 0xffff };
        Self {
            size: four(0),
            processor: two(0x28) & mask,
            state: four(0x2c),
            end: four(0x30),
            flags,
            kind: two(0x36),
        }
    }

    pub fn compressed(&self) -> bool {
        self.flags & flag::COMPRESSED != 0
    }

    /// Whether this can be a buffer of a log with buffers of `largest` bytes.
    pub fn plausible(&self, largest: u32) -> bool {
        (LEN as u32..=largest).contains(&self.size)
            && (LEN as u32..=largest).contains(&self.end)
            && self.flags & !flag::ALL == 0
            && self.kind < KINDS
    }

    /// Length of what is stored behind the header.
    pub fn stored(&self) -> usize {
        (self.size as usize).saturating_sub(LEN)
    }

    /// Length of the records, unpacked.
    pub fn records(&self) -> usize {
        (self.end as usize).saturating_sub(LEN)
    }
}
