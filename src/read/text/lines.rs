//! Lines of bounded length: of one that is longer, the beginning is given and the rest passed over,
//! counted as a fault. A line ends at a line feed, with or without a carriage return before it.

use std::io::{BufRead, BufReader, Read};

use super::Utf8;
use crate::read::{Faults, Offset, ReadError};

/// A line, without its end.
#[derive(Clone, Copy, Debug)]
pub(in crate::read) struct Line<'a> {
    /// Where it begins, in bytes of the text as UTF-8.
    pub offset: Offset,
    /// What it says.
    pub text: &'a str,
}

/// The lines of a text.
#[derive(Debug)]
pub(in crate::read) struct Lines<R> {
    reader: BufReader<Utf8<R>>,
    limit: usize,
    offset: u64,
    line: Vec<u8>,
    text: String,
}

impl<R: Read> Lines<R> {
    /// Lines of at most `limit` bytes each.
    pub(in crate::read) fn new(reader: R, limit: usize) -> Self {
        let reader = BufReader::new(Utf8::new(reader));
        Lines { reader, limit, offset: 0, line: Vec::new(), text: String::new() }
    }

    /// The next line; `None` at the end.
    pub(in crate::read) fn next(
        &mut self,
        faults: &mut Faults,
    ) -> Result<Option<Line<'_>>, ReadError> {
        let offset = Offset(self.offset);
        self.line.clear();
        let mut passed = 0;
        loop {
            let some = match self.reader.fill_buf() {
                Ok(some) => some,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(ReadError::Io { offset: Offset(self.offset), source }),
            };
            let end = some.iter().position(|&byte| byte == b'\n');
            let part = &some[..end.unwrap_or(some.len())];
            let room = part.len().min(self.limit.saturating_sub(self.line.len()));
            self.line.extend_from_slice(&part[..room]);
            passed += part.len() - room;
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume(used);
            self.offset += used as u64;
            if end.is_some() || used == 0 {
                break;
            }
        }
        if self.offset == offset.0 {
            return Ok(None);
        }
        if passed > 0 {
            faults.add(offset, "a line is too long: its end was not read");
        }
        if self.line.ends_with(b"\r") {
            self.line.pop();
        }
        self.text = String::from_utf8_lossy(&self.line).into_owned();
        Ok(Some(Line { offset, text: &self.text }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn lines_end_as_they_do_everywhere_and_long_ones_are_cut() {
        let mut faults = Faults::default();
        let mut lines = Lines::new(&b"a\r\n\n0123456789\nlast"[..], 8);
        let mut all = Vec::new();
        while let Some(line) = lines.next(&mut faults).unwrap() {
            all.push((line.offset.0, line.text.to_owned()));
        }
        let expected = [(0, "a"), (3, ""), (4, "01234567"), (15, "last")];
        assert_eq!(all, expected.map(|(at, text)| (at, text.to_owned())));
        assert_eq!(faults.as_slice().len(), 1);
    }
}
