//! The row of buffers that a log is: takes one after the other, unpacks it, outlines its records and counts what is
//! damaged.

use std::io::Read;

use super::buffer::{BufferHeader, LARGEST, flag};
use super::counts::Counts;
use super::header;
use super::held::Held;
use super::input::{Input, Next};
use super::times::Times;
use super::unpack::{Corrupt, Format};
use crate::read::{Faults, Offset, ReadError};

/// A buffer is unpacked to no more than so many times its stored length: records differ, in their times at least, and what
/// unpacks to more was made to take memory and time.
const MOST_UNPACKED: usize = 1024;

/// A row of buffers.
pub(super) struct Row<R> {
    pub input: Input<R>,
    /// A buffer that says it is larger is damaged.
    pub largest: u32,
    /// How compressed buffers are compressed; `None` for a format not known.
    pub format: Option<Format>,
    /// How many buffers there should be, where that is known, and how many began so far.
    pub written: u64,
    pub begun: u64,
    /// Whether something was passed over, and buffers with it.
    passed: bool,
    /// What times records can have.
    pub times: Times,
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
            begun: 0,
            passed: false,
            times: Times::default(),
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
                Next::Buffer(header) => {
                    self.begun += 1;
                    return Ok(Some((offset, header)));
                }
                Next::End { left: 0 } => {
                    let missing = self.written.saturating_sub(self.begun);
                    if !self.passed {
                        self.counts.missing = missing;
                        let what = "the log ends before a buffer that it says was written";
                        self.faults.add_many(offset, what, missing);
                    }
                    return Ok(None);
                }
                Next::End { left } => {
                    self.lost(offset, "the log ends within a buffer's header", left);
                    self.input.read(left, &mut self.stored)?;
                    return Ok(None);
                }
                Next::Other { zero } => zero,
            };
            let passed = self.input.resync(self.largest)?;
            let bytes = passed.bytes as usize;
            self.passed = true;
            if passed.zeros && passed.end && self.begun >= self.written {
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
        let (cut, length) = if header.compressed() {
            self.input.read(header.stored(), &mut self.stored)?;
            let room = end.min(self.stored.len().saturating_mul(MOST_UNPACKED));
            self.unpack(&self.stored, room, &mut held.bytes);
            (self.stored.len() < header.stored(), held.bytes.len())
        } else {
            self.input.read(header.stored(), &mut held.bytes)?;
            if end > header.stored() {
                self.lost(offset, "a buffer's records end behind its end", 0);
                end = header.stored();
            }
            self.counts.padding += held.bytes.len().saturating_sub(end) as u64;
            (held.bytes.len() < header.stored(), held.bytes.len())
        };
        let missing = end.saturating_sub(length);
        if cut {
            self.lost(offset, "the log ends within a buffer", missing);
        } else if missing > 0 {
            self.lost(offset, "a compressed buffer cannot be unpacked to its end", missing);
        }
        self.counts.buffers += 1;
        self.counts.compressed += u64::from(header.compressed());
        self.counts.events_lost += u64::from(header.flags & flag::EVENTS_LOST != 0);
        self.counts.buffers_lost += u64::from(header.flags & flag::BUFFERS_LOST != 0);
        let read = held.outline(end, &self.times, &mut self.counts);
        let place = held.place(read.end);
        let unread = (end - missing).saturating_sub(read.end);
        if missing > 0 {
            // Of the last record there may be a part; that was told already.
            self.counts.unread += unread as u64;
        } else if unread > 0 {
            self.lost(
                place,
                "no record where one should be: the rest of its buffer is lost",
                unread,
            );
        } else if held.bytes.get(read.end..).is_some_and(|rest| header::outline(rest).is_some()) {
            let behind = held.bytes.len() - read.end;
            self.counts.padding -= behind as u64;
            self.lost(place, "something like a record behind a buffer's last: not read", behind);
        }
        let mistimed = "records had a time that cannot be: they were given that of the one before";
        self.faults.add_many(offset, mistimed, read.mistimed);
        Ok(())
    }

    /// Unpacks what is stored, up to `length` bytes of it, as far as that is possible.
    pub fn unpack(&self, stored: &[u8], length: usize, bytes: &mut Vec<u8>) {
        // What is there already is written over.
        bytes.resize(length, 0);
        let unpacked = match self.format {
            Some(format) => format.unpack(stored, bytes),
            None => Ok(0),
        };
        let (Ok(unpacked) | Err(Corrupt { length: unpacked })) = unpacked;
        bytes.truncate(unpacked);
    }

    fn lost(&mut self, offset: Offset, what: &'static str, bytes: usize) {
        self.faults.add(offset, what);
        self.counts.unread += bytes as u64;
    }
}
