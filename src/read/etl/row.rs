//! The row of buffers that a log is: takes one after the other, unpacks it, outlines its records and counts what is
//! damaged.

use std::io::Read;

use super::buffer::{BufferHeader, LARGEST, LEN, flag};
use super::counts::Counts;
use super::held::Held;
use super::input::{Input, Next};
use super::unpack::{Corrupt, Format};
use crate::read::{Faults, Offset, ReadError};

/// A row of buffers.
pub(super) struct Row<R> {
    pub input: Input<R>,
    /// A buffer that says it is larger is damaged.
    pub largest: u32,
    /// How compressed buffers are compressed; `None` for a format not known.
    pub format: Option<Format>,
    /// How many buffers there should be.
    pub written: u64,
    pub counts: Counts,
    pub faults: Faults,
    /// A compressed buffer as it is stored.
    stored: Vec<u8>,
}

impl<R: Read> Row<R> {
    pub fn new(stream: R) -> Self {
        Self {
            input: Input::new(stream),
            largest: LARGEST,
            format: None,
            written: 0,
            counts: Counts::default(),
            faults: Faults::default(),
            stored: Vec::new(),
        }
    }

    /// Takes the next buffer's header and says where it stands; `None` at the end.
    pub fn header(&mut self) -> Result<Option<(Offset, BufferHeader)>, ReadError> {
        loop {
            let offset = self.input.offset();
            let zero = match self.input.next(self.largest)? {
                Next::Buffer(header) => return Ok(Some((offset, header))),
                Next::End { left } => {
                    self.lost(offset, "the log ends within a buffer's header", left);
                    return Ok(None);
                }
                Next::Other { zero } => zero,
            };
            let passed = self.input.resync(self.largest)?;
            let bytes = passed.bytes as usize;
            if passed.zeros && passed.end && self.counts.buffers >= self.written {
                // The file was laid out at its full length before anything was written.
                self.counts.padding += passed.bytes;
            } else if zero {
                self.lost(offset, "zeros where a buffer should begin: passed over", bytes);
            } else {
                self.lost(offset, "no buffer begins where one should: passed over", bytes);
            }
        }
    }

    /// Takes what lies behind a buffer's header.
    pub fn load(
        &mut self,
        offset: Offset,
        header: BufferHeader,
        held: &mut Held,
    ) -> Result<(), ReadError> {
        held.offset = offset;
        held.compressed = header.compressed();
        held.processor = header.processor;
        let mut end = header.records();
        if header.compressed() {
            self.input.read(header.stored(), &mut self.stored)?;
            if self.stored.len() < header.stored() {
                self.lost(offset, "the log ends within a buffer", 0);
            }
            let whole = self.unpack(end, &mut held.bytes);
            if !whole {
                let missing = end - held.bytes.len();
                self.lost(offset, "a compressed buffer cannot be unpacked to its end", missing);
                end = held.bytes.len();
            }
        } else {
            self.input.read(header.stored(), &mut held.bytes)?;
            if end > header.stored() {
                self.lost(offset, "a buffer's records end behind its end", 0);
                end = header.stored();
            }
            if held.bytes.len() < end {
                self.lost(offset, "the log ends within a buffer", end - held.bytes.len());
                end = held.bytes.len();
            }
            self.counts.padding += (held.bytes.len() - end) as u64;
        }
        self.counts.buffers += 1;
        self.counts.compressed += u64::from(header.compressed());
        self.counts.events_lost += u64::from(header.flags & flag::EVENTS_LOST != 0);
        self.counts.buffers_lost += u64::from(header.flags & flag::BUFFERS_LOST != 0);
        if let Some(at) = held.outline(end, &mut self.counts) {
            let place = if held.compressed { offset } else { Offset(offset.0 + (LEN + at) as u64) };
            self.lost(
                place,
                "no record where one should be: the rest of its buffer is lost",
                end - at,
            );
        }
        Ok(())
    }

    /// Unpacks the stored bytes; `false` where there are fewer than `length` in them.
    fn unpack(&self, length: usize, bytes: &mut Vec<u8>) -> bool {
        // What is there already is written over.
        bytes.resize(length, 0);
        let unpacked = match self.format {
            Some(format) => format.unpack(&self.stored, bytes),
            None => Ok(0),
        };
        let (Ok(unpacked) | Err(Corrupt { length: unpacked })) = unpacked;
        bytes.truncate(unpacked);
        unpacked == length
    }

    fn lost(&mut self, offset: Offset, what: &'static str, bytes: usize) {
        // A file may well end where a header would begin.
        if bytes > 0 || !what.contains("header") {
            self.faults.add(offset, what);
        }
        self.counts.unread += bytes as u64;
    }
}
