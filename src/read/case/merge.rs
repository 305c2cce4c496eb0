//! The recordings of a case as one stream of events, in the order of time.

use serde::{Deserialize, Serialize};

use super::snapshots::Form;
use super::translate::{Numbers, Told, is_of_a_block};
use crate::event::{Event, Exit, Fact, FactKind, ProcessId, Tid, Time, What};
use crate::read::trace::{Clock, Header};
use crate::read::{About, Fault, ReadError, Source};

/// Events handed out at once.
const BATCH: usize = 4096;
/// The name of the clock of a recording that has no time but its file's.
pub const FILE_TIME: &str = "file time";
/// A file time further than this from what other recordings say of the time is taken for that of a copy.
const FAR_OFF_NS: i64 = 7 * 24 * 3600 * 1_000_000_000;

/// One recording of a case.
pub struct Part<'a> {
    /// Its reader.
    pub source: Box<dyn Source + 'a>,
    /// Its file.
    pub about: About,
}

/// What a case says of one of its recordings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartSeen {
    /// The file.
    pub name: String,
    /// What it is: the header's `source`.
    pub kind: String,
    /// When its time 0 was, in nanoseconds since 1970-01-01 UTC; `None` where it does not say.
    pub started_unix_ns: Option<i64>,
    /// How it was put on the case's clock.
    pub placed: Placed,
    /// Minutes east of UTC on the traced machine; `None` where it does not say.
    pub utc_offset_minutes: Option<i32>,
    /// The processes that it tells of by number, in its order.
    pub pids: Vec<u32>,
    /// Events told.
    pub events: u64,
    /// Events of blocks that were left out, since another recording lists the same process's.
    pub listed_twice: u64,
    /// Until when it tells of blocks, on the case's clock; `None` where it lists none.
    pub blocks_until: Option<Time>,
}

/// How a recording was put on the clock of its case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placed {
    /// By its own clock.
    Clock,
    /// By the time at which its file was last written.
    FileTime,
    /// It has no time, or one that cannot be its own: it was put to the beginning of the case.
    Beginning,
}

/// Several recordings, read as one.
pub struct Case<'a> {
    parts: Vec<Open<'a>>,
    header: Header,
    numbers: Numbers,
    faults: Vec<Fault>,
    last: Time,
}

/// A recording that is being read.
struct Open<'a> {
    source: Box<dyn Source + 'a>,
    seen: PartSeen,
    events: std::vec::IntoIter<Event>,
    next: Option<Event>,
    /// Its time 0 on the case's clock.
    begins: u64,
    /// Whether its snapshots are compared with those of no other: it is the difference of two, or counts anew.
    pair: bool,
}

impl<'a> Case<'a> {
    /// Begins to read all of them.
    ///
    /// # Errors
    /// As [`Source::next_batch`], with the file's name.
    pub fn new(parts: Vec<Part<'a>>) -> Result<Case<'a>, (String, ReadError)> {
        let mut open = Vec::new();
        for Part { source, about } in parts {
            let seen = PartSeen {
                name: about.name.clone(),
                kind: String::new(),
                started_unix_ns: None,
                placed: Placed::Beginning,
                utc_offset_minutes: None,
                pids: Vec::new(),
                events: 0,
                listed_twice: 0,
                blocks_until: None,
            };
            let events = Vec::new().into_iter();
            let mut part = Open { source, seen, events, next: None, begins: 0, pair: false };
            part.advance().map_err(|error| (about.name, error))?;
            open.push(part);
        }
        let header = place(&mut open);
        let mut numbers = Numbers::default();
        for (at, part) in open.iter().enumerate() {
            for event in part.next.iter().chain(part.events.as_slice()) {
                if let What::Process(process) = &event.what {
                    numbers.processes.announce(at, event.process, process);
                }
                // Those that list a process's modules do so first, whatever their time.
                if let What::Module(module) = &event.what {
                    numbers.bases.learn(module);
                }
            }
        }
        Ok(Case { parts: open, header, numbers, faults: Vec::new(), last: Time(0) })
    }

    /// What became of each recording, in the order given.
    pub fn parts(&self) -> impl Iterator<Item = &PartSeen> {
        self.parts.iter().map(|part| &part.seen)
    }
}

impl Source for Case<'_> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn next_batch(&mut self, events: &mut Vec<Event>) -> Result<bool, ReadError> {
        events.clear();
        while events.len() < BATCH {
            let waiting = self.parts.iter().enumerate();
            let first = waiting
                .filter_map(|(at, part)| {
                    Some((part.next.as_ref()?.time.0.saturating_add(part.begins), at))
                })
                .min();
            let Some((time, at)) = first else { break };
            let part = &mut self.parts[at];
            let Some(mut event) = part.next.take() else { break };
            part.advance()?;
            // A recording whose time goes back does not take the others with it.
            event.time = Time(time).max(self.last);
            if let What::Process(process) = &event.what
                && process.pid != 0
                && !part.seen.pids.contains(&process.pid)
            {
                part.seen.pids.push(process.pid);
            }
            say_whose(&mut event, &part.seen.name);
            self.last = event.time;
            let form = Form { kind: &part.seen.kind, pair: part.pair };
            match self.numbers.translate(at, form, event) {
                Told::Event(event) => {
                    part.seen.events += 1;
                    if part.seen.blocks_until.is_some() || is_of_a_block(&event.what) {
                        part.seen.blocks_until = Some(event.time);
                    }
                    events.push(event);
                }
                Told::Known => part.seen.events += 1,
                Told::BlockListedTwice => part.seen.listed_twice += 1,
            }
        }
        if events.is_empty() {
            self.gather_faults();
            events.extend(self.order());
            let outlived = self.numbers.processes.outlived();
            events.extend(outlived.iter().map(|process| self.last_word(*process)));
            // Verdicts are made where a source says so.
            if let Some(process) = outlived.first() {
                events.push(Event { what: What::Epoch, ..self.last_word(*process) });
            }
        }
        Ok(!events.is_empty())
    }

    fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

/// What a reader has to say is of its file: of ten snapshots each may have something.
fn say_whose(event: &mut Event, file: &str) {
    if let What::Fact(fact) = &mut event.what
        && fact.kind == FactKind::Capture
    {
        fact.subject = format!("{file}: {}", fact.subject);
    }
}

impl Case<'_> {
    fn last_word(&self, process: ProcessId) -> Event {
        let what = What::ProcessExit(Exit::StillRunning);
        Event { time: self.last, process, thread: Tid(0), what }
    }

    /// What there is to say where nothing tells which of two snapshots is the earlier.
    fn order(&mut self) -> Option<Event> {
        let parts = std::mem::take(&mut self.numbers.snapshots.unordered);
        let names: Vec<&str> = parts.iter().map(|at| &*self.parts[*at].seen.name).collect();
        let value = "nothing tells which was taken first: they count in the order given".to_owned();
        let fact = Fact { kind: FactKind::Capture, subject: names.join(", "), value: Some(value) };
        let (time, process, thread) = (self.last, ProcessId::EVERY, Tid(0));
        let what = What::Fact(Box::new(fact));
        (!names.is_empty()).then_some(Event { time, process, thread, what })
    }

    fn gather_faults(&mut self) {
        let all = self.parts.iter().flat_map(|part| {
            let name = &part.seen.name;
            part.source.faults().iter().map(move |fault| Fault {
                what: format!("{name}: {}", fault.what).into(),
                ..fault.clone()
            })
        });
        self.faults = all.collect();
    }
}

impl Open<'_> {
    fn advance(&mut self) -> Result<(), ReadError> {
        self.next = self.events.next();
        while self.next.is_none() {
            let mut batch = Vec::new();
            if !self.source.next_batch(&mut batch)? {
                break;
            }
            // A difference tells both of its snapshots at once.
            let later = |event: &Event| matches!(&event.what, What::Snapshot(of) if of.number > 0);
            self.pair |= batch.iter().any(later);
            self.events = batch.into_iter();
            self.next = self.events.next();
        }
        Ok(())
    }
}

/// Puts every recording on one clock, which begins where the earliest does.
fn place(parts: &mut [Open<'_>]) -> Header {
    let started = |part: &Open<'_>| {
        let header = part.source.header();
        (header.started_unix_ns != 0)
            .then_some((header.started_unix_ns, header.clock.name == FILE_TIME))
    };
    let clocks: Vec<i64> =
        parts.iter().filter_map(started).filter(|(_, file)| !file).map(|(at, _)| at).collect();
    for part in &mut *parts {
        part.seen.kind.clone_from(&part.source.header().source);
        part.pair |= part.seen.kind == "memleak";
        part.seen.utc_offset_minutes = part.source.header().known_utc_offset();
        let Some((at, of_file)) = started(part) else { continue };
        part.seen.started_unix_ns = Some(at);
        let near = |clock: &i64| clock.abs_diff(at) <= FAR_OFF_NS.unsigned_abs();
        part.seen.placed = match of_file {
            false => Placed::Clock,
            true if clocks.is_empty() || clocks.iter().any(near) => Placed::FileTime,
            true => Placed::Beginning,
        };
    }
    let placed = |part: &Open<'_>| {
        part.seen.started_unix_ns.filter(|_| part.seen.placed != Placed::Beginning)
    };
    let began = parts.iter().filter_map(placed).min();
    for part in &mut *parts {
        let after = placed(part).zip(began).map(|(at, began)| at.saturating_sub(began));
        part.begins = after.and_then(|after| u64::try_from(after).ok()).unwrap_or(0);
    }
    let mut kinds: Vec<&str> = parts.iter().map(|part| part.seen.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let first = parts.iter().find(|part| placed(part) == began).map(|part| part.source.header());
    Header {
        unfreed: first.map_or_else(String::new, |header| header.unfreed.clone()),
        source: kinds.join("+"),
        started_unix_ns: began.unwrap_or(0),
        utc_offset_minutes: first.map_or(0, |header| header.utc_offset_minutes),
        clock: Clock { name: "several".to_owned(), hertz: None },
    }
}
