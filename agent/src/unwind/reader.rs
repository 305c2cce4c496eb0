//! A cursor over bytes of an unwind table in memory, which never reads outside its module.

use super::memory::pointer;

/// A position within a module's mapping.
#[derive(Clone, Copy)]
pub(super) struct Reader {
    /// Address of the next byte.
    pub(super) at: u64,
    end: u64,
}

// How DWARF encodes a pointer: the low four bits say its size, the next three its base.
const FORMAT: u8 = 0x0f;
const BASE: u8 = 0x70;
const PC_RELATIVE: u8 = 0x10;
const DATA_RELATIVE: u8 = 0x30;
const INDIRECT: u8 = 0x80;
pub(super) const OMITTED: u8 = 0xff;

impl Reader {
    /// A reader of the bytes from `at` up to `end`, all of which must be mapped and readable.
    ///
    /// # Safety
    /// They are, and stay so while the reader is used.
    pub(super) unsafe fn new(at: u64, end: u64) -> Reader {
        Reader { at, end: end.max(at) }
    }

    /// The same, ending after `length` bytes at the latest.
    pub(super) fn take(self, length: u64) -> Option<Reader> {
        (length <= self.end - self.at).then(|| Reader { at: self.at, end: self.at + length })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at >= self.end
    }

    pub(super) fn skip(&mut self, bytes: u64) -> Option<()> {
        if bytes > self.end - self.at {
            return None;
        }
        self.at += bytes;
        Some(())
    }

    fn read<T: Copy>(&mut self) -> Option<T> {
        let at = self.at;
        self.skip(size_of::<T>() as u64)?;
        // SAFETY: within the reader's range by the line above.
        Some(unsafe { pointer::<T>(at).read_unaligned() })
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.read()
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.read()
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.read()
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        self.read()
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.read()
    }

    pub(super) fn uleb(&mut self) -> Option<u64> {
        let mut value = 0u64;
        let mut shift = 0;
        loop {
            let byte = self.u8()?;
            if shift < 64 {
                value |= ((byte & 0x7f) as u64) << shift;
            }
            shift += 7;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
    }

    pub(super) fn sleb(&mut self) -> Option<i64> {
        let mut value = 0i64;
        let mut shift = 0;
        loop {
            let byte = self.u8()?;
            if shift < 64 {
                value |= ((byte & 0x7f) as i64) << shift;
            }
            shift += 7;
            if byte & 0x80 == 0 {
                if shift < 64 && byte & 0x40 != 0 {
                    value |= -1i64 << shift;
                }
                return Some(value);
            }
        }
    }

    /// A pointer in a DWARF encoding. `data` is the base of data-relative ones.
    pub(super) fn encoded(&mut self, encoding: u8, data: u64) -> Option<u64> {
        if encoding == OMITTED || encoding & INDIRECT != 0 {
            return None;
        }
        let base = match encoding & BASE {
            0 => 0,
            PC_RELATIVE => self.at,
            DATA_RELATIVE => data,
            _ => return None,
        };
        Some(base.wrapping_add(self.unbased(encoding)?))
    }

    /// The number of a pointer in a DWARF encoding, without its base.
    pub(super) fn unbased(&mut self, encoding: u8) -> Option<u64> {
        Some(match encoding & FORMAT {
            0x00 | 0x04 | 0x0c => self.u64()?,
            0x01 => self.uleb()?,
            0x02 => self.u16()? as u64,
            0x03 => self.u32()? as u64,
            0x09 => self.sleb()? as u64,
            0x0a => self.u16()? as i16 as u64,
            0x0b => self.i32()? as u64,
            _ => return None,
        })
    }
}
