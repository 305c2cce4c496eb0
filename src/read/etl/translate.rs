//! Records to events: what is known meanwhile, and each kind of record to where it is dealt with.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::ahead::{Again, Ahead};
use super::inventory::Said;
use super::kind::Kind;
use super::modules::Modules;
use super::onward::EPOCH;
use super::pending::{HOOKS, Held, Hook, Number, Pending, Wait};
use super::recent::Recent;
use super::record::{Record, Ticks};
use super::spaces::Spaces;
use super::stacks::Stacks;
use super::symbols::SymbolRecord;
use super::tallies::Tallies;
use super::timeline::Timeline;
use super::unknown::Unknown;
use crate::event::{Event, ModuleId, ProcessId, Tid, Time, What};
use crate::read::{Fault, Faults};

/// How long an event waits for its stack, in nanoseconds. Its record follows within microseconds, unless
/// the thread sleeps on its way out of the kernel.
const WINDOW: u64 = 1_000_000_000;

/// So many records of a kind come without a stack before none is waited for.
const UNWALKED: u64 = 1024;

/// Whether a kind of record comes with stacks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Walked {
    pub(super) came: u64,
    pub(super) missed: u64,
}

impl Walked {
    fn waits(self) -> bool {
        self.came > 0 || self.missed < UNWALKED
    }
}

/// What turns records into events.
pub struct Translator<'a> {
    pub(super) times: Timeline,
    pub(super) spaces: Spaces,
    pub(super) modules: Modules,
    pub(super) said: BTreeMap<ModuleId, Said>,
    pub(super) stacks: Stacks,
    pub(super) pending: Pending,
    pub(super) recent: Recent,
    pub(super) unknown: Unknown,
    pub(super) faults: Faults,
    pub(super) tallies: Tallies,
    pub(super) again: Option<Again<'a>>,
    pub(super) ahead: Option<Ahead>,
    /// Events that wait for a key, by it.
    pub(super) keyed: FxHashMap<u64, Vec<Number>>,
    pub(super) walked: [Walked; HOOKS],
    /// Records that nobody can tell the process of.
    pub(super) lost_anywhere: u64,
    /// The time of the latest record.
    pub(super) now: Ticks,
    pub(super) window: u64,
    pub(super) processes: u32,
    /// The time that the stream of events has come to.
    pub(super) last: Time,
    pub(super) epoch: Time,
}

impl<'a> Translator<'a> {
    /// One that knows nothing yet. `again` begins to read the same log anew, where that is possible.
    pub fn new(times: Timeline, again: Option<Again<'a>>) -> Self {
        Translator {
            times,
            spaces: Spaces::default(),
            modules: Modules::default(),
            said: BTreeMap::new(),
            stacks: Stacks::default(),
            pending: Pending::default(),
            recent: Recent::default(),
            unknown: Unknown::default(),
            faults: Faults::default(),
            tallies: Tallies::default(),
            again,
            ahead: None,
            keyed: FxHashMap::default(),
            walked: [Walked::default(); HOOKS],
            lost_anywhere: 0,
            now: Ticks(0),
            window: times.ticks(WINDOW),
            processes: 0,
            last: Time(0),
            epoch: Time(EPOCH),
        }
    }

    /// Takes the next record.
    #[inline]
    pub fn record(&mut self, record: &Record<'_>) {
        self.now = self.now.max(record.time);
        match Kind::of(record) {
            Kind::Heap => self.heap(record),
            Kind::StackWalk => self.stack(record),
            kind => self.rare(kind, record),
        }
    }

    fn rare(&mut self, kind: Kind, record: &Record<'_>) {
        match kind {
            Kind::VirtualAlloc | Kind::VirtualFree => self.range(record),
            Kind::ImageMapped | Kind::ImageUnmapped => self.image(kind, record),
            Kind::ProcessStart | Kind::ProcessEnd | Kind::ProcessFound => {
                self.process(kind, record)
            }
            Kind::Symbols => {
                self.tallies.symbols += 1;
                match SymbolRecord::read(record) {
                    Some(known) => self.modules.learn(known),
                    None => self.odd(record, "a record of an image's file is too short: not read"),
                }
            }
            Kind::Told => self.told(record),
            Kind::ThreadEnd => {
                // Both versions of the record begin with the process and the thread.
                let tid = record.payload.get(4..).and_then(|rest| rest.first_chunk());
                if let Some(tid) = tid {
                    self.recent.ended(u32::from_le_bytes(*tid));
                }
            }
            Kind::Heap | Kind::StackWalk | Kind::Passed => {}
            Kind::Unknown => self.unknown.add(record),
        }
    }

    /// Counts a record that could not be read.
    pub(super) fn odd(&mut self, record: &Record<'_>, what: &'static str) {
        self.faults.add(record.offset, what);
    }

    /// What could not be read.
    pub fn faults(&self) -> &[Fault] {
        self.faults.as_slice()
    }

    /// What was met.
    pub fn tallies(&self) -> Tallies {
        self.tallies
    }

    /// What became no event.
    pub fn unknown(&self) -> &Unknown {
        &self.unknown
    }

    /// The place of a process, with what stands at the log's end of it, if that is known.
    #[inline]
    pub(super) fn at(&mut self, pid: u32) -> usize {
        let (at, new) = self.spaces.at(pid);
        if new && self.ahead.is_some() {
            self.fill(at);
        }
        at
    }

    /// The id of a process; it is told now if it was not.
    #[inline]
    pub(super) fn id(&mut self, at: usize) -> ProcessId {
        match self.spaces.get(at).id {
            Some(id) => id,
            None => self.announce(at),
        }
    }

    /// Puts an event that waits for nothing behind those that wait, if its process has been told.
    pub(super) fn say(&mut self, at: usize, what: What) {
        let Some(process) = self.spaces.get(at).id else { return };
        let event = Event { time: self.times.of(self.now), process, thread: Tid(0), what };
        self.pending.push(Held {
            event: Some(event),
            ticks: self.now,
            space: at,
            hook: Hook::None,
            wait: Wait::Ready,
            tid: 0,
        });
    }

    /// Puts an event that is of no process behind those that wait.
    pub(super) fn say_of_all(&mut self, what: What) {
        let (time, process) = (self.times.of(self.now), ProcessId(0));
        let event = Event { time, process, thread: Tid(0), what };
        self.pending.push(Held {
            event: Some(event),
            ticks: self.now,
            space: 0,
            hook: Hook::None,
            wait: Wait::Ready,
            tid: 0,
        });
    }

    /// Puts an event that may have a stack behind those that wait.
    #[inline]
    pub(super) fn hold(
        &mut self,
        record: &Record<'_>,
        at: usize,
        hook: Hook,
        what: Option<What>,
    ) -> Number {
        let process = self.id(at);
        let tid = record.thread.unwrap_or_default();
        let time = self.times.of(self.now);
        let event = what.map(|what| Event { time, process, thread: Tid(tid), what });
        let wait = if self.walked[hook as usize].waits() { Wait::Stack } else { Wait::Ready };
        self.pending.push(Held { event, ticks: record.time, space: at, hook, wait, tid })
    }
}
