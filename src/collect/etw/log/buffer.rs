//! A buffer of a log, with its header.

use super::BUFFER;

/// Length of the header.
const HEADER: usize = 0x48;

/// What kind of buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The first, with the log's description.
    First,
    /// Any other.
    Full,
}

/// A buffer being filled.
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    processor: u16,
}

impl Buffer {
    /// An empty one.
    pub fn new(processor: u16) -> Buffer {
        Buffer { bytes: vec![0; HEADER], processor }
    }

    /// Puts a record in, if there is room.
    pub fn put(&mut self, record: &[u8]) -> bool {
        let end = (self.bytes.len() + record.len()).next_multiple_of(8);
        if end > BUFFER {
            return false;
        }
        self.bytes.extend(record);
        self.bytes.resize(end, 0);
        true
    }

    /// The buffer as it is written, at a FILETIME, as the n-th.
    ///
    /// ```text
    /// 00  4  size                        28  2  processor
    /// 04  4  where its records end       2a  2  session
    /// 08  4  the same                    2c  4  state: 3; in the first the compression: 0
    /// 0c  4  0                           30  4  where its records end
    /// 10  8  when it was written         34  2  flags: 01 the session's end or beginning, 20 two bytes of processor
    /// 18  8  number                      36  2  type: 4 the first, 0 others
    /// 20  8  clock: 0                    38 10  0
    /// ```
    ///
    /// What is left of it is filled with ff.
    pub fn close(mut self, time: u64, number: u64, kind: Kind) -> Vec<u8> {
        let end = (self.bytes.len() as u32).to_le_bytes();
        let (state, flags, of) = match kind {
            Kind::First => (0u32, 0x21u16, 4u16),
            Kind::Full => (3, 0x20, 0),
        };
        self.bytes.resize(BUFFER, 0xff);
        let mut put = |at: usize, value: &[u8]| {
            if let Some(place) = self.bytes.get_mut(at..at + value.len()) {
                place.copy_from_slice(value);
            }
        };
        put(0x00, &(BUFFER as u32).to_le_bytes());
        put(0x04, &end);
        put(0x08, &end);
        put(0x10, &time.to_le_bytes());
        put(0x18, &number.to_le_bytes());
        put(0x28, &self.processor.to_le_bytes());
        put(0x2c, &state.to_le_bytes());
        put(0x30, &end);
        put(0x34, &flags.to_le_bytes());
        put(0x36, &of.to_le_bytes());
        self.bytes
    }
}
