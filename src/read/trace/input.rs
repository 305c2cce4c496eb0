//! A stream seen through a window that moves only forward: so much of it as one chunk needs is
//! held, and a search for the next chunk never goes back further than that.

use std::io::{self, Read};

use super::chunk::{self, ChunkHeader};
use super::tags::{CHUNK_MAGIC, MAX_PLAIN};
use crate::read::Offset;

/// How much is asked of the stream at once.
const READ: usize = 256 << 10;

pub(super) struct Input<R> {
    stream: R,
    buffer: Vec<u8>,
    /// The window: what was read and not consumed.
    start: usize,
    end: usize,
    /// Place of the window's start in the file.
    offset: u64,
}

impl<R: Read> Input<R> {
    /// The most that [`Input::fill`] is asked for.
    pub const MOST: usize = chunk::LEN + MAX_PLAIN;

    pub fn new(stream: R) -> Self {
        Self { stream, buffer: Vec::new(), start: 0, end: 0, offset: 0 }
    }

    /// The place in the file of the next byte to be consumed.
    pub fn offset(&self) -> Offset {
        Offset(self.offset)
    }

    /// What is held and not consumed.
    pub fn window(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Reads until the window holds `len` bytes, at most [`Input::MOST`]; false where the file
    /// ends before.
    pub fn fill(&mut self, len: usize) -> io::Result<bool> {
        let len = len.min(Self::MOST);
        while self.end - self.start < len {
            if self.buffer.len() - self.start < len + READ {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
                // Grows to what the stream really had, not to what a length field claims.
                let wanted = (self.end + READ).max(2 * self.end).min(len + READ);
                if self.buffer.len() < wanted {
                    self.buffer.resize(wanted, 0);
                }
            }
            match self.stream.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Moves over bytes of the window.
    pub fn consume(&mut self, len: usize) {
        let len = len.min(self.end - self.start);
        self.start += len;
        self.offset += len as u64;
    }

    /// Moves over bytes that need not be looked at; false where the file ends before.
    pub fn skip(&mut self, mut len: u64) -> io::Result<bool> {
        loop {
            let held = (self.end - self.start).min(usize::try_from(len).unwrap_or(usize::MAX));
            self.consume(held);
            len -= held as u64;
            if len == 0 {
                return Ok(true);
            }
            if !self.fill(1)? {
                return Ok(false);
            }
        }
    }

    /// Moves to the next whole chunk header behind the next byte; false where there is none.
    /// Then everything was consumed.
    pub fn seek_chunk(&mut self) -> io::Result<bool> {
        self.skip(1)?;
        loop {
            let whole = self.fill(chunk::LEN)?;
            let window = self.window();
            if !whole {
                self.consume(window.len());
                return Ok(false);
            }
            // The last places of the window have no whole header yet.
            let places = window.len() - chunk::LEN + 1;
            match window[..places].iter().position(|byte| *byte == CHUNK_MAGIC[0]) {
                None => self.consume(places),
                Some(place) => {
                    let head = window.get(place..).and_then(|rest| rest.first_chunk());
                    let found = head.and_then(ChunkHeader::decode).is_some();
                    self.consume(if found { place } else { place + 1 });
                    if found {
                        return Ok(true);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

    use super::*;

    /// A stream that gives a few bytes at a time.
    struct Dribble<'a>(&'a [u8]);

    impl Read for Dribble<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let len = buffer.len().min(self.0.len()).min(7);
            self.0.read(&mut buffer[..len])
        }
    }

    fn header() -> [u8; chunk::LEN] {
        ChunkHeader {
            kind: 1,
            compression: 0,
            stored_len: 0,
            plain_len: 0,
            events: 0,
            next_stack: 4,
            first_event: 0,
            base_time: 0,
            sum: 0,
        }
        .encode()
    }

    #[test]
    fn the_next_chunk_is_found_behind_false_ones() {
        let mut file = header().to_vec();
        file.extend(CHUNK_MAGIC);
        file.extend([0x89; 100]);
        let at = file.len() as u64;
        file.extend(header());
        let mut input = Input::new(Dribble(&file));
        assert!(input.seek_chunk().unwrap());
        assert_eq!(input.offset(), Offset(at));
        assert!(!input.seek_chunk().unwrap());
        assert_eq!(input.offset(), Offset(file.len() as u64));
    }

    #[test]
    fn a_claimed_length_takes_no_memory() {
        let mut input = Input::new(Dribble(b"short"));
        assert!(!input.fill(Input::<Dribble<'_>>::MOST).unwrap());
        assert!(input.buffer.len() <= 2 * READ);
        assert!(!input.skip(u64::MAX).unwrap());
        assert_eq!(input.offset(), Offset(5));
    }
}
