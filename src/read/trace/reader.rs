//! Reads a trace in one pass and bounded memory. What is damaged is passed over, counted as a
//! fault with its place, and told in the stream of events as a loss at the place where it was,
//! so that everything behind it knows.

use std::io::{self, Read};

use xxhash_rust::xxh3::xxh3_64;

use super::chunk::{self, ChunkHeader};
use super::header::{Header, PREFIX, Prefix, SUFFIX};
use super::input::Input;
use super::record;
use super::stack_ids::StackIds;
use super::tags::{FILE_MAGIC, MAX_EVENTS, MAX_PLAIN, VERSION, chunk as kind};
use super::unpack::Unpacker;
use crate::event::{Event, Loss, Lost, ProcessId, Tid, Time, What};
use crate::read::{Fault, Faults, Offset, ReadError, Source};

/// Reads a trace.
pub struct Reader<R> {
    input: Input<R>,
    header: Header,
    faults: Faults,
    stacks: StackIds,
    unpacker: Unpacker,
    /// The number that the next chunk's first record has if nothing is missing.
    next_event: u64,
    /// The highest number that a chunk, also one that was lost, has told of.
    known_events: u64,
    /// Bytes passed over since the last chunk that could be read.
    lost_bytes: u64,
    /// The time that the stream of events has come to.
    last: Time,
    /// Where the last whole chunk ends.
    whole: Offset,
    ended: bool,
}

/// What became of a chunk.
enum Outcome {
    Read,
    Passed,
    Ended,
}

impl<R: Read> Reader<R> {
    /// Reads the file header. One that is damaged is a fault, not an error, so long as the file
    /// begins as a trace does.
    pub fn new(stream: R) -> Result<Self, ReadError> {
        let mut reader = Self {
            input: Input::new(stream),
            header: Header::default(),
            faults: Faults::default(),
            stacks: StackIds::default(),
            unpacker: Unpacker::new()
                .map_err(|source| ReadError::Io { offset: Offset(0), source })?,
            next_event: 0,
            known_events: 0,
            lost_bytes: 0,
            last: Time(0),
            whole: Offset(0),
            ended: false,
        };
        reader.read_header()?;
        Ok(reader)
    }

    /// What the trace says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What could not be read so far.
    pub fn faults(&self) -> &[Fault] {
        self.faults.as_slice()
    }

    /// How far in the file reading has come.
    pub fn offset(&self) -> Offset {
        self.input.offset()
    }

    /// Clears `events` and fills it with those of the next chunk; false at the end. What was
    /// lost stands in them as [`What::Loss`] of [`ProcessId::EVERY`] at its place, with the time of
    /// the event before it.
    pub fn next_chunk(&mut self, events: &mut Vec<Event>) -> Result<bool, ReadError> {
        events.clear();
        while !self.ended {
            match self.step(events) {
                Ok(Outcome::Read) => return Ok(true),
                Ok(Outcome::Passed) => {}
                Ok(Outcome::Ended) => self.ended = true,
                Err(source) => {
                    self.ended = true;
                    return Err(ReadError::Io { offset: self.input.offset(), source });
                }
            }
        }
        Ok(!events.is_empty())
    }

    fn read_header(&mut self) -> Result<(), ReadError> {
        let failed = |source| ReadError::Io { offset: Offset(0), source };
        let whole = self.input.fill(PREFIX).map_err(failed)?;
        if !self.input.window().starts_with(&FILE_MAGIC) {
            return Err(ReadError::NotATrace);
        }
        let prefix = self.input.window().first_chunk().filter(|_| whole).and_then(Prefix::decode);
        let mut header = None;
        if let Some(Prefix { version, record_len }) = prefix {
            if version > VERSION {
                return Err(ReadError::TooNew { found: version });
            }
            let len = PREFIX + record_len + SUFFIX;
            if self.input.fill(len).map_err(failed)? {
                header = self.input.window().get(PREFIX..len).and_then(Header::decode);
                if header.is_some() {
                    self.input.consume(len);
                    self.whole = self.input.offset();
                }
            }
        }
        match header {
            Some(header) => self.header = header,
            None => self
                .resync("the file header is damaged: time and source of the trace are unknown")
                .map_err(failed)?,
        }
        Ok(())
    }

    /// Reads what stands at the window's start.
    fn step(&mut self, events: &mut Vec<Event>) -> io::Result<Outcome> {
        if !self.input.fill(chunk::LEN)? {
            self.end_of_file(events);
            return Ok(Outcome::Ended);
        }
        let Some(header) = self.input.window().first_chunk().and_then(ChunkHeader::decode) else {
            self.resync("no chunk begins here: searched for the next one")?;
            return Ok(Outcome::Passed);
        };
        match header.kind {
            kind::EVENTS => self.events_chunk(&header, events),
            kind::END => self.end_chunk(&header, events),
            _ => {
                let what = "a chunk of a kind that this version does not know: passed over";
                self.faults.add(self.input.offset(), what);
                self.input.skip(chunk::LEN as u64 + u64::from(header.stored_len))?;
                Ok(Outcome::Passed)
            }
        }
    }

    fn events_chunk(
        &mut self,
        header: &ChunkHeader,
        events: &mut Vec<Event>,
    ) -> io::Result<Outcome> {
        let len = header.stored_len as usize;
        let sane = len <= MAX_PLAIN
            && header.plain_len as usize <= MAX_PLAIN
            && header.events <= MAX_EVENTS;
        if !sane {
            self.resync("a chunk is larger than any chunk may be: passed over")?;
            return Ok(Outcome::Passed);
        }
        self.known_events = self.known_events.max(header.end_event());
        let total = chunk::LEN + len;
        if !self.input.fill(total)? {
            self.resync("the file ends inside a chunk")?;
            return Ok(Outcome::Passed);
        }
        let at = self.input.offset();
        let stored = self.input.window().get(chunk::LEN..total).unwrap_or_default();
        if xxh3_64(stored) != header.sum {
            // Its length may be as wrong as its bytes: the next chunk may begin inside it.
            self.resync("a chunk is damaged (checksum): its events are lost")?;
            return Ok(Outcome::Passed);
        }
        let unpacked = self.unpacker.unpack(header, stored);
        self.input.consume(total);
        let in_order = header.first_event >= self.next_event;
        if !unpacked || !in_order || !self.stacks.enter(header.next_stack) {
            self.lost_bytes += total as u64;
            let what = if unpacked {
                "a chunk repeats numbers of an earlier one: passed over"
            } else {
                "a chunk cannot be decompressed: its events are lost"
            };
            self.faults.add(at, what);
            return Ok(Outcome::Passed);
        }
        self.tell_losses(at, header.first_event, events);
        self.whole = self.input.offset();
        self.next_event = header.end_event();
        let untold = record::decode(
            self.unpacker.padded(),
            header.plain_len as usize,
            Time(header.base_time),
            header.events,
            &mut self.stacks,
            events,
        );
        if let Some(event) = events.last() {
            self.last = event.time;
        }
        if untold.malformed > 0 {
            events.push(self.loss(Lost::Events, untold.malformed));
        }
        self.tell_untold(at, untold);
        Ok(if events.is_empty() { Outcome::Passed } else { Outcome::Read })
    }

    fn end_chunk(&mut self, header: &ChunkHeader, events: &mut Vec<Event>) -> io::Result<Outcome> {
        let at = self.input.offset();
        if header.first_event < self.next_event {
            self.lost_bytes += chunk::LEN as u64;
            self.faults.add(at, "a chunk repeats numbers of an earlier one: passed over");
            self.input.skip(chunk::LEN as u64 + u64::from(header.stored_len))?;
            return Ok(Outcome::Passed);
        }
        self.tell_losses(at, header.first_event, events);
        self.input.skip(chunk::LEN as u64 + u64::from(header.stored_len))?;
        if self.input.fill(1)? {
            self.faults.add(self.input.offset(), "bytes behind the end chunk: not read");
        }
        Ok(Outcome::Ended)
    }

    /// The file ends without an end chunk.
    fn end_of_file(&mut self, events: &mut Vec<Event>) {
        let rest = self.input.window().len();
        self.lost_bytes += rest as u64;
        self.input.consume(rest);
        self.tell_losses(self.whole, self.known_events, events);
        let what = format!(
            "ends without an end chunk: the recorder was killed or the disk was full; the last \
             whole chunk ends at offset {}",
            self.whole
        );
        self.faults.add(self.whole, what);
    }

    /// Counts a fault here and moves to the next whole chunk header, or to the end.
    fn resync(&mut self, what: &'static str) -> io::Result<()> {
        let from = self.input.offset();
        self.faults.add(from, what);
        self.input.seek_chunk()?;
        self.lost_bytes += self.input.offset().0 - from.0;
        Ok(())
    }

    /// Puts what was lost before record `number` into the stream.
    fn tell_losses(&mut self, at: Offset, number: u64, events: &mut Vec<Event>) {
        let bytes = std::mem::take(&mut self.lost_bytes);
        let missing = number.saturating_sub(self.next_event);
        if missing > 0 && bytes == 0 {
            self.faults.add(at, "chunks are missing before this one");
        }
        for (what, count) in [(Lost::Bytes, bytes), (Lost::Events, missing)] {
            if count > 0 {
                events.push(self.loss(what, count));
            }
        }
    }

    /// A loss at the place that the stream of events has come to.
    fn loss(&self, what: Lost, count: u64) -> Event {
        let what = What::Loss(Loss { what, count });
        Event { time: self.last, process: ProcessId::EVERY, thread: Tid(0), what }
    }

    /// Counts what a chunk that was read could not tell.
    fn tell_untold(&mut self, at: Offset, untold: record::Untold) {
        let faults = &mut self.faults;
        let what = "records that do not follow the format (in the chunk here): lost";
        faults.add_many(at, what, untold.malformed);
        let what = "records of kinds that this version does not know: passed over";
        faults.add_many(at, what, untold.newer);
        let what = "codes that this version does not know: read as unknown";
        faults.add_many(at, what, untold.codes);
        let what = "bytes behind the last record of a chunk: not read";
        faults.add_many(at, what, untold.trailing.into());
        let what = "stacks that are not defined before their use: read as lost";
        faults.add_many(at, what, std::mem::take(&mut self.stacks.undefined));
    }
}
impl<R: Read> Source for Reader<R> {
    fn header(&self) -> &Header {
        self.header()
    }

    fn next_batch(&mut self, events: &mut Vec<Event>) -> Result<bool, ReadError> {
        self.next_chunk(events)
    }

    fn faults(&self) -> &[Fault] {
        self.faults()
    }
}
