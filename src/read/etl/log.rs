//! A log as records in the order of time.
//!
//! Each processor fills buffers of its own, and a buffer is written when it is full: the records of one processor lie
//! in order, those of different ones do not. So buffers are held until it is their turn. A processor with little to log
//! fills its buffer late, and the session's end writes what is left: in the real logs of the tests a buffer lies up
//! to 180 of 360 behind the first that it overlaps with in time, so half a log. In time no more than one buffer
//! of each processor overlap, and one more. A log that can be sought in is therefore read in the order of its buffers'
//! first records, and a few are held; of one that cannot, as many as a bound allows.

use std::io::{Read, Seek};

use super::buffer::LARGEST;
use super::counts::Counts;
use super::header::{self, Lies};
use super::input::Next;
use super::logfile::Logfile;
use super::merge::Merge;
use super::plan::Plan;
use super::record::{Record, Ticks};
use super::row::Row;
use super::times::Times;
use super::unpack::Format;
use crate::read::{Fault, Offset, ReadError};

/// How much memory buffers take at most that wait for their turn, of a log that is read as it lies. They all are read
/// ahead: more would be slower, and to no avail where a processor is idle.
const AHEAD: usize = 64 << 20;
/// The same where they are read when it is their turn: some hundred processors with the largest usual buffers.
const OVERLAP: usize = 256 << 20;

/// A log that is being read.
pub struct Log<R> {
    row: Row<R>,
    about: Logfile,
    plan: Option<Plan<R>>,
    merge: Merge,
    /// Whether no buffer is left to be read.
    ended: bool,
    /// Up to this it is the current buffer's turn.
    limit: Ticks,
    /// The latest time of the records handed out.
    last: Ticks,
}

impl<R: Read> Log<R> {
    /// Begins to read a log in one pass, as it lies, holding up to 64 MiB of it. The stream need not be buffered.
    ///
    /// # Errors
    /// The stream fails, or does not begin with a buffer and in it the log's description of itself.
    pub fn new(stream: R) -> Result<Self, ReadError> {
        let mut row = Row::new(stream);
        let mut merge = Merge::default();
        let Next::Buffer(header) = row.input.next(LARGEST)? else {
            return Err(unreadable("no buffer of an event trace log begins here"));
        };
        row.begun = 1;
        row.format = Format::of(header.state);
        let mut held = merge.spare();
        row.load(Offset(0), header, &mut held)?;
        let about = held.next().and_then(|place| {
            let lies = Lies { time: place.time, ..Lies::default() };
            let (record, _) = header::record(held.record(place), lies)?;
            Logfile::decode(record.payload, record.time)
        });
        let about =
            about.ok_or_else(|| unreadable("the log's description of itself is damaged"))?;
        merge.put(held);
        // Of a circular log most may have been written over.
        row.written = if about.circular() { 0 } else { about.buffers_written.into() };
        row.times = Times::of(&about);
        if (header.size..=LARGEST).contains(&about.buffer_size) {
            row.largest = about.buffer_size;
        } else {
            row.faults
                .add(Offset(0), "the log says that its buffers have a size that they cannot have");
        }
        let (plan, ended, limit, last) = (None, false, Ticks(0), Ticks(0));
        Ok(Self { row, about, plan, merge, ended, limit, last })
    }

    /// Begins to read a log that lies at the start of a file: looks at all its buffers first, 16 bytes of memory for each,
    /// and then reads each when it is its turn. Of those whose times overlap it holds up to 256 MiB.
    ///
    /// # Errors
    /// As [`Log::new`].
    pub fn seekable(stream: R) -> Result<Self, ReadError>
    where
        R: Seek,
    {
        let mut log = Self::new(stream)?;
        log.plan = Some(Plan::new(&mut log.row)?);
        Ok(log)
    }

    /// What the log says of itself.
    pub fn about(&self) -> &Logfile {
        &self.about
    }

    /// The next record; `None` at the end. Times do not go backwards, except where a fault says that records came later
    /// than could be waited for: these keep their times, which are earlier.
    ///
    /// # Errors
    /// The stream fails. Damage is a fault.
    #[allow(
        clippy::should_implement_trait,
        reason = "the record borrows the log, an iterator's cannot"
    )]
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
        let lies = Lies {
            offset: held.place(place.at as usize),
            time: place.time,
            processor: held.processor,
        };
        if place.time < self.last {
            self.row.counts.late += 1;
            self.row.faults.add(lies.offset, late(self.plan.is_some(), &self.about));
        } else {
            self.last = place.time;
        }
        match header::record(held.record(place), lies) {
            Some((record, true)) => Ok(Some(record)),
            odd => {
                let what = "a record's header or its extended items leave it";
                self.row.faults.add(lies.offset, what);
                Ok(odd.map(|(record, _)| record))
            }
        }
    }

    /// What could not be read so far.
    pub fn faults(&self) -> &[Fault] {
        self.row.faults.as_slice()
    }

    /// Numbers of what was met so far.
    pub fn counts(&self) -> &Counts {
        &self.row.counts
    }

    /// Reads the buffers of which it may be the turn, and makes that with the earliest record the current one.
    fn advance(&mut self) -> Result<bool, ReadError> {
        let more = !self.ended && self.wanted();
        if !more && self.merge.swap() {
            self.limit = self.turns_end();
            return Ok(true);
        }
        self.merge.rest();
        while !self.ended && self.wanted() {
            let row = &mut self.row;
            let more = match &mut self.plan {
                Some(plan) => plan.go(row)?,
                None => true,
            };
            match if more { row.header()? } else { None } {
                Some((offset, header)) => {
                    let mut held = self.merge.spare();
                    row.load(offset, header, &mut held)?;
                    self.merge.put(held);
                }
                None => self.ended = true,
            }
        }
        let picked = self.merge.pick();
        self.limit = self.turns_end();
        Ok(picked)
    }

    /// Up to when it is the current buffer's turn.
    fn turns_end(&self) -> Ticks {
        let waiting = self.merge.waiting().unwrap_or(Ticks(u64::MAX));
        match self.plan.as_ref().and_then(Plan::first) {
            Some(first) => waiting.min(first),
            None => waiting,
        }
    }

    /// Whether another buffer is to be read before the next record.
    fn wanted(&self) -> bool {
        let Some(plan) = &self.plan else { return self.merge.footprint() < AHEAD };
        let turn = plan.first().zip(self.merge.earliest());
        turn.is_none_or(|(first, waiting)| first <= waiting) && self.merge.footprint() < OVERLAP
    }
}

/// What is said of records handed out after later ones.
#[cold]
fn late(sought: bool, about: &Logfile) -> &'static str {
    if sought {
        "records are earlier than their buffer's first: they came late"
    } else if about.circular() {
        "records came after later ones: the log is circular, give it as a file and not as a stream"
    } else {
        "records came later than a stream can wait for: give the log as a file"
    }
}

fn unreadable(what: &str) -> ReadError {
    ReadError::Unreadable { offset: Offset(0), what: what.to_owned() }
}
