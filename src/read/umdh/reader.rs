//! Reads a log line by line and says its snapshots at the end, when it is known in which base its numbers
//! are. A snapshot is one, of time 0; a difference is two at the same time, since nothing says how long
//! it was between them.

use std::io::Read;

use rustc_hash::FxHashMap;
use unfreed_symbols::ModuleIdentity;

use super::base::{Base, Evidence, Number, Told};
use super::entry::{Change, Entry, TraceId};
use super::frame;
use super::sums::{Both, Live, Sums, both, one};
use crate::event::{Event, Exit, Fact, FactKind, Process, StackId, What};
use crate::read::text::moment::{self, BATCH, DEEPEST, LINE, PROCESS, event, is_program};
use crate::read::text::{Line, Lines, Stacks, TextFrame, hex};
use crate::read::trace::Header;
use crate::read::{About, Fault, Faults, Offset, ReadError, Source};

/// A UMDH log.
#[derive(Debug)]
pub struct Reader<R> {
    lines: Lines<R>,
    header: Header,
    faults: Faults,
    state: State,
}

#[derive(Debug)]
struct State {
    /// What is said before the first stack: the process's name is only known when its modules are.
    opening: Option<Vec<Event>>,
    process: String,
    in_modules: bool,
    stacks: Stacks,
    traces: FxHashMap<TraceId, StackId>,
    open: Option<Open>,
    /// Whether the last line was a message of the debugger's library, which may go on in the next.
    aside: bool,
    evidence: Evidence,
    sums: Sums,
    /// Of a difference: by how much all entries' bytes grew, in both bases, and what the file says.
    is_difference: bool,
    grown: [i128; 2],
    total: Option<(Offset, bool, Number)>,
    unstated: u64,
    ended: bool,
}

/// An entry whose frames may follow.
#[derive(Debug)]
struct Open {
    offset: Offset,
    trace: TraceId,
    live: [Both; 2],
    /// Of a difference: whether the line that counts blocks came, too.
    counted: bool,
    frames: Vec<TextFrame>,
}

impl<R: Read> Reader<R> {
    /// A log from its beginning.
    pub fn new(reader: R, about: &About) -> Self {
        Reader {
            lines: Lines::new(reader, LINE),
            header: moment::header("umdh", about),
            faults: Faults::default(),
            state: State::new(),
        }
    }
}

impl<R: Read> Source for Reader<R> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn next_batch(&mut self, events: &mut Vec<Event>) -> Result<bool, ReadError> {
        events.clear();
        let Reader { lines, faults, state, .. } = self;
        if state.ended {
            return Ok(false);
        }
        for _ in 0..BATCH {
            match lines.next(faults)? {
                Some(line) => state.line(line, faults, events),
                None => {
                    state.end(faults, events);
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
            opening: Some(Vec::new()),
            process: String::new(),
            in_modules: false,
            stacks: Stacks::new(PROCESS),
            traces: FxHashMap::default(),
            open: None,
            aside: false,
            evidence: Evidence::default(),
            sums: Sums::default(),
            is_difference: false,
            grown: [0; 2],
            total: None,
            unstated: 0,
            ended: false,
        }
    }

    fn line(&mut self, line: Line<'_>, faults: &mut Faults, events: &mut Vec<Event>) {
        let text = line.text.trim();
        let aside = std::mem::take(&mut self.aside);
        if let Some(entry) = Entry::read(text) {
            self.entry(line.offset, entry, faults, events);
        } else if let Some(comment) = text.strip_prefix("//") {
            self.comment(line.offset, comment);
        } else if text.starts_with("DBGHELP:") || text.starts_with("SYMSRV:") {
            self.aside = true;
        } else if text.is_empty() || text.starts_with('*') {
            // Headings: `*- - - Start of data for heap @ 140000 - - -`, `Heap 00140000 Hogs`.
        } else if let Some(frame) = frame::read(text) {
            match &mut self.open {
                Some(open) if open.frames.len() < DEEPEST => open.frames.push(frame),
                Some(_) => {
                    faults.add(line.offset, "a stack is too deep: its outer frames were not read")
                }
                None => faults.add(line.offset, "a frame belongs to no entry"),
            }
        } else if self.open.is_some() && !aside {
            faults.add(line.offset, "a line is neither an entry nor a frame");
        }
    }

    /// `Loaded modules:`, then `Base Size Module`, then a line for each.
    fn comment(&mut self, at: Offset, comment: &str) {
        let comment = comment.trim();
        if comment.starts_with("Loaded modules") {
            self.in_modules = true;
            return;
        }
        if !self.in_modules {
            return;
        }
        let mut words = comment.splitn(2, char::is_whitespace);
        let base = words.next().and_then(hex);
        let rest = words.next().unwrap_or_default().trim_start();
        let mut words = rest.splitn(2, char::is_whitespace);
        let size = words.next().and_then(hex);
        let path = words.next().unwrap_or_default().trim();
        match (base, size, &mut self.opening) {
            (Some(base), Some(size), Some(opening)) if !path.is_empty() => {
                let identity = ModuleIdentity::of_path(path);
                if is_program(&identity.name) && self.process.is_empty() {
                    self.process.clone_from(&identity.name);
                }
                self.stacks.module(identity, (base, size), at, opening);
            }
            _ => self.in_modules = comment.starts_with("Base"),
        }
    }

    fn entry(&mut self, at: Offset, entry: Entry, faults: &mut Faults, events: &mut Vec<Event>) {
        match entry {
            Entry::Block { bytes, trace } => {
                self.evidence.see(bytes);
                self.begin(at, trace, [one(bytes), Both::default()], true, events);
            }
            Entry::Stack { bytes, blocks, each, trace } => {
                for number in [Some(bytes), Some(blocks), each].into_iter().flatten() {
                    self.evidence.see(number);
                }
                self.begin(at, trace, [both(blocks, bytes), Both::default()], true, events);
            }
            Entry::Bytes { change, blocks, trace } => {
                self.is_difference = true;
                self.evidence.see(blocks);
                self.change(at, change, faults);
                for (grown, base) in self.grown.iter_mut().zip([Base::Hex, Base::Decimal]) {
                    let by = i128::from(change.by.in_base(base));
                    *grown += if change.decreased { -by } else { by };
                }
                let nothing = Number { hex: Some(0), decimal: Some(0) };
                let live = [both(nothing, change.old), both(blocks, change.new)];
                self.begin(at, trace, live, false, events);
            }
            Entry::Blocks { change, trace } => {
                self.change(at, change, faults);
                match &mut self.open {
                    Some(open) if open.trace == trace && open.frames.is_empty() => {
                        for (side, number) in open.live.iter_mut().zip([change.old, change.new]) {
                            side[0].blocks = number.in_base(Base::Hex);
                            side[1].blocks = number.in_base(Base::Decimal);
                        }
                        open.counted = true;
                    }
                    _ => faults.add(at, "a number of blocks belongs to no entry"),
                }
            }
            Entry::Total { decreased, requested, overhead } => {
                self.close(events);
                self.evidence.see(requested);
                if let Some([overhead, total]) = overhead {
                    self.evidence.see(overhead);
                    self.evidence.difference([requested, total, overhead]);
                }
                self.total = Some((at, decreased, requested));
            }
        }
    }

    /// Looks at a difference: whether it is one, and in which base.
    fn change(&mut self, at: Offset, change: Change, faults: &mut Faults) {
        let Change { decreased, by, new, old } = change;
        [by, new, old].into_iter().for_each(|number| self.evidence.see(number));
        let (more, less) = if decreased { (old, new) } else { (new, old) };
        if !self.evidence.difference([by, more, less]) {
            faults.add(
                at,
                "an entry's difference is not that of its two values: the values were taken",
            );
        }
    }

    fn begin(
        &mut self,
        offset: Offset,
        trace: TraceId,
        live: [Both; 2],
        counted: bool,
        events: &mut Vec<Event>,
    ) {
        self.close(events);
        self.in_modules = false;
        self.opened(events);
        self.open = Some(Open { offset, trace, live, counted, frames: Vec::new() });
    }

    /// Says the process, then its modules.
    fn opened(&mut self, events: &mut Vec<Event>) {
        let Some(opening) = self.opening.take() else { return };
        let process = Process { name: self.process.clone(), ..Process::default() };
        events.push(event(What::Process(Box::new(process))));
        events.extend(opening);
    }

    /// Ends an entry. A stack is listed at the first use of its number only.
    fn close(&mut self, events: &mut Vec<Event>) {
        let Some(mut open) = self.open.take() else { return };
        let stack = match self.traces.get(&open.trace) {
            Some(stack) if open.frames.is_empty() => *stack,
            _ => {
                let stack = self.stacks.stack(&open.frames, open.offset, events);
                if self.stacks.has_room(size_of::<(TraceId, StackId)>(), open.offset) {
                    self.traces.insert(open.trace, stack);
                }
                stack
            }
        };
        if !open.counted {
            self.unstated += 1;
            let [old, new] = &mut open.live;
            old.iter_mut().zip(new.iter()).for_each(|(old, new)| in_proportion(old, *new));
        }
        self.sums.add(stack, open.live);
    }

    fn end(&mut self, faults: &mut Faults, events: &mut Vec<Event>) {
        self.ended = true;
        let at = self.open.as_ref().map_or(Offset(0), |open| open.offset);
        self.close(events);
        self.opened(events);
        self.stacks.tell(faults);
        let told = self.evidence.verdict();
        if told == Told::Ambiguous && self.sums.snapshot(0, Base::Hex).next().is_some() {
            let what = "nothing tells whether the numbers are hexadecimal or decimal (umdh -d): taken for hexadecimal";
            faults.add(Offset(0), what);
        }
        if told == Told::Contradictory {
            let what = "some numbers are hexadecimal and some can only be decimal: all were taken for hexadecimal";
            faults.add(Offset(0), what);
        }
        let base = told.base();
        if self.is_difference {
            self.check_total(at, base, faults);
            faults.add_many(
                Offset(0),
                "an old log does not say how many blocks there were before: taken in proportion to their bytes",
                self.unstated,
            );
            // Looked for, and not there: a rate cannot be told.
            let unknown = Fact {
                kind: FactKind::Capture,
                subject: "time between the two snapshots".to_owned(),
                value: None,
            };
            events.push(event(What::Fact(Box::new(unknown))));
        }
        events.push(event(What::Fact(Box::new(base_fact(told)))));
        for number in 0..=u32::from(self.is_difference) {
            let snapshots = self.sums.snapshot(number, base);
            events.extend(snapshots.map(|snapshot| event(What::Snapshot(Box::new(snapshot)))));
        }
        events.push(event(What::ProcessExit(Exit::StillRunning)));
        events.push(event(What::Epoch));
    }

    fn check_total(&self, last: Offset, base: Base, faults: &mut Faults) {
        let Some((at, decreased, requested)) = self.total else {
            faults.add(last, "the log ends without a total: it may have been cut");
            return;
        };
        let said = i128::from(requested.in_base(base));
        let said = if decreased { -said } else { said };
        let sum = self.grown[usize::from(base == Base::Decimal)];
        if said != sum {
            let what = format!("the total says {said} bytes, the entries add up to {sum}");
            faults.add(at, what);
        }
    }
}

/// How many blocks there were before, if they were of the same size.
fn in_proportion(old: &mut Live, new: Live) {
    let blocks = u128::from(old.bytes) * u128::from(new.blocks);
    let blocks = blocks.checked_div(u128::from(new.bytes)).unwrap_or(u128::from(old.bytes > 0));
    old.blocks = u64::try_from(blocks).unwrap_or(u64::MAX);
}

fn base_fact(told: Told) -> Fact {
    let value = match told {
        Told::Surely(Base::Hex) => "hexadecimal",
        Told::Surely(Base::Decimal) => "decimal",
        Told::Ambiguous => "ambiguous, taken for hexadecimal",
        Told::Contradictory => "contradictory, taken for hexadecimal",
    };
    Fact {
        kind: FactKind::Capture,
        subject: "numbers of the UMDH log".to_owned(),
        value: Some(value.to_owned()),
    }
}
