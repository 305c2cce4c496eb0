//! Any text as UTF-8. The encoding is told from the first bytes: UTF-16 by its mark or by its zeros
//! (PowerShell's `>` writes it), everything else as UTF-8. Bytes that are none are taken for
//! Windows-1252, one by one, so that no byte is lost and no file is refused for its encoding.

use std::io::{self, Read};

/// How many bytes are converted at once.
const CHUNK: usize = 16 * 1024;

/// What Windows-1252 has for the bytes 0x80 to 0x9f; 0 where it has nothing.
const WINDOWS_1252: [u16; 32] = [
    0x20ac, 0, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152,
    0, 0x17d, 0, 0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161,
    0x203a, 0x153, 0, 0x17e, 0x178,
];

/// What the bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Bytes,
    Utf16 { little: bool },
}

/// A reader of UTF-8 over a reader of anything; a byte-order mark is left out.
#[derive(Debug)]
pub struct Utf8<R> {
    reader: R,
    encoding: Option<Encoding>,
    /// Bytes that were read and not converted: the beginning of a character, at the end of a chunk.
    raw: Vec<u8>,
    out: Vec<u8>,
    at: usize,
    ended: bool,
}

impl<R: Read> Utf8<R> {
    /// Over a reader from its beginning.
    pub fn new(reader: R) -> Self {
        let (raw, out) = (Vec::new(), Vec::new());
        Utf8 { reader, encoding: None, raw, out, at: 0, ended: false }
    }

    /// Converts the next chunk.
    fn refill(&mut self) -> io::Result<()> {
        let (before, wanted) = (self.raw.len(), CHUNK - self.raw.len().min(CHUNK / 2));
        // The first bytes tell the encoding: a pipe may give them one by one.
        let read = (&mut self.reader).take(wanted as u64).read_to_end(&mut self.raw)?;
        self.ended = self.raw.len() < before + wanted || read == 0;
        let encoding = *self.encoding.get_or_insert_with(|| {
            let (encoding, mark) = tell(&self.raw);
            self.raw.drain(..mark);
            encoding
        });
        self.out.clear();
        self.at = 0;
        let used = match encoding {
            Encoding::Bytes => bytes(&self.raw, self.ended, &mut self.out),
            Encoding::Utf16 { little } => utf16(&self.raw, little, self.ended, &mut self.out),
        };
        self.raw.drain(..used);
        Ok(())
    }
}

impl<R: Read> Read for Utf8<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.out.len() {
            if self.ended {
                return Ok(0);
            }
            self.refill()?;
        }
        let some = into.len().min(self.out.len() - self.at);
        into[..some].copy_from_slice(&self.out[self.at..self.at + some]);
        self.at += some;
        Ok(some)
    }
}

/// The encoding, and the length of its mark.
fn tell(start: &[u8]) -> (Encoding, usize) {
    match start {
        [0xef, 0xbb, 0xbf, ..] => (Encoding::Bytes, 3),
        [0xff, 0xfe, ..] => (Encoding::Utf16 { little: true }, 2),
        [0xfe, 0xff, ..] => (Encoding::Utf16 { little: false }, 2),
        [a, 0, b, 0, ..] if *a != 0 && *b != 0 => (Encoding::Utf16 { little: true }, 0),
        [0, a, 0, b, ..] if *a != 0 && *b != 0 => (Encoding::Utf16 { little: false }, 0),
        _ => (Encoding::Bytes, 0),
    }
}

/// Converts bytes; how many were used. At the end all are.
fn bytes(raw: &[u8], ended: bool, out: &mut Vec<u8>) -> usize {
    let mut rest = raw;
    loop {
        match std::str::from_utf8(rest) {
            Ok(text) => {
                out.extend_from_slice(text.as_bytes());
                return raw.len();
            }
            Err(error) => {
                let (good, bad) = rest.split_at(error.valid_up_to());
                out.extend_from_slice(good);
                if error.error_len().is_none() && !ended {
                    return raw.len() - bad.len();
                }
                let Some((&byte, after)) = bad.split_first() else { return raw.len() };
                push(windows_1252(byte), out);
                rest = after;
            }
        }
    }
}

fn utf16(raw: &[u8], little: bool, ended: bool, out: &mut Vec<u8>) -> usize {
    let unit =
        |pair: &[u8; 2]| if little { u16::from_le_bytes(*pair) } else { u16::from_be_bytes(*pair) };
    let (pairs, odd) = raw.as_chunks::<2>();
    let mut units = pairs.iter().map(unit).peekable();
    let mut used = 0;
    while let Some(first) = units.next() {
        let is_high = (0xd800..0xdc00).contains(&first);
        let second = units.peek().copied().filter(|low| is_high && (0xdc00..0xe000).contains(low));
        if is_high && second.is_none() && units.peek().is_none() && !ended {
            return used;
        }
        used += 2;
        if second.is_some() {
            units.next();
            used += 2;
        }
        let pair = [Some(first), second];
        let decoded = char::decode_utf16(pair.into_iter().flatten()).next();
        push(decoded.and_then(Result::ok).unwrap_or(char::REPLACEMENT_CHARACTER), out);
    }
    if ended && !odd.is_empty() {
        push(char::REPLACEMENT_CHARACTER, out);
        return raw.len();
    }
    used
}

fn windows_1252(byte: u8) -> char {
    let code = match byte {
        0x80..0xa0 => WINDOWS_1252[usize::from(byte - 0x80)].into(),
        _ => u32::from(byte),
    };
    char::from_u32(code).filter(|c| *c != '\0').unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn push(c: char, out: &mut Vec<u8>) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> String {
        let mut text = Vec::new();
        Utf8::new(bytes).read_to_end(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn every_encoding_reads_as_the_same() {
        let text = "K\u{f6}ln \u{20ac} \u{1f600}\r\n".repeat(5000);
        let units: Vec<u16> = text.encode_utf16().collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        let marked = |mark: &[u8], bytes: &[u8]| [mark, bytes].concat();
        for bytes in [
            text.clone().into_bytes(),
            marked(&[0xef, 0xbb, 0xbf], text.as_bytes()),
            marked(&[0xff, 0xfe], &little),
            marked(&[0xfe, 0xff], &big),
        ] {
            assert!(read(&bytes) == text);
        }
        assert_eq!(read(b"a\0b\0"), "ab");
        assert_eq!(read(b"K\xf6ln \x80 \x81"), "K\u{f6}ln \u{20ac} \u{fffd}");
        assert_eq!(read(&[0xff, 0xfe, b'a', 0, b'b']), "a\u{fffd}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_text(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            read(&bytes);
        }
    }
}
