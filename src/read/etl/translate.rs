//! Records to events: each kind of record where it is dealt with, and events handed on in order of time once
//! their stacks have come.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use unfreed_symbols::ModuleIdentity;

use super::ahead::{Again, Ahead};
use super::image::Image;
use super::kind::Kind;
use super::modules::Modules;
use super::pending::{HOOKS, Held, Hook, Number, Pending, Wait};
use super::process::ProcessRecord;
use super::recent::Recent;
use super::record::{Record, Ticks};
use super::spaces::Spaces;
use super::stacks::Stacks;
use super::symbols::SymbolRecord;
use super::tallies::Tallies;
use super::timeline::Timeline;
use super::unknown::Unknown;
use crate::event::{
    Address, Bytes, Event, Exit, Module, ModuleId, Process, ProcessId, StackId, Tid, Time, What,
};
use crate::read::{Fault, Faults};

/// How long an event waits for its stack, in nanoseconds. Its record follows within microseconds, unless
/// the thread sleeps on its way out of the kernel.
const WINDOW: u64 = 1_000_000_000;

/// So many records of a kind come without a stack before none is waited for.
const UNWALKED: u64 = 1024;

/// An epoch is at least this long, in nanoseconds.
const EPOCH: u64 = 1_000_000_000;

/// The process that the kernel's images are told of. No frame of the kernel becomes one of a stack.
const KERNEL: u32 = 0;

/// Whether a kind of record comes with stacks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Walked {
    pub(super) came: u64,
    missed: u64,
}

impl Walked {
    fn waits(self) -> bool {
        self.came > 0 || self.missed < UNWALKED
    }
}

/// A module as it was told last.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) identity: ModuleIdentity,
    pub(super) space: usize,
    pub(super) base: Address,
    pub(super) size: Bytes,
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
    window: u64,
    processes: u32,
    /// The time that the stream of events has come to.
    pub(super) last: Time,
    epoch: Time,
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

    #[cold]
    fn announce(&mut self, at: usize) -> ProcessId {
        let id = ProcessId(self.processes);
        self.processes += 1;
        self.spaces.get_mut(at).id = Some(id);
        self.say_process(at);
        let mapped: Vec<_> = self.spaces.get(at).mappings.iter().map(|(b, m)| (b, *m)).collect();
        for (base, mapped) in mapped.into_iter().filter(|(_, mapped)| mapped.until.is_none()) {
            self.say_module(at, mapped.module, base, mapped.size);
        }
        id
    }

    pub(super) fn say_process(&mut self, at: usize) {
        let process: Process = self.spaces.get(at).process();
        self.say(at, What::Process(Box::new(process)));
    }

    pub(super) fn say_module(&mut self, at: usize, id: ModuleId, base: Address, size: Bytes) {
        let identity = self.modules.identity(id);
        let module = Module { id, identity: identity.clone(), base, size };
        self.said.insert(id, Said { identity, space: at, base, size });
        self.say(at, What::Module(Box::new(module)));
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

    fn image(&mut self, kind: Kind, record: &Record<'_>) {
        self.tallies.images += 1;
        let image = Image::read(record);
        let Some((image, pid)) = image.and_then(|i| i.pid.or(record.process).map(|pid| (i, pid)))
        else {
            self.odd(record, "a record of an image cannot be read: its frames have no module");
            return;
        };
        if pid == KERNEL {
            return;
        }
        let at = self.at(pid);
        let space = self.spaces.get_mut(at);
        if kind == Kind::ImageUnmapped {
            if space.mappings.unmap(image.base, self.now) {
                space.remembered.clear();
                self.say(at, What::ModuleUnload(image.base));
            }
            return;
        }
        space.listed |= record.opcode == 3;
        // One that was found, not seen to be mapped, was there before.
        let since = if matches!(record.opcode, 3 | 4) { Ticks(0) } else { record.time };
        self.map(at, &image, since);
    }

    pub(super) fn map(&mut self, at: usize, image: &Image, since: Ticks) {
        let module = self.modules.id(image);
        let space = self.spaces.get_mut(at);
        if space.mappings.map(image.base, image.size, module, since) {
            space.remembered.clear();
            if space.id.is_some() {
                self.say_module(at, module, image.base, image.size);
            }
        }
    }

    fn process(&mut self, kind: Kind, record: &Record<'_>) {
        self.tallies.processes += 1;
        let Some(about) = ProcessRecord::read(record) else {
            self.odd(record, "a record of a process cannot be read");
            return;
        };
        let at = if kind == Kind::ProcessStart {
            let (at, replaced) = self.spaces.start(about.pid, record.time);
            if let Some(old) = replaced {
                self.say(old, What::ProcessExit(Exit::Unknown));
            }
            at
        } else {
            self.at(about.pid)
        };
        let status = about.status;
        let space = self.spaces.get_mut(at);
        if space.about.is_none() {
            space.about = Some(about);
            self.say_process(at);
        }
        if kind == Kind::ProcessEnd {
            self.say_committed(at, true);
            self.say(at, What::ProcessExit(Exit::Status(status)));
            self.spaces.end(at);
        }
    }

    /// Hands on what waits no more, up to `most` events.
    #[inline]
    pub fn hand_on(&mut self, out: &mut Vec<Event>, most: usize) {
        let until = Ticks(self.now.0.saturating_sub(self.window));
        while out.len() < most {
            match self.pending.pop(until) {
                Some(held) => self.emit(held, out),
                None => return,
            }
        }
    }

    /// Hands on what waits, at the end; false once nothing is left.
    pub(super) fn hand_on_rest(&mut self, out: &mut Vec<Event>, most: usize) -> bool {
        while out.len() < most {
            match self.pending.pop(Ticks(u64::MAX)) {
                Some(held) => self.emit(held, out),
                None => return false,
            }
        }
        true
    }

    #[inline]
    fn emit(&mut self, held: Held, out: &mut Vec<Event>) {
        let Held { event, space, hook, wait, .. } = held;
        let walked = &mut self.walked[hook as usize];
        let missing = match wait {
            Wait::Ready => false,
            Wait::Stack => {
                walked.missed += 1;
                walked.came > 0
            }
            Wait::Key => true,
        };
        let Some(mut event) = event else { return };
        if missing {
            self.spaces.lose_stack(space);
            set(&mut event.what, StackId::LOST);
        }
        if event.time >= self.epoch {
            self.end_epoch(event.time, out);
        }
        self.last = event.time;
        let time = event.time;
        if let Some(stack) = stack_of(&event.what).filter(|stack| self.stacks.is_untold(*stack)) {
            let (process, thread) = (event.process, event.thread);
            let nodes = self.stacks.untold(stack);
            out.extend(nodes.map(|node| Event { time, process, thread, what: What::Stack(node) }));
        }
        out.push(event);
    }

    #[cold]
    fn end_epoch(&mut self, time: Time, out: &mut Vec<Event>) {
        let end = Time(time.0 / EPOCH * EPOCH);
        self.last = self.last.max(end);
        self.say_losses(out);
        out.push(Event {
            time: self.last,
            process: ProcessId(0),
            thread: Tid(0),
            what: What::Epoch,
        });
        self.epoch = Time(end.0.saturating_add(EPOCH));
    }
}

/// The stack of an event.
#[inline]
fn stack_of(what: &What) -> Option<StackId> {
    Some(match what {
        What::Alloc(alloc) => alloc.stack,
        What::Free(free) => free.stack,
        What::Realloc(realloc) => realloc.stack,
        What::HeapCreate(create) => create.stack,
        _ => return None,
    })
}

/// Gives an event its stack.
#[inline]
pub(super) fn set(what: &mut What, stack: StackId) {
    match what {
        What::Alloc(alloc) => alloc.stack = stack,
        What::Free(free) => free.stack = stack,
        What::Realloc(realloc) => realloc.stack = stack,
        What::HeapCreate(create) => create.stack = stack,
        _ => {}
    }
}
