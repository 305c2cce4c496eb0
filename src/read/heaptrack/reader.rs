//! The reader: one line after the other into events, in batches.

use std::io::Read;

use super::fields::Fields;
use super::lines::{Came, Lines};
use super::state::State;
use crate::event::Event;
use crate::read::trace::{Clock, Header};
use crate::read::{Fault, Faults, Offset, ReadError, Source};

/// The latest version of the files that is known.
const NEWEST: u32 = 3;
/// What wrote files before they had a version of their own, and wrote them as version 1 has them.
const UNVERSIONED: u32 = 0x01_0200;
/// A batch ends once it has so many events.
const BATCH: usize = 4096;

/// Reads a data file of heaptrack.
#[derive(Debug)]
pub struct Reader<R> {
    lines: Lines<R>,
    header: Header,
    faults: Faults,
    state: State,
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// Begins to read.
    ///
    /// # Errors
    /// It is no file of heaptrack, or of a later version than is known; or reading failed.
    pub fn new(stream: R) -> Result<Self, ReadError> {
        let mut lines = Lines::new(stream);
        lines.next()?;
        let unreadable = |what: String| ReadError::Unreadable { offset: Offset(0), what };
        let mut fields = match lines.line() {
            [b'v', b' ', rest @ ..] => Fields::of(rest, false),
            _ => {
                return Err(unreadable(
                    "not a data file of heaptrack: it does not begin with its version".to_owned(),
                ));
            }
        };
        let no_version =
            || unreadable("the version of heaptrack's data file is no number".to_owned());
        let wrote = fields.index().ok_or_else(no_version)?;
        let version = fields.index().unwrap_or(u32::from(wrote == UNVERSIONED));
        if version > NEWEST {
            return Err(unreadable(format!(
                "the data file of heaptrack has format version {version}, this unfreed reads up to {NEWEST}: \
                 use a later unfreed, or an earlier heaptrack"
            )));
        }
        let clock = Clock { name: "heaptrack's timer".to_owned(), hertz: Some(1000) };
        let header = Header { source: "heaptrack".to_owned(), clock, ..Header::default() };
        let state = State::new(wrote, version);
        Ok(Reader { lines, header, faults: Faults::default(), state, ended: false })
    }
}

impl<R: Read> Source for Reader<R> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn next_batch(&mut self, events: &mut Vec<Event>) -> Result<bool, ReadError> {
        events.clear();
        if self.ended {
            return Ok(false);
        }
        while events.len() < BATCH {
            match self.lines.next()? {
                Came::End => {
                    self.state.end(events);
                    self.ended = true;
                    break;
                }
                Came::Cut => {
                    let what = "a line too long to be kept was cut";
                    self.faults.add(self.lines.offset(), what);
                }
                Came::Whole | Came::Torn => {}
            }
            if let Err(what) = self.state.line(self.lines.line(), events) {
                self.faults.add(self.lines.offset(), what);
            }
        }
        Ok(true)
    }

    fn faults(&self) -> &[Fault] {
        self.faults.as_slice()
    }
}
