//! A log as a source of events.

use std::io::Read;

use super::ahead::{Again, Seekable};
use super::tallies::Tallies;
use super::timeline::Timeline;
use super::translate::Translator;
use super::unknown::Unknown;
use super::{Clock, Log};
use crate::event::{Event, Lost};
use crate::read::trace::{self, Header};
use crate::read::{Fault, Offset, ReadError, Source};

/// About so many events are yielded at a time.
const BATCH: usize = 4096;

/// Reads a log.
pub struct Reader<'a, R> {
    log: Log<R>,
    translator: Translator<'a>,
    header: Header,
    faults: Vec<Fault>,
    /// The last place in the file that a record came from.
    reached: Offset,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begins,
    Reads,
    Empties,
    Ended,
}

impl<'a, R: Read> Reader<'a, R> {
    /// Reads a log in one pass. Where stacks are keys, events wait for what the keys stand for, which mostly comes at
    /// the end: of a long log, most stacks are lost.
    ///
    /// # Errors
    /// As [`Log::new`].
    pub fn new(stream: R) -> Result<Self, ReadError> {
        Ok(Self::begin(Log::new(stream)?, None))
    }

    fn begin(log: Log<R>, again: Option<Again<'a>>) -> Self {
        let about = log.about();
        let name = match about.clock {
            Clock::Qpc => "QueryPerformanceCounter",
            Clock::System => "system time",
            Clock::Cycles => "processor cycles",
        };
        let header = Header {
            unfreed: String::new(),
            source: "etl".to_owned(),
            started_unix_ns: about.unix_ns(about.first),
            utc_offset_minutes: about.utc_offset_minutes,
            clock: trace::Clock { name: name.to_owned(), hertz: about.hertz() },
        };
        let translator = Translator::new(Timeline::new(about.first, about.hertz()), again);
        let (faults, reached, stage) = (Vec::new(), Offset(0), Stage::Begins);
        Reader { log, translator, header, faults, reached, stage }
    }

    /// What was met.
    pub fn tallies(&self) -> Tallies {
        self.translator.tallies()
    }

    /// What became no event.
    pub fn unknown(&self) -> &Unknown {
        self.translator.unknown()
    }

    /// What the session itself says that it lost. Nobody can tell when.
    fn session_losses(&mut self, events: &mut Vec<Event>) {
        let about = self.log.about();
        let count = u64::from(about.events_lost) + u64::from(about.buffers_lost);
        self.loss(Lost::Events, count, events);
    }

    fn loss(&self, what: Lost, count: u64, events: &mut Vec<Event>) {
        self.translator.loss(what, count, events);
    }

    /// Whether all that could not be read stood behind every record, and what was read is whole up to its end. Of several
    /// processors it is not: what one logged is written when its buffer is full, and may be earlier than the last record
    /// of another.
    fn cut(&self) -> bool {
        self.log.about().processors == 1
            && self.log.faults().iter().all(|fault| fault.offset > self.reached)
    }

    /// Bytes that could not be read, those of missing buffers among them.
    fn unread(&self) -> u64 {
        let counts = self.log.counts();
        let missing = counts.missing.saturating_mul(self.log.about().buffer_size.into());
        counts.unread.saturating_add(missing)
    }

    fn step(&mut self, events: &mut Vec<Event>) -> Result<(), ReadError> {
        match self.stage {
            Stage::Begins => {
                self.session_losses(events);
                self.stage = Stage::Reads;
            }
            Stage::Reads => {
                while events.len() < BATCH {
                    let Some(record) = self.log.next()? else {
                        self.translator.say_late();
                        self.stage = Stage::Empties;
                        break;
                    };
                    self.reached = self.reached.max(record.offset);
                    self.translator.record(&record);
                    self.translator.hand_on(events, BATCH);
                }
            }
            Stage::Empties => {
                if !self.translator.hand_on_rest(events, BATCH) {
                    self.flags(events);
                    // Behind its own free an allocation lives for ever.
                    self.loss(Lost::Events, self.log.counts().late, events);
                    let (unread, cut) = (self.unread(), self.cut());
                    self.translator.say_losses(events);
                    if !cut {
                        self.loss(Lost::Bytes, unread, events);
                    }
                    self.translator.end(events);
                    if cut {
                        self.loss(Lost::Bytes, unread, events);
                    }
                    self.stage = Stage::Ended;
                }
            }
            Stage::Ended => {}
        }
        Ok(())
    }

    /// A session that did not end in order says of its losses only in its buffers' flags.
    fn flags(&mut self, events: &mut Vec<Event>) {
        let (about, counts) = (self.log.about(), self.log.counts());
        if about.events_lost == 0 && about.buffers_lost == 0 {
            self.loss(Lost::Events, counts.events_lost + counts.buffers_lost, events);
        }
    }
}

impl<'a> Reader<'a, Box<dyn Seekable + 'a>> {
    /// Reads a log that lies in a file. `again` begins to read it, and is called a second time if something is
    /// needed that stands at the log's end.
    ///
    /// # Errors
    /// As [`Log::new`].
    pub fn file(mut again: Again<'a>) -> Result<Self, ReadError> {
        let stream = again().map_err(|source| ReadError::Io { offset: Offset(0), source })?;
        Ok(Self::begin(Log::seekable(stream)?, Some(again)))
    }
}

impl<R: Read> Source for Reader<'_, R> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn next_batch(&mut self, events: &mut Vec<Event>) -> Result<bool, ReadError> {
        events.clear();
        if self.stage == Stage::Ended {
            return Ok(false);
        }
        let result = self.step(events);
        let all = || self.log.faults().iter().chain(self.translator.faults());
        let known: u64 = self.faults.iter().map(|fault| fault.count).sum();
        if all().map(|fault| fault.count).sum::<u64>() != known {
            self.faults = all().cloned().collect();
        }
        result.map(|()| true)
    }

    fn faults(&self) -> &[Fault] {
        &self.faults
    }
}
