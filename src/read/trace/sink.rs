//! Bytes out: the variable-length integers, strings and options that records are made of.
//! What is longer than the format allows is cut, and counted.

use super::tags::{MAX_LIST_BYTES, MAX_STRING};

/// The longest integer, in bytes.
pub(super) const LONGEST: usize = 10;

/// A growing run of bytes.
#[derive(Default)]
pub(super) struct Sink {
    /// Written bytes, then room.
    bytes: Vec<u8>,
    len: usize,
    /// Strings and lists that were cut.
    pub cut: u64,
}

impl Sink {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn clear(&mut self) {
        self.len = 0;
    }

    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    #[inline]
    fn room(&mut self, more: usize) {
        if self.bytes.len() - self.len < more {
            self.grow(more);
        }
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        self.bytes.resize((self.len + more).max(self.bytes.len() * 2).max(4096), 0);
    }

    #[inline]
    pub fn byte(&mut self, byte: u8) {
        self.room(1);
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    pub fn slice(&mut self, slice: &[u8]) {
        self.room(slice.len());
        self.bytes[self.len..self.len + slice.len()].copy_from_slice(slice);
        self.len += slice.len();
    }

    /// An integer, seven bits a byte, the lowest first; the top bit says that more follow.
    #[inline]
    pub fn varint(&mut self, value: u64) {
        self.room(LONGEST);
        if value < 1 << 7 {
            self.bytes[self.len] = value as u8;
            self.len += 1;
        } else if value < 1 << 56 {
            let bytes = (70 - value.leading_zeros() as usize) / 7;
            let more = 0x8080_8080_8080_8080 & ((1 << (8 * (bytes - 1))) - 1);
            let word = spread(value) | more;
            self.bytes[self.len..self.len + 8].copy_from_slice(&word.to_le_bytes());
            self.len += bytes;
        } else {
            self.long(value);
        }
    }

    #[cold]
    fn long(&mut self, mut value: u64) {
        while value >= 1 << 7 {
            self.bytes[self.len] = value as u8 | 0x80;
            self.len += 1;
            value >>= 7;
        }
        self.bytes[self.len] = value as u8;
        self.len += 1;
    }

    /// A signed integer: 0, -1, 1, -2, ... as 0, 1, 2, 3, ...
    #[inline]
    pub fn signed(&mut self, value: i64) {
        self.varint(zigzag(value));
    }

    /// Length, then UTF-8. What is too long is cut and counted.
    pub fn str(&mut self, text: &str) {
        let text = self.shortened(text);
        self.varint(text.len() as u64);
        self.slice(text.as_bytes());
    }

    /// As [`Sink::str`], with the length plus one; 0 for none.
    pub fn optional_str(&mut self, text: Option<&str>) {
        match text {
            None => self.byte(0),
            Some(text) => {
                let text = self.shortened(text);
                self.varint(text.len() as u64 + 1);
                self.slice(text.as_bytes());
            }
        }
    }

    fn shortened<'a>(&mut self, text: &'a str) -> &'a str {
        if text.len() <= MAX_STRING {
            return text;
        }
        self.cut += 1;
        &text[..text.floor_char_boundary(MAX_STRING)]
    }

    /// 0 for none, else 1 and the integer.
    pub fn optional(&mut self, value: Option<u64>) {
        match value {
            None => self.byte(0),
            Some(value) => {
                self.byte(1);
                self.varint(value);
            }
        }
    }

    /// The number of items, then each. A list that grows too long is cut and counted.
    pub fn list<T>(&mut self, items: &[T], mut put: impl FnMut(&mut Sink, &T)) {
        let mut list = Sink::default();
        let mut count = 0;
        for item in items {
            if list.len >= MAX_LIST_BYTES {
                self.cut += 1;
                break;
            }
            put(&mut list, item);
            count += 1;
        }
        self.cut += list.cut;
        self.varint(count);
        self.slice(list.as_slice());
    }
}

/// Signed to unsigned, so that small magnitudes stay small.
#[inline]
pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Seven bits into each byte's lower seven, for values below 2^56.
#[inline]
fn spread(value: u64) -> u64 {
    let x = (value & 0x0000_0000_0fff_ffff) | ((value & 0x00ff_ffff_f000_0000) << 4);
    let x = (x & 0x0000_3fff_0000_3fff) | ((x & 0x0fff_c000_0fff_c000) << 2);
    (x & 0x007f_007f_007f_007f) | ((x & 0x3f80_3f80_3f80_3f80) << 1)
}
