//! Reads the output line by line; a snapshot is said when the next heading, or the end, shows that it is over. Its time
//! is that of its heading, from the first one's.

use std::collections::BTreeMap;
use std::io::Read;

use super::line::Said;
use crate::event::{
    Bytes, Event, Exit, Fact, FactKind, Process, Snapshot, StackId, Tid, Time, What,
};
use crate::read::text::moment::{self, BATCH, DEEPEST, LINE, PROCESS};
use crate::read::text::{Line, Lines, Stacks, TextFrame};
use crate::read::trace::Header;
use crate::read::{About, Fault, Faults, Offset, ReadError, Source};

const DAY: u64 = 24 * 60 * 60;

/// What memleak printed.
#[derive(Debug)]
pub struct Reader<R> {
    lines: Lines<R>,
    header: Header,
    faults: Faults,
    state: State,
}

#[derive(Debug)]
struct State {
    process: Process,
    /// Whether the process was said.
    begun: bool,
    stacks: Stacks,
    /// The second of the day of the open snapshot's heading, and how long after the first one that is.
    headed: Option<u32>,
    elapsed: u64,
    /// How many snapshots listed something.
    taken: u32,
    open: Option<Open>,
    /// What the open snapshot lists, and what its stacks are made of.
    listed: BTreeMap<StackId, (u64, u64)>,
    defined: Vec<Event>,
    /// What follows is of another run.
    over: bool,
    ended: bool,
}

/// An entry whose frames may follow.
#[derive(Debug)]
struct Open {
    offset: Offset,
    bytes: u64,
    blocks: u64,
    frames: Vec<TextFrame>,
    lost: bool,
}

impl<R: Read> Reader<R> {
    /// Output from its beginning.
    pub fn new(reader: R, about: &About) -> Self {
        Reader {
            lines: Lines::new(reader, LINE),
            header: moment::header("memleak", about),
            faults: Faults::default(),
            state: State::new(),
        }
    }
}

impl<R: Read> Source for Reader<R> {
    /// It began before the file was last written by as much as lies between the headings.
    fn header(&self) -> &Header {
        &self.header
    }

    fn next_batch(&mut self, events: &mut Vec<Event>) -> Result<bool, ReadError> {
        events.clear();
        let Reader { lines, faults, state, header } = self;
        if state.ended {
            return Ok(false);
        }
        for _ in 0..BATCH {
            match lines.next(faults)? {
                Some(line) => state.line(line, faults, events),
                None => {
                    state.end(faults, events);
                    if header.started_unix_ns != 0 {
                        let elapsed = i64::try_from(state.now().0).unwrap_or(i64::MAX);
                        header.started_unix_ns = header.started_unix_ns.saturating_sub(elapsed);
                    }
                    break;
                }
            }
        }
        Ok(true)
    }

    fn faults(&self) -> &[Fault] {
        self.faults.as_slice()
    }
}

impl State {
    fn new() -> Self {
        State {
            process: Process::default(),
            begun: false,
            stacks: Stacks::new(PROCESS),
            headed: None,
            elapsed: 0,
            taken: 0,
            open: None,
            listed: BTreeMap::new(),
            defined: Vec::new(),
            over: false,
            ended: false,
        }
    }

    fn line(&mut self, line: Line<'_>, faults: &mut Faults, events: &mut Vec<Event>) {
        let at = line.offset;
        if self.over {
            return;
        }
        match Said::of(line.text) {
            Said::Run { pid } => self.run(at, pid, faults),
            Said::Heading { second } => self.heading(second, events),
            _ if self.headed.is_none() => {}
            Said::Entry { bytes, blocks } => {
                self.close();
                let (frames, lost) = (Vec::new(), false);
                self.open = Some(Open { offset: at, bytes, blocks, frames, lost });
            }
            Said::Frame(frame) => match &mut self.open {
                Some(open) if open.frames.len() < DEEPEST => open.frames.push(frame),
                Some(_) => faults.add(at, "a stack is too deep: its outer frames were not read"),
                None => faults.add(at, "a frame belongs to no entry"),
            },
            Said::Lost => self.open.iter_mut().for_each(|open| open.lost = true),
            Said::Warning => faults.add(at, "memleak says that it could not show all stacks"),
            Said::Block | Said::Nothing => {}
            Said::Other => faults.add(at, "a line is neither a heading, an entry nor a frame"),
        }
    }

    /// Counts begin anew with each run, so that those of two have nothing to do with each other.
    fn run(&mut self, at: Offset, pid: Option<u32>, faults: &mut Faults) {
        if self.headed.is_some() {
            self.over = true;
            faults.add(
                at,
                "another run of memleak begins here, whose counts begin anew: it was not read; give each run as a file of its own",
            );
            return;
        }
        match pid {
            Some(pid) => self.process.pid = pid,
            None => "kernel".clone_into(&mut self.process.name),
        }
    }

    fn heading(&mut self, second: u32, events: &mut Vec<Event>) {
        self.finish(events);
        // At midnight the day begins anew; a clock that was set back looks the same.
        let passed = self
            .headed
            .map_or(0, |before| (u64::from(second) + DAY).saturating_sub(u64::from(before)) % DAY);
        self.elapsed = self.elapsed.saturating_add(passed);
        self.headed = Some(second);
    }

    fn now(&self) -> Time {
        Time(self.elapsed.saturating_mul(1_000_000_000))
    }

    /// Ends an entry.
    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let is_main = |frame: &&TextFrame| frame.function.as_deref() == Some("main");
        if self.process.name.is_empty()
            && let Some(program) = open.frames.iter().rfind(is_main)
        {
            self.process.name = program.module.clone().unwrap_or_default();
        }
        let stack = match open.lost && open.frames.is_empty() {
            true => StackId::LOST,
            false => self.stacks.stack(&open.frames, open.offset, &mut self.defined),
        };
        let (blocks, bytes) = self.listed.entry(stack).or_default();
        *blocks = blocks.saturating_add(open.blocks);
        *bytes = bytes.saturating_add(open.bytes);
    }

    /// Ends a snapshot. One that lists nothing says nothing: what it does not list is unknown.
    fn finish(&mut self, events: &mut Vec<Event>) {
        self.close();
        if self.listed.is_empty() {
            return;
        }
        self.begin(events);
        let (time, number) = (self.now(), self.taken);
        events.extend(self.defined.drain(..).map(|event| Event { time, ..event }));
        for (stack, (blocks, bytes)) in std::mem::take(&mut self.listed) {
            let snapshot = Snapshot { number, stack, blocks, bytes: Bytes(bytes) };
            events.push(self.event(What::Snapshot(Box::new(snapshot))));
        }
        self.taken = self.taken.saturating_add(1);
    }

    fn begin(&mut self, events: &mut Vec<Event>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        events.push(self.event(What::Process(Box::new(self.process.clone()))));
        let value = "lists only the stacks that hold most, of blocks allocated since it began";
        let fact = Fact {
            kind: FactKind::ListsSome,
            subject: "memleak".to_owned(),
            value: Some(value.to_owned()),
        };
        events.push(self.event(What::Fact(Box::new(fact))));
    }

    fn end(&mut self, faults: &mut Faults, events: &mut Vec<Event>) {
        self.ended = true;
        self.finish(events);
        if self.taken == 0 {
            faults.add(Offset(0), "no snapshot of memleak lists a stack");
        }
        self.begin(events);
        self.stacks.tell(faults);
        events.push(self.event(What::ProcessExit(Exit::StillRunning)));
        events.push(self.event(What::Epoch));
    }

    fn event(&self, what: What) -> Event {
        Event { time: self.now(), process: PROCESS, thread: Tid(0), what }
    }
}
