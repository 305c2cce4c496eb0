//! A log as records in the order of time.
//!
//! Each processor fills buffers of its own, and a buffer is written when it is full: the records of one processor lie
//! in order, those of different ones do not. So buffers are held in memory until it is their turn.

use std::io::Read;

use super::buffer::LARGEST;
use super::counts::Counts;
use super::header;
use super::input::Next;
use super::logfile::Logfile;
use super::merge::Merge;
use super::record::{Record, Ticks};
use super::row::Row;
use super::unpack::Format;
use crate::read::{Fault, Offset, ReadError};

/// How much memory buffers take that wait for their turn: at least and at most this, in bytes.
const WINDOW: (usize, usize) = (32 << 20, 256 << 20);

/// A log that is being read.
pub struct Log<R> {
    row: Row<R>,
    about: Logfile,
    merge: Merge,
    window: usize,
    /// Whether no buffer is left to be read.
    ended: bool,
    /// Up to this it is the current buffer's turn.
    limit: Ticks,
    /// The time of the last record handed out.
    last: Ticks,
}

impl<R: Read> Log<R> {
    /// Begins to read a log in one pass, as it lies. The stream need not be buffered.
    ///
    /// # Errors
    /// The stream fails, or does not begin with a buffer and in it the log's description of itself.
    pub fn new(stream: R) -> Result<Self, ReadError> {
        let mut row = Row::new(stream);
        let mut merge = Merge::default();
        let Next::Buffer(header) = row.input.next(LARGEST)? else {
            return Err(unreadable("no buffer of an event trace log begins here"));
        };
        row.format = Format::of(header.state);
        let mut held = merge.spare();
        row.load(Offset(0), header, &mut held)?;
        let about = held.next().and_then(|place| {
            let (record, _) = header::record(held.record(place), Offset(0), 0)?;
            Logfile::decode(record.payload, record.time)
        });
        let about =
            about.ok_or_else(|| unreadable("the log's description of itself is damaged"))?;
        merge.put(held);
        row.written = about.buffers_written.into();
        if (header.size..=LARGEST).contains(&about.buffer_size) {
            row.largest = about.buffer_size;
        } else {
            row.faults
                .add(Offset(0), "the log says that its buffers have a size that they cannot have");
        }
        Ok(Self {
            row,
            about,
            merge,
            window: WINDOW.0,
            ended: false,
            limit: Ticks(0),
            last: Ticks(0),
        })
    }

    /// What the log says of itself.
    pub fn about(&self) -> &Logfile {
        &self.about
    }

    /// The next record; `None` at the end. Times do not go backwards, except where a fault says that records came later
    /// than could be waited for: these have their own, earlier times.
    ///
    /// # Errors
    /// The stream fails. Damage is a fault.
    #[inline]
    pub fn next(&mut self) -> Result<Option<Record<'_>>, ReadError> {
        let turn = self.merge.current().and_then(|held| held.next());
        if turn.is_none_or(|place| place.time > self.limit) && !self.advance()? {
            return Ok(None);
        }
        let Some(held) = self.merge.current() else { return Ok(None) };
        let Some(place) = held.next() else { return Ok(None) };
        held.given += 1;
        let held = &*held;
        if place.time < self.last {
            let what = "records came later than could be waited for";
            self.row.counts.late += 1;
            self.row.faults.add(held.place(place), what);
        } else {
            self.last = place.time;
        }
        let Some((record, whole)) =
            header::record(held.record(place), held.place(place), held.processor)
        else {
            return Ok(None);
        };
        if !whole {
            self.row.faults.add(record.offset, "a record's header or its extended items leave it");
        }
        Ok(Some(record))
    }

    /// Reads ahead and makes the buffer with the earliest record the current one.
    fn advance(&mut self) -> Result<bool, ReadError> {
        self.merge.rest();
        while !self.ended && self.merge.footprint() < self.window {
            match self.row.header()? {
                Some((offset, header)) => {
                    let mut held = self.merge.spare();
                    self.row.load(offset, header, &mut held)?;
                    self.merge.put(held);
                }
                None => self.ended = true,
            }
        }
        let picked = self.merge.pick();
        self.limit = self.merge.earliest().unwrap_or(Ticks(u64::MAX));
        Ok(picked)
    }

    /// What could not be read so far.
    pub fn faults(&self) -> &[Fault] {
        self.row.faults.as_slice()
    }

    /// Numbers of what was met so far.
    pub fn counts(&self) -> &Counts {
        &self.row.counts
    }
}

fn unreadable(what: &str) -> ReadError {
    ReadError::Unreadable { offset: Offset(0), what: what.to_owned() }
}
