//! A file's lines, each with its place, in bounded memory. What is longer than a line can be is cut and told.

use std::io::{BufRead, BufReader, Read};

use crate::read::{Offset, ReadError};

/// The longest line kept, in bytes: the names of templates can be long.
const LONGEST: u64 = 1 << 20;

/// Reads lines.
#[derive(Debug)]
pub(super) struct Lines<R> {
    stream: BufReader<R>,
    line: Vec<u8>,
    offset: u64,
    next: u64,
}

/// How a line came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// Whole.
    Whole,
    /// Longer than is kept: its end was passed over.
    Cut,
    /// The file's end came before the line's.
    Torn,
    /// There is none left.
    End,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(stream: R) -> Self {
        Lines {
            stream: BufReader::with_capacity(1 << 16, stream),
            line: Vec::new(),
            offset: 0,
            next: 0,
        }
    }

    /// Where the latest line begins.
    pub(super) fn offset(&self) -> Offset {
        Offset(self.offset)
    }

    /// The latest line, without its end.
    pub(super) fn line(&self) -> &[u8] {
        &self.line
    }

    /// Goes to the next line.
    pub(super) fn next(&mut self) -> Result<Came, ReadError> {
        self.line.clear();
        self.offset = self.next;
        let read = (&mut self.stream).take(LONGEST).read_until(b'\n', &mut self.line);
        self.next += read.map_err(|source| self.failed(source))? as u64;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
            return Ok(Came::Whole);
        }
        if (self.line.len() as u64) < LONGEST {
            return Ok(if self.line.is_empty() { Came::End } else { Came::Torn });
        }
        self.skip()?;
        Ok(Came::Cut)
    }

    /// Passes over the rest of a line.
    fn skip(&mut self) -> Result<(), ReadError> {
        loop {
            let found = match self.stream.fill_buf() {
                Ok([]) => return Ok(()),
                Ok(bytes) => bytes
                    .iter()
                    .position(|byte| *byte == b'\n')
                    .map_or((bytes.len(), false), |at| (at + 1, true)),
                Err(source) if source.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(self.failed(source)),
            };
            self.stream.consume(found.0);
            self.next += found.0 as u64;
            if found.1 {
                return Ok(());
            }
        }
    }

    fn failed(&self, source: std::io::Error) -> ReadError {
        ReadError::Io { offset: Offset(self.next), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_their_places() -> Result<(), ReadError> {
        let mut lines = Lines::new(&b"v 1\r\nc a\n\nlast"[..]);
        let mut seen = Vec::new();
        loop {
            let came = lines.next()?;
            if came == Came::End {
                break;
            }
            seen.push((lines.offset().0, lines.line().to_vec(), came));
        }
        let expected = [
            (0, &b"v 1"[..], Came::Whole),
            (5, b"c a", Came::Whole),
            (9, b"", Came::Whole),
            (10, b"last", Came::Torn),
        ];
        assert_eq!(seen, expected.map(|(at, line, came)| (at, line.to_vec(), came)));
        Ok(())
    }

    #[test]
    fn a_line_without_end_takes_no_more_than_the_longest() -> Result<(), ReadError> {
        let endless = std::io::repeat(b'x').take(LONGEST * 3).chain(&b"\nc 1\n"[..]);
        let mut lines = Lines::new(endless);
        assert_eq!(lines.next()?, Came::Cut);
        assert!(lines.line.capacity() as u64 <= LONGEST * 2);
        assert_eq!(lines.next()?, Came::Whole);
        assert_eq!((lines.offset().0, lines.line()), (LONGEST * 3 + 1, &b"c 1"[..]));
        Ok(())
    }
}
