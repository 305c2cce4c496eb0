//! The reader: one line after the other into events. A time stands about every ten milliseconds and holds for what
//! follows it; what an interpreted file counts of blocks is told at the next one.

use std::io::Read;
use std::mem;

use rustc_hash::FxHashSet;

use super::counts::Counts;
use super::fields::Fields;
use super::frames::Frames;
use super::lines::{Came, Lines};
use super::mapped::Mapped;
use crate::event::{
    Address, Alloc, Bytes, Event, Exit, Fact, FactKind, Free, Function, HeapId, Metric, Process,
    ProcessId, Sample, StackId, StackNode, Tid, Time, What,
};
use crate::read::room::Room;
use crate::read::trace::{Clock, Header};
use crate::read::{Fault, Faults, Offset, ReadError, Source};

/// The latest version of the files that is known.
const NEWEST: u32 = 3;
/// From this version of heaptrack on, a raw frame's address is one less than the return address.
const ONE_LESS: u32 = 0x01_0300;
/// What wrote files before they had a version of their own, and wrote them as version 1 has them.
const UNVERSIONED: u32 = 0x01_0200;
/// How far verdicts' moments lie apart.
const EPOCH: Time = Time(100_000_000);
/// A batch ends once it has so many events.
const BATCH: usize = 4096;
const MILLISECOND: u64 = 1_000_000;
/// What a stack takes here and where it is told, in bytes.
const NODE: usize = size_of::<StackId>() + size_of::<StackNode>();

/// Reads a data file of heaptrack.
#[derive(Debug)]
pub struct Reader<R> {
    lines: Lines<R>,
    header: Header,
    faults: Faults,
    state: State,
    ended: bool,
}

/// What the lines so far come to.
#[derive(Debug, Default)]
struct State {
    /// Of heaptrack.
    wrote: u32,
    /// Of the file.
    version: u32,
    program: String,
    command: String,
    page: u64,
    attached: bool,
    begun: bool,
    now: Time,
    told: Time,
    epoch: Time,
    frames: Frames,
    mapped: Mapped,
    /// Whether modules were listed by address, and frames are.
    raw: bool,
    /// By a trace's number, from 1.
    traces: Vec<StackId>,
    nodes: u32,
    counts: Counts,
    /// The addresses of blocks that live, where the file has them.
    live: FxHashSet<u64>,
    room: Room,
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
        let state = State { wrote, version, ..State::default() };
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

/// What was wrong with a line that was passed over.
pub(super) type Passed = Result<(), &'static str>;

pub(super) const UNREADABLE: &str = "a line that cannot be read was passed over";
pub(super) const FULL: &str = "the file defines more than 1 GiB of texts, frames, stacks, modules and classes: this was passed over, and \
                               blocks of it have no stack or are not counted; record a shorter time";

impl State {
    fn line(&mut self, line: &[u8], events: &mut Vec<Event>) -> Passed {
        let Some((letter, rest)) = line.split_first() else { return Ok(()) };
        let mut fields = Fields::of(rest.get(1..).unwrap_or_default(), self.version >= 3);
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
                self.raw = true;
                self.program = fields.text().ok_or(UNREADABLE)?;
                Ok(())
            }
            b'X' => {
                self.command = fields.whole();
                Ok(())
            }
            b'I' => {
                self.page = fields.number().ok_or(UNREADABLE)?;
                Ok(())
            }
            b'A' => {
                self.attached = true;
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
        let process = Process {
            name: self.name().to_owned(),
            // Where one argument ends and the next begins is not in the file.
            command: self.command.split_ascii_whitespace().map(str::to_owned).collect(),
            from_start: !self.attached,
            ..Process::default()
        };
        events.push(event(self.now, What::Process(Box::new(process))));
        let [major, minor, patch] =
            [self.wrote >> 16 & 0xff, self.wrote >> 8 & 0xff, self.wrote & 0xff];
        let kind = if self.raw { "raw" } else { "interpreted" };
        let value =
            Some(format!("{major}.{minor}.{patch}, {kind} data file, format {}", self.version));
        let fact = Fact { kind: FactKind::Capture, subject: "heaptrack".to_owned(), value };
        events.push(event(self.now, What::Fact(Box::new(fact))));
    }

    /// The program's name. An interpreted file has no path of it; its first text mostly is, being that of the first
    /// module listed.
    fn name(&self) -> &str {
        let last = |path| str::rsplit(path, '/').next().unwrap_or_default();
        let first = last(self.frames.first_path().unwrap_or_default());
        if !self.program.is_empty() {
            last(&self.program)
        } else if !first.is_empty() && self.command.contains(first) {
            first
        } else {
            last(self.command.split(' ').next().unwrap_or_default())
        }
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
            stack: self.stack(trace),
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
        } else if !self.attached {
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
        let frame = frame.and_then(|frame| match self.raw {
            true if self.wrote >= ONE_LESS => Some(self.mapped.returning(frame)),
            true => Some(self.mapped.frame(frame)),
            false => self.frames.get(frame),
        });
        let (Some(frame), Some(caller)) = (frame, caller) else {
            self.traces.push(StackId::LOST);
            return Err("a stack whose frame is not known");
        };
        let Some(id) = StackId::FIRST.0.checked_add(self.nodes) else { return Err(UNREADABLE) };
        self.nodes += 1;
        let caller = match caller {
            0 => StackId::COMPLETE,
            caller => self.stack(caller),
        };
        events.push(event(self.now, What::Stack(StackNode { caller, frame })));
        self.traces.push(StackId(id));
        Ok(())
    }

    fn module(&mut self, fields: Fields<'_>, events: &mut Vec<Event>) -> Passed {
        self.raw = true;
        self.begin(events);
        let (now, program) = (self.now, &self.program);
        let tell = &mut |what| events.push(event(now, what));
        self.mapped.line(fields, program, &mut self.room, tell)
    }

    fn listed(&mut self, events: &mut Vec<Event>) {
        let now = self.now;
        self.mapped.listed(&mut |what| events.push(event(now, what)));
    }

    /// Whether blocks are told by their addresses: in raw files, and in all before the files had a version.
    fn by_address(&self) -> bool {
        self.raw || self.version == 0
    }

    fn stack(&self, trace: u64) -> StackId {
        stack(&self.traces, trace)
    }

    /// Tells what was counted.
    fn tell(&mut self, events: &mut Vec<Event>) {
        let since = mem::replace(&mut self.told, self.now);
        let (now, traces) = (self.now, &self.traces);
        if !self.counts.is_empty() {
            let stack = |trace: u32| stack(traces, trace.into());
            self.counts
                .tell(since, stack, |tally| events.push(event(now, What::Tally(Box::new(tally)))));
        }
    }

    fn end(&mut self, events: &mut Vec<Event>) {
        self.begin(events);
        self.tell(events);
        // What heaptrack started it follows to its end, of which the file tells nothing; from what it was attached to it
        // may have been taken away.
        let exit = if self.attached { Exit::StillRunning } else { Exit::Unknown };
        events.push(event(self.now, What::ProcessExit(exit)));
        events.push(event(self.now, What::Epoch));
    }
}

/// A stack by its trace's number; heaptrack gives 0 where it could not walk.
fn stack(traces: &[StackId], trace: u64) -> StackId {
    let at = trace.checked_sub(1).and_then(|at| usize::try_from(at).ok());
    at.and_then(|at| traces.get(at)).copied().unwrap_or(StackId::LOST)
}

fn event(time: Time, what: What) -> Event {
    Event { time, process: ProcessId(0), thread: Tid(0), what }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads lines with room for so many bytes; says what was passed over, and what was told.
    fn read(room: usize, lines: &[String]) -> (Faults, Vec<Event>) {
        let mut state = State { room: Room::of(room), version: 3, ..State::default() };
        let (mut faults, mut events) = (Faults::default(), Vec::new());
        for line in lines {
            if let Err(what) = state.line(line.as_bytes(), &mut events) {
                faults.add(Offset(0), what);
            }
        }
        (faults, events)
    }

    fn passed_over(faults: &Faults) -> u64 {
        faults.as_slice().iter().filter(|fault| fault.what == FULL).map(|fault| fault.count).sum()
    }

    #[test]
    fn definitions_without_end_are_passed_over_and_told() {
        for line in ["s 4 text", "i 1 0 1", "t 1 0", "a 8 1", "m 6 module# 1000 0 10"] {
            let lines: Vec<_> = ["s 1 a".to_owned(), "i 1 0 1".to_owned(), "t 1 0".to_owned()]
                .into_iter()
                .chain((0..1000).map(|n| line.replace("module#", &format!("m{n:05}"))))
                .collect();
            let (faults, events) = read(10_000, &lines);
            assert!((300..1000).contains(&passed_over(&faults)), "{line}: {faults:?}");
            assert!(events.len() < 300, "{line}: {}", events.len());
        }
    }

    #[test]
    fn a_text_that_a_line_repeats_takes_no_more_than_the_room() {
        let text = format!("s 3e8 {}", "x".repeat(1000));
        let frame = format!("i 1 0{}", " 1 0 0".repeat(1000));
        let (faults, events) = read(100_000, &[text, frame]);
        assert_eq!(passed_over(&faults), 1);
        assert!(!events.iter().any(|event| matches!(event.what, What::Name(_))));
    }

    #[test]
    fn blocks_of_a_stack_that_was_passed_over_are_told() {
        let lines = ["m 1 a 1000 0 10", "t 1004 0", "t 1008 0", "+ 8 1 10", "+ 8 2 20"];
        let (faults, events) = read(3 * 65 + NODE + Counts::TRACE, &lines.map(str::to_owned));
        assert_eq!(passed_over(&faults), 1);
        let stacks = events.iter().filter_map(|event| match &event.what {
            What::Alloc(alloc) => Some(alloc.stack),
            _ => None,
        });
        assert_eq!(stacks.collect::<Vec<_>>(), [StackId::FIRST, StackId::LOST]);
    }
}
