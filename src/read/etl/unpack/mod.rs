//! How a session compresses its buffers: the formats of Microsoft's specification MS-XCA.
//!
//! Each takes what is stored and fills room whose length is known beforehand, and can do no more. What could be
//! unpacked before damage is of use: it is left there, and its length told.

mod copy;
mod huffman;
mod lznt1;
mod xpress;

/// A format of compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// LZNT1.
    Lznt1,
    /// Plain LZ77, called XPRESS.
    Xpress,
    /// LZ77 with Huffman's code, called XPRESS-Huffman.
    Huffman,
}

/// The stored bytes are damaged; up to `length` they could be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt {
    /// How many bytes were unpacked.
    pub length: usize,
}

impl Format {
    /// The format that a log's first buffer names in its state.
    pub(super) fn of(state: u32) -> Option<Self> {
        match state & 0xffff {
            2 => Some(Self::Lznt1),
            3 => Some(Self::Xpress),
            4 => Some(Self::Huffman),
            _ => None,
        }
    }

    /// Unpacks into `room` and says how much of it was filled. It stops where `room` is full or `packed` ends.
    ///
    /// # Errors
    /// `packed` refers to what was not unpacked before, ends within a unit, or has no sense.
    pub fn unpack(self, packed: &[u8], room: &mut [u8]) -> Result<usize, Corrupt> {
        match self {
            Self::Lznt1 => lznt1::unpack(packed, room),
            Self::Xpress => xpress::unpack(packed, room),
            Self::Huffman => huffman::unpack(packed, room),
        }
    }
}
