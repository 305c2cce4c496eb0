//! What the lines so far come to. A time stands about every ten milliseconds and holds for what follows it; what an
//! interpreted file counts of blocks is told at the next one.

use std::mem;

use rustc_hash::FxHashSet;

use super::counts::Counts;
use super::fields::Fields;
use super::frames::Frames;
use super::mapped::Mapped;
use super::passed::{FULL, Passed, UNREADABLE};
use super::program::Program;
use super::traces::{NODE, Traces};
use crate::event::{
    Address, Alloc, Bytes, Event, Exit, Free, Function, HeapId, Metric, ProcessId, Sample, StackId,
    Tid, Time, What,
};
use crate::read::room::Room;

/// From this version of heaptrack on, a raw frame's address is one less than the return address.
const ONE_LESS: u32 = 0x01_0300;
/// How far verdicts' moments lie apart.
const EPOCH: Time = Time(100_000_000);
const MILLISECOND: u64 = 1_000_000;

/// What the lines so far come to.
#[derive(Debug, Default)]
pub(super) struct State {
    program: Program,
    page: u64,
    begun: bool,
    now: Time,
    told: Time,
    epoch: Time,
    frames: Frames,
    mapped: Mapped,
    traces: Traces,
    counts: Counts,
    /// The addresses of blocks that live, where the file has them.
    live: FxHashSet<u64>,
    room: Room,
}

impl State {
    /// Before the first line, of a file that such a heaptrack wrote, of such a version.
    pub(super) fn new(wrote: u32, version: u32) -> Self {
        State { program: Program { wrote, version, ..Program::default() }, ..State::default() }
    }

    /// Takes a line.
    pub(super) fn line(&mut self, line: &[u8], events: &mut Vec<Event>) -> Passed {
        let Some((letter, rest)) = line.split_first() else { return Ok(()) };
        let mut fields = Fields::of(rest.get(1..).unwrap_or_default(), self.program.version >= 3);
        match letter {
            b'+' => self.allocated(fields, events),
            b'-' => self.freed(fields, events),
            b'c' => self.time(fields, events),
            b'R' => self.resident(fields, events),
            b'a' => self.class(fields),
            b't' => self.trace(fields, events),
            b'i' => {
                self.begin(events);
                let now = self.now;
                self.frames.frame(fields, &mut self.room, &mut |what| events.push(event(now, what)))
            }
            b's' => self.frames.text(fields.text(), &mut self.room),
            b'm' => self.module(fields, events),
            b'x' => {
                self.program.raw = true;
                self.program.path = fields.text().ok_or(UNREADABLE)?;
                Ok(())
            }
            b'X' => {
                self.program.command = fields.whole();
                Ok(())
            }
            b'I' => {
                self.page = fields.number().ok_or(UNREADABLE)?;
                Ok(())
            }
            b'A' => {
                self.program.attached = true;
                Ok(())
            }
            // Suppressions of LeakSanitizer that the program brings: what its authors want hidden is shown.
            b'S' | b'#' => Ok(()),
            _ => Err("a line of unknown kind was passed over"),
        }
    }

    /// Tells of the process, before anything else is told.
    #[inline]
    fn begin(&mut self, events: &mut Vec<Event>) {
        if !self.begun {
            self.introduce(events);
        }
    }

    #[cold]
    fn introduce(&mut self, events: &mut Vec<Event>) {
        self.begun = true;
        let told = self.program.told(self.frames.first_path());
        events.extend(told.map(|what| event(self.now, what)));
    }

    fn allocated(&mut self, mut fields: Fields<'_>, events: &mut Vec<Event>) -> Passed {
        self.begin(events);
        if !self.by_address() {
            let class = fields.number().ok_or(UNREADABLE)?;
            let known = self.counts.allocated(class);
            return if known {
                Ok(())
            } else {
                Err("an allocation of a class that is not defined was passed over")
            };
        }
        let (Some(size), Some(trace), Some(address)) =
            (fields.number(), fields.number(), fields.number())
        else {
            return Err(UNREADABLE);
        };
        self.listed(events);
        self.live.insert(address);
        let what = What::Alloc(Alloc {
            address: Address(address),
            size: Bytes(size),
            stack: self.traces.stack(trace),
            function: Function::Unknown,
            heap: HeapId::DEFAULT,
        });
        events.push(event(self.now, what));
        Ok(())
    }

    fn freed(&mut self, mut fields: Fields<'_>, events: &mut Vec<Event>) -> Passed {
        self.begin(events);
        let block = fields.number().ok_or(UNREADABLE)?;
        if !self.by_address() {
            let known = self.counts.freed(block);
            return if known {
                Ok(())
            } else {
                Err("a free of a block that was not allocated was passed over")
            };
        }
        // heaptrack records a realloc when it is over: another thread may have been given the old address by then, and
        // its block is freed in its place. What is left over accuses nobody, and is passed over as heaptrack does.
        if self.live.remove(&block) {
            let address = Address(block);
            let (stack, function, heap) = (StackId::NOT_TAKEN, Function::Unknown, HeapId::DEFAULT);
            events.push(event(self.now, What::Free(Free { address, stack, function, heap })));
        } else if !self.program.attached {
            return Err("a free of a block that was not seen allocated was passed over");
        }
        Ok(())
    }

    /// `c MILLISECONDS`
    fn time(&mut self, mut fields: Fields<'_>, events: &mut Vec<Event>) -> Passed {
        self.begin(events);
        let time = Time(fields.number().ok_or(UNREADABLE)?.saturating_mul(MILLISECOND));
        if time < self.now {
            return Err("a time before the one that stood before it was passed over");
        }
        self.now = time;
        self.tell(events);
        if time.0 - self.epoch.0 >= EPOCH.0 {
            self.epoch = time;
            events.push(event(time, What::Epoch));
        }
        Ok(())
    }

    /// `R PAGES`
    fn resident(&mut self, mut fields: Fields<'_>, events: &mut Vec<Event>) -> Passed {
        self.begin(events);
        let pages = fields.number().ok_or(UNREADABLE)?;
        // Without the size of a page the number says nothing.
        if let Some(value) = pages.checked_mul(self.page).filter(|value| *value != 0) {
            events.push(event(self.now, What::Sample(Sample { metric: Metric::Rss, value })));
        }
        Ok(())
    }

    /// `a SIZE TRACE`
    fn class(&mut self, mut fields: Fields<'_>) -> Passed {
        let (size, trace) = (fields.number(), fields.index());
        let known = trace.filter(|trace| (*trace as usize) <= self.traces.len());
        if !self.room.take(Counts::CLASS) {
            return Err(FULL);
        }
        self.counts.define(size.unwrap_or(0), known.unwrap_or(0));
        if size.is_some() && known.is_some() {
            Ok(())
        } else {
            Err("a class of blocks without a known stack")
        }
    }

    /// `t FRAME CALLER`: the frame by its number, or in a raw file by its address. It keeps its number whatever
    /// comes of it.
    fn trace(&mut self, mut fields: Fields<'_>, events: &mut Vec<Event>) -> Passed {
        self.begin(events);
        self.listed(events);
        if !self.room.take(NODE + Counts::TRACE) {
            return Err(FULL);
        }
        let (frame, caller) = (fields.number(), fields.number());
        let frame = frame.and_then(|frame| match self.program.raw {
            true if self.program.wrote >= ONE_LESS => Some(self.mapped.returning(frame)),
            true => Some(self.mapped.frame(frame)),
            false => self.frames.get(frame),
        });
        let (Some(frame), Some(caller)) = (frame, caller) else {
            self.traces.lose();
            return Err("a stack whose frame is not known");
        };
        let node = self.traces.define(frame, caller).ok_or(UNREADABLE)?;
        events.push(event(self.now, What::Stack(node)));
        Ok(())
    }

    fn module(&mut self, fields: Fields<'_>, events: &mut Vec<Event>) -> Passed {
        self.program.raw = true;
        self.begin(events);
        let (now, program) = (self.now, &self.program.path);
        let tell = &mut |what| events.push(event(now, what));
        self.mapped.line(fields, program, &mut self.room, tell)
    }

    fn listed(&mut self, events: &mut Vec<Event>) {
        let now = self.now;
        self.mapped.listed(&mut |what| events.push(event(now, what)));
    }

    /// Whether blocks are told by their addresses: in raw files, and in all before the files had a version.
    fn by_address(&self) -> bool {
        self.program.raw || self.program.version == 0
    }

    /// Tells what was counted.
    fn tell(&mut self, events: &mut Vec<Event>) {
        let since = mem::replace(&mut self.told, self.now);
        let (now, traces) = (self.now, &self.traces);
        if !self.counts.is_empty() {
            let stack = |trace: u32| traces.stack(trace.into());
            self.counts
                .tell(since, stack, |tally| events.push(event(now, What::Tally(Box::new(tally)))));
        }
    }

    /// Tells what is left to tell.
    pub(super) fn end(&mut self, events: &mut Vec<Event>) {
        self.begin(events);
        self.tell(events);
        // What heaptrack started it follows to its end, of which the file tells nothing; from what it was attached to it
        // may have been taken away.
        let exit = if self.program.attached { Exit::StillRunning } else { Exit::Unknown };
        events.push(event(self.now, What::ProcessExit(exit)));
        events.push(event(self.now, What::Epoch));
    }
}

fn event(time: Time, what: What) -> Event {
    Event { time, process: ProcessId(0), thread: Tid(0), what }
}

#[cfg(test)]
mod tests;
