//! Bytes in: reads what a sink wrote, from bytes that nobody vouches for. A cursor refuses to read
//! past its end and never makes more room than it has bytes for.

use super::sink::LONGEST;
use super::tags::MAX_STRING;

/// How many readable bytes must follow a cursor's end, so that eight can be loaded at once.
pub(super) const PADDING: usize = 16;

/// Why a record cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skip {
    /// It does not follow the format.
    Malformed,
    /// It holds something that a later version defined.
    Newer,
}

/// A place in a run of bytes, and its end.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    pos: usize,
    end: usize,
    /// Codes met that this version does not know.
    pub unknown_codes: u64,
}

impl<'a> Cursor<'a> {
    /// Over the first `end` of `bytes`, which must hold [`PADDING`] more; what is beyond them
    /// reads as malformed.
    pub fn new(bytes: &'a [u8], end: usize) -> Self {
        Self { bytes, pos: 0, end: end.min(bytes.len()), unknown_codes: 0 }
    }

    pub fn at_end(&self) -> bool {
        self.pos >= self.end
    }

    /// Whether nothing was read beyond the end.
    #[inline]
    pub fn within(&self) -> bool {
        self.pos <= self.end
    }

    /// The next `len` bytes as a cursor of their own; this one moves behind them.
    pub fn split(&mut self, len: u64) -> Result<Cursor<'a>, Skip> {
        let left = self.end.checked_sub(self.pos).ok_or(Skip::Malformed)?;
        let len = usize::try_from(len).ok().filter(|len| *len <= left).ok_or(Skip::Malformed)?;
        let part =
            Cursor { bytes: self.bytes, pos: self.pos, end: self.pos + len, unknown_codes: 0 };
        self.pos += len;
        Ok(part)
    }

    #[inline]
    pub fn byte(&mut self) -> Result<u8, Skip> {
        let byte = *self.bytes.get(self.pos).ok_or(Skip::Malformed)?;
        self.pos += 1;
        Ok(byte)
    }

    #[inline]
    pub fn varint(&mut self) -> Result<u64, Skip> {
        let Some(Ok(word)) = self.bytes.get(self.pos..self.pos + 8).map(<[u8; 8]>::try_from) else {
            return Err(Skip::Malformed);
        };
        let word = u64::from_le_bytes(word);
        if word & 0x80 == 0 {
            self.pos += 1;
            return Ok(word & 0x7f);
        }
        let stop = !word & 0x8080_8080_8080_8080;
        if stop == 0 {
            return self.long();
        }
        // The bits up to and with the first clear top bit.
        let kept = word & (stop ^ (stop - 1));
        self.pos += (stop.trailing_zeros() as usize + 1) / 8;
        Ok(gather(kept))
    }

    /// Nine or ten bytes.
    #[cold]
    fn long(&mut self) -> Result<u64, Skip> {
        let mut value = 0;
        for n in 0..LONGEST {
            let byte = self.byte()?;
            if n == LONGEST - 1 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * n);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Skip::Malformed)
    }

    #[inline]
    pub fn u32(&mut self) -> Result<u32, Skip> {
        u32::try_from(self.varint()?).map_err(|_| Skip::Malformed)
    }

    pub fn signed(&mut self) -> Result<i64, Skip> {
        Ok(unzigzag(self.varint()?))
    }

    pub fn i32(&mut self) -> Result<i32, Skip> {
        i32::try_from(self.signed()?).map_err(|_| Skip::Malformed)
    }

    pub fn bool(&mut self) -> Result<bool, Skip> {
        Ok(self.byte()? != 0)
    }

    /// A code looked up among those known; an unknown one is counted and reads as `fallback`.
    pub fn code<T: Copy>(&mut self, known: &[T], fallback: T) -> Result<T, Skip> {
        let code = self.byte()?;
        Ok(known.get(usize::from(code)).copied().unwrap_or_else(|| {
            self.unknown_codes += 1;
            fallback
        }))
    }

    /// A code without which the record says nothing.
    pub fn vital_code<T: Copy>(&mut self, known: &[T]) -> Result<T, Skip> {
        known.get(usize::from(self.byte()?)).copied().ok_or(Skip::Newer)
    }

    pub fn str(&mut self) -> Result<String, Skip> {
        let len = self.varint()?;
        self.text(len)
    }

    pub fn optional_str(&mut self) -> Result<Option<String>, Skip> {
        match self.varint()? {
            0 => Ok(None),
            len => self.text(len - 1).map(Some),
        }
    }

    fn text(&mut self, len: u64) -> Result<String, Skip> {
        if len > MAX_STRING as u64 {
            return Err(Skip::Malformed);
        }
        let part = self.split(len)?;
        let bytes = self.bytes.get(part.pos..part.end).ok_or(Skip::Malformed)?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Skip::Malformed)
    }

    /// All that is left, as text.
    pub fn rest(&mut self) -> Result<String, Skip> {
        self.text(self.end.saturating_sub(self.pos) as u64)
    }

    pub fn optional(&mut self) -> Result<Option<u64>, Skip> {
        if self.bool()? { self.varint().map(Some) } else { Ok(None) }
    }

    /// A list; room is made as items are read, never ahead of them.
    pub fn list<T>(
        &mut self,
        mut take: impl FnMut(&mut Self) -> Result<T, Skip>,
    ) -> Result<Vec<T>, Skip> {
        let count = self.varint()?;
        let mut items = Vec::new();
        for _ in 0..count {
            if self.at_end() {
                return Err(Skip::Malformed);
            }
            items.push(take(self)?);
        }
        Ok(items)
    }
}

/// The reverse of `zigzag` in `sink.rs`.
#[inline]
pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// The reverse of `spread` in `sink.rs`; each byte's top bit is dropped.
#[inline]
fn gather(word: u64) -> u64 {
    let x = (word & 0x007f_007f_007f_007f) | ((word & 0x7f00_7f00_7f00_7f00) >> 1);
    let x = (x & 0x0000_3fff_0000_3fff) | ((x & 0x3fff_0000_3fff_0000) >> 2);
    (x & 0x0000_0000_0fff_ffff) | ((x & 0x0fff_ffff_0000_0000) >> 4)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

    use proptest::prelude::*;

    use super::super::sink::{Sink, zigzag};
    use super::*;

    /// What the integers must look like, written the slow way.
    fn leb128(mut value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    }

    fn check(value: u64) {
        let mut sink = Sink::default();
        sink.varint(value);
        assert_eq!(sink.as_slice(), leb128(value));
        let mut bytes = sink.as_slice().to_vec();
        let len = bytes.len();
        bytes.extend([0xff; PADDING]);
        let mut cursor = Cursor::new(&bytes, len);
        assert_eq!(cursor.varint(), Ok(value));
        assert!(cursor.at_end() && cursor.within());
    }

    #[test]
    fn integers_at_every_length() {
        for bits in 0..64 {
            check(1 << bits);
            check((1 << bits) - 1);
        }
        check(u64::MAX);
    }

    proptest! {
        #[test]
        fn integers_come_back(value: u64, shift in 0_u32..64) {
            check(value >> shift);
        }

        #[test]
        fn signs_come_back(value: i64) {
            prop_assert_eq!(unzigzag(zigzag(value)), value);
        }

        #[test]
        fn nothing_is_read_beyond_the_end(bytes: Vec<u8>, end: usize) {
            let mut cursor = Cursor::new(&bytes, end);
            let _ = cursor.optional_str();
            let _ = cursor.list(Cursor::str);
            let _ = cursor.varint();
            let _ = cursor.split(1);
        }
    }

    #[test]
    fn more_than_64_bits_are_malformed() {
        let mut bytes = vec![0xff; 9];
        bytes.push(2);
        bytes.extend([0; PADDING]);
        assert_eq!(Cursor::new(&bytes, 10).varint(), Err(Skip::Malformed));
    }

    #[test]
    fn long_strings_are_cut_between_characters() {
        let mut sink = Sink::default();
        sink.str(&"\u{20ac}".repeat(MAX_STRING));
        assert_eq!(sink.cut, 1);
        let mut bytes = sink.as_slice().to_vec();
        let len = bytes.len();
        bytes.extend([0; PADDING]);
        let text = Cursor::new(&bytes, len).str().unwrap();
        assert_eq!(text.len(), MAX_STRING / 3 * 3);
    }
}
