//! The file as a row of buffers: where each begins, and where reading goes on behind damage.

use std::io::{self, Read, SeekFrom};

use super::buffer::{self, BufferHeader};
use crate::read::{Offset, ReadError};

/// How much is looked through at a time for where a buffer begins.
const LOOK: usize = 1 << 16;
/// Room made before anything was read into it.
const ROOM: usize = 1 << 16;

/// A stream of bytes that can be looked at before they are taken.
pub(super) struct Input<R> {
    stream: R,
    /// Bytes read and not yet taken, from `taken` on.
    ahead: Vec<u8>,
    taken: usize,
    /// Place of the next byte to be taken.
    offset: u64,
}

/// Moves a stream: `Seek::seek`, which only a log that can be sought in knows of.
pub(super) type Sought<R> = fn(&mut R, SeekFrom) -> io::Result<u64>;

/// What stands where a buffer should begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A buffer's header, which was taken.
    Buffer(BufferHeader),
    /// The file ends here; so many bytes were left, too few for a header.
    End { left: usize },
    /// Something else, not taken.
    Other { zero: bool },
}

/// What was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Passed {
    pub bytes: u64,
    /// Whether they all were 0.
    pub zeros: bool,
    /// Whether the file ended before another buffer.
    pub end: bool,
}

impl<R: Read> Input<R> {
    pub fn new(stream: R) -> Self {
        Self { stream, ahead: Vec::new(), taken: 0, offset: 0 }
    }

    pub fn offset(&self) -> Offset {
        Offset(self.offset)
    }

    /// Looks at what comes next and takes it if it is the header of a buffer of at most `largest` bytes.
    pub fn next(&mut self, largest: u32) -> Result<Next, ReadError> {
        let ahead = self.look(buffer::LEN)?;
        let Some(bytes) = ahead.first_chunk() else {
            return Ok(Next::End { left: ahead.len() });
        };
        let header = BufferHeader::decode(bytes);
        if !header.plausible(largest) {
            return Ok(Next::Other { zero: bytes.iter().all(|byte| *byte == 0) });
        }
        self.take(buffer::LEN);
        Ok(Next::Buffer(header))
    }

    /// Passes over bytes, one at least, up to where a buffer may begin again.
    pub fn resync(&mut self, largest: u32) -> Result<Passed, ReadError> {
        let mut passed = Passed { bytes: 0, zeros: true, end: false };
        loop {
            let first = usize::from(passed.bytes == 0);
            // What is there first: where buffers are many and small, each would else move all of it.
            let there = self.ahead.len() - self.taken;
            let look = if there < buffer::LEN { LOOK } else { there };
            let ahead = self.look(look)?;
            let found = ahead
                .windows(buffer::LEN)
                .skip(first)
                .position(|bytes| begins(bytes, largest))
                .map(|at| at + first);
            // Behind the last place looked at one may begin whose end is not there yet.
            let all = ahead.len() < look;
            let keep = if all { 0 } else { buffer::LEN - 1 };
            let pass = found.unwrap_or(ahead.len() - keep);
            passed.zeros &= ahead.iter().take(pass).all(|byte| *byte == 0);
            passed.bytes += pass as u64;
            self.take(pass);
            if found.is_some() || all {
                passed.end = found.is_none();
                return Ok(passed);
            }
        }
    }

    /// Takes up to `length` bytes into `bytes`, which is emptied first.
    pub fn read(&mut self, length: usize, bytes: &mut Vec<u8>) -> Result<(), ReadError> {
        bytes.clear();
        let ahead = self.ahead.get(self.taken..).unwrap_or(&[]);
        let ahead = ahead.get(..length).unwrap_or(ahead);
        let from_ahead = ahead.len();
        bytes.extend_from_slice(ahead);
        self.take(from_ahead);
        let rest = length - from_ahead;
        bytes.reserve(rest.min(ROOM));
        let read = (&mut self.stream).take(rest as u64).read_to_end(bytes);
        self.offset += (bytes.len() - from_ahead) as u64;
        read.map_err(|source| self.failed(source))?;
        Ok(())
    }

    /// Goes to another place of the file.
    pub fn seek(&mut self, offset: Offset, seek: Sought<R>) -> Result<(), ReadError> {
        if offset.0 == self.offset {
            return Ok(());
        }
        // Nothing more than a look ahead may lie between the stream and what was taken.
        match offset.0.checked_sub(self.offset) {
            Some(skip) if skip <= (self.ahead.len() - self.taken) as u64 => {
                self.taken += skip as usize
            }
            _ => {
                self.ahead.clear();
                self.taken = 0;
                let moved = seek(&mut self.stream, SeekFrom::Start(offset.0));
                moved.map_err(|source| ReadError::Io { offset, source })?;
            }
        }
        self.offset = offset.0;
        Ok(())
    }

    /// The file's length.
    pub fn length(&mut self, seek: Sought<R>) -> Result<Offset, ReadError> {
        let offset = self.offset();
        let failed = |source| ReadError::Io { offset, source };
        let length = seek(&mut self.stream, SeekFrom::End(0)).map_err(failed)?;
        let read = offset.0 + (self.ahead.len() - self.taken) as u64;
        seek(&mut self.stream, SeekFrom::Start(read)).map_err(failed)?;
        Ok(Offset(length))
    }

    /// The bytes ahead, at least `length` of them unless the file ends before.
    fn look(&mut self, length: usize) -> Result<&[u8], ReadError> {
        if self.ahead.len() - self.taken < length {
            self.ahead.drain(..self.taken);
            self.taken = 0;
            let missing = length - self.ahead.len();
            let read = (&mut self.stream).take(missing as u64).read_to_end(&mut self.ahead);
            read.map_err(|source| self.failed(source))?;
        }
        Ok(self.ahead.get(self.taken..).unwrap_or(&[]))
    }

    fn take(&mut self, length: usize) {
        self.taken += length;
        self.offset += length as u64;
    }

    fn failed(&self, source: io::Error) -> ReadError {
        ReadError::Io { offset: self.offset(), source }
    }
}

/// Whether a buffer may begin with `bytes`. The size is looked at first: this is asked of every byte of a damaged
/// stretch.
fn begins(bytes: &[u8], largest: u32) -> bool {
    let Some(bytes) = bytes.first_chunk() else { return false };
    let size = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    if size <= buffer::LEN as u32 || size > largest {
        return false;
    }
    let header = BufferHeader::decode(bytes);
    header.plausible(largest) && (header.compressed() || header.end <= header.size)
}
