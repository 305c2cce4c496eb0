//! How a session compresses its buffers: the formats of the specification MS-XCA.

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

    /// Unpacks up to `length` bytes into `bytes`, which is emptied first. What could be unpacked before an error is
    /// left there.
    pub(super) fn unpack(self, _: &[u8], _: usize, bytes: &mut Vec<u8>) -> Result<(), ()> {
        bytes.clear();
        Err(())
    }
}
