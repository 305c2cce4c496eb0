//! A record's payload, field by field, every access checked: a field that lies beyond the end is `None`, and
//! the record is a counted fault, never a guess.

use super::record::{Record, Width};

/// What is left of a payload.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a> {
    bytes: &'a [u8],
    width: Width,
}

impl<'a> Payload<'a> {
    /// The whole payload of a record.
    pub fn of(record: &Record<'a>) -> Self {
        Payload { bytes: record.payload, width: record.width }
    }

    /// The bytes that are left.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(*taken)
    }

    /// 32 bits.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// 64 bits.
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A pointer or a `SIZE_T` of the traced system.
    #[inline]
    pub fn pointer(&mut self) -> Option<u64> {
        match self.width {
            Width::Bits32 => self.u32().map(u64::from),
            Width::Bits64 => self.u64(),
        }
    }

    /// A GUID, as 32 hexadecimal digits, upper-case, without dashes.
    pub fn guid(&mut self) -> Option<String> {
        let [a0, a1, a2, a3, b0, b1, c0, c1, rest @ ..]: [u8; 16] = self.array()?;
        let [d0, d1, d2, d3, d4, d5, d6, d7] = rest;
        let bytes = [a3, a2, a1, a0, b1, b0, c1, c0, d0, d1, d2, d3, d4, d5, d6, d7];
        // A log names thousands of program databases, and `format!` takes several times as long.
        let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        Some(digits.map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])).collect())
    }

    /// Passes over a UTF-16 string and its NUL.
    pub fn skip_utf16(&mut self) {
        self.units();
    }

    /// A UTF-16 string up to its NUL, or to the end where there is none. Halves of surrogate pairs become
    /// replacement characters.
    pub fn utf16(&mut self) -> String {
        let units = self.units();
        // Nearly all are names of files in ASCII, of which each unit is a byte.
        if units.iter().fold(0, |all, [low, high]| all | low & 0x80 | high) == 0
            && let Ok(text) = String::from_utf8(units.iter().map(|[low, _]| *low).collect())
        {
            return text;
        }
        let units: Vec<u16> = units.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
        String::from_utf16_lossy(&units)
    }

    fn units(&mut self) -> &'a [[u8; 2]] {
        let (units, _) = self.bytes.as_chunks::<2>();
        let len = units.iter().position(|unit| *unit == [0, 0]).unwrap_or(units.len());
        self.bytes = self.bytes.get(len * 2 + 2..).unwrap_or_default();
        units.get(..len).unwrap_or(units)
    }

    /// A string of bytes up to its NUL, or to the end where there is none; what is no UTF-8 becomes
    /// replacement characters.
    pub fn text(&mut self) -> String {
        let len = self.bytes.iter().position(|byte| *byte == 0).unwrap_or(self.bytes.len());
        let (text, rest) = self.bytes.split_at(len);
        self.bytes = rest.get(1..).unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The string that bytes begin with, and what is left behind it.
    fn read(bytes: &[u8]) -> (String, &[u8]) {
        let mut from = Payload { bytes, width: Width::Bits64 };
        (from.utf16(), from.rest())
    }

    #[test]
    fn a_string_ends_at_its_nul_or_where_the_payload_does() {
        assert_eq!(read(b"a\0b\0\0\0c\0"), ("ab".to_owned(), &b"c\0"[..]));
        assert_eq!(read(b"a\0b\0"), ("ab".to_owned(), &b""[..]));
        assert_eq!(read(b"a\0b"), ("a".to_owned(), &b""[..]), "half a unit is none");
        assert_eq!(read(b"\0\0a\0"), (String::new(), &b"a\0"[..]));
        assert_eq!(read(b""), (String::new(), &b""[..]));
    }

    #[test]
    fn a_string_that_is_passed_over_is_as_long_as_one_that_is_read() {
        for bytes in [&b"a\0b\0\0\0c\0"[..], b"a\0b\0", b"a\0b", b"\0\0a\0", b""] {
            let mut from = Payload { bytes, width: Width::Bits64 };
            from.skip_utf16();
            assert_eq!(from.rest(), read(bytes).1);
        }
    }

    #[test]
    fn a_guid_has_three_little_endian_fields_and_eight_bytes() {
        let bytes: Vec<u8> = (0..17).map(|n| n * 15).collect();
        let mut from = Payload { bytes: &bytes, width: Width::Bits64 };
        assert_eq!(from.guid().as_deref(), Some("2D1E0F004B3C695A788796A5B4C3D2E1"));
        assert_eq!(from.rest(), [240]);
        assert_eq!(from.guid(), None, "a byte is none");
    }

    #[test]
    fn a_string_need_not_be_ascii() {
        for text in ["\u{7f}\u{80}", "Gr\u{fc}n", "\u{141}\u{f3}d\u{17a}", "\u{1f4be}.dll"] {
            let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            assert_eq!(read(&bytes), (text.to_owned(), &b""[..]));
        }
        let half = [0x61, 0, 0x3d, 0xd8, 0x62, 0];
        assert_eq!(read(&half), ("a\u{fffd}b".to_owned(), &b""[..]));
    }
}
