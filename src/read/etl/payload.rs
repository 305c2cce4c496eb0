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
        let (a, b, c) = (self.u32()?, self.array().map(u16::from_le_bytes)?, self.array()?);
        let rest = u64::from_be_bytes(self.array()?);
        Some(format!("{a:08X}{b:04X}{:04X}{rest:016X}", u16::from_le_bytes(c)))
    }

    /// A UTF-16 string up to its NUL, or to the end where there is none. Halves of surrogate pairs become
    /// replacement characters.
    pub fn utf16(&mut self) -> String {
        let (units, _) = self.bytes.as_chunks::<2>();
        let len = units.iter().position(|unit| *unit == [0, 0]).unwrap_or(units.len());
        let units = units.get(..len).unwrap_or(units);
        self.bytes = self.bytes.get(len * 2 + 2..).unwrap_or_default();
        // Nearly all are names of files in ASCII, of which each unit is a byte.
        if units.iter().fold(0, |all, [low, high]| all | low & 0x80 | high) == 0
            && let Ok(text) = String::from_utf8(units.iter().map(|[low, _]| *low).collect())
        {
            return text;
        }
        let units: Vec<u16> = units.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
        String::from_utf16_lossy(&units)
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
    fn a_string_need_not_be_ascii() {
        for text in ["\u{7f}\u{80}", "Gr\u{fc}n", "\u{141}\u{f3}d\u{17a}", "\u{1f4be}.dll"] {
            let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            assert_eq!(read(&bytes), (text.to_owned(), &b""[..]));
        }
        let half = [0x61, 0, 0x3d, 0xd8, 0x62, 0];
        assert_eq!(read(&half), ("a\u{fffd}b".to_owned(), &b""[..]));
    }
}
