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
        let units: Vec<u16> = self
            .bytes
            .chunks_exact(2)
            .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
            .take_while(|unit| *unit != 0)
            .collect();
        let len = (units.len() * 2 + 2).min(self.bytes.len());
        self.bytes = self.bytes.get(len..).unwrap_or_default();
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
