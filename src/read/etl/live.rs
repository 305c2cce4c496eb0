//! Records that a session delivers while it runs, as events: the second way into the one decoder, beside the file's.
//!
//! Each record comes as it would stand in a file. Whoever hands them in sees to their order in time; one that is late all the
//! same is read and counted. Epochs are where the records' own times put them, never where a clock of ours is.

use super::header::{self, Lies};
use super::record::{Record, Ticks};
use super::tallies::Tallies;
use super::timeline::Timeline;
use super::translate::Translator;
use super::unknown::Unknown;
use crate::event::{Event, Lost};
use crate::read::{Fault, Faults, Offset};

/// A session that is being read.
pub struct Live {
    translator: Translator<'static>,
    /// Bytes handed in so far: the place of the next record.
    taken: u64,
    last: Ticks,
    late: u64,
    faults: Faults,
}

impl Live {
    /// One whose clock stood at `first` as it began, and counts `hertz` in a second.
    pub fn new(first: Ticks, hertz: u64) -> Live {
        let translator = Translator::new(Timeline::new(first, Some(hertz)), None);
        Live { translator, taken: 0, last: Ticks(0), late: 0, faults: Faults::default() }
    }

    /// Takes a record, and hands on what waits no more. `bytes` are one record with its header, as in a file.
    pub fn record(&mut self, processor: u16, bytes: &[u8], out: &mut Vec<Event>) {
        let offset = Offset(self.taken);
        self.taken += bytes.len() as u64;
        let Some(record) = decode(offset, processor, bytes) else {
            self.faults.add(offset, "a delivered record is none, or leaves its bounds: lost");
            self.translator.lost_anywhere += 1;
            return;
        };
        if record.time < self.last {
            self.late += 1;
            self.faults.add(offset, "a record was delivered after later ones");
        }
        self.last = self.last.max(record.time);
        self.translator.record(&record);
        self.translator.hand_on(out, usize::MAX);
    }

    /// The session lost so many records; nobody can tell whose.
    pub fn lost(&mut self, count: u64) {
        self.translator.lost_anywhere = self.translator.lost_anywhere.saturating_add(count);
    }

    /// Nothing comes any more: hands on the rest.
    pub fn end(&mut self, out: &mut Vec<Event>) {
        self.translator.say_late();
        self.translator.hand_on_rest(out, usize::MAX);
        self.translator.loss(Lost::Events, self.late, out);
        self.translator.say_losses(out);
        self.translator.end(out);
    }

    /// What could not be read so far; places count the bytes that were handed in.
    pub fn faults(&self) -> Vec<Fault> {
        self.faults.as_slice().iter().chain(self.translator.faults()).cloned().collect()
    }

    /// What was met so far.
    pub fn tallies(&self) -> Tallies {
        self.translator.tallies()
    }

    /// What became no event.
    pub fn unknown(&self) -> &Unknown {
        self.translator.unknown()
    }
}

/// The record that `bytes` are, which stand at `offset` of whatever they come from; `None` where they are none.
pub fn decode(offset: Offset, processor: u16, bytes: &[u8]) -> Option<Record<'_>> {
    let outline = header::outline(bytes).filter(|outline| outline.kind.tells())?;
    let lies = Lies { offset, time: outline.time, processor };
    let (record, whole) = header::record(bytes.get(..outline.size)?, lies)?;
    whole.then_some(record)
}
