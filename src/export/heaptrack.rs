//! An interpreted data file of heaptrack, in format 3 (`docs/sources/heaptrack.md`): what `heaptrack_print` and
//! `heaptrack_gui` open. Its counts of allocations, live blocks and bytes are the trace's, by stack.
//!
//! A stack must be defined before the blocks that have it, with names, and these are found last: so blocks and times
//! wait in a spool. Blocks that were only counted are written one by one, at the time they were told, with their mean
//! size. They are freed as another class of the same size and stack, since a free directly behind an allocation of
//! its own class would count as temporary, which nobody knows of them.
//!
//! Memory follows live blocks, stacks and classes, as a ledger's does. The form has a line for each block, and a trace may
//! say in one line that there were any number: what would go beyond [`Most`] is refused before it is written.

use std::collections::BTreeMap;
use std::io::{self, SeekFrom, Write};

use rustc_hash::FxHashMap;

use super::{ExportError, Exported, Spool};
use crate::event::{
    Address, Alloc, Bytes, Event, Frame, HeapId, Metric, Process, ProcessId, StackId, StackNode,
    Tally, Time, What,
};
use crate::ledger::Ledger;
use crate::names::Namer;
use crate::report::stacks::{Step, name};

/// The version of heaptrack whose files these are like, and that of the format.
const VERSION: &str = "v 10400 3";
/// Times stand at least so many milliseconds apart.
const TICK: u64 = 10;
/// Resident memory is in units of this.
const PAGE: u64 = 4096;

/// How much is written at most.
#[derive(Clone, Copy, Debug)]
struct Most {
    /// Blocks: a file of some ten gigabytes.
    blocks: u64,
    /// Sizes by stack: memory of some hundred megabytes.
    classes: usize,
}

const MOST: Most = Most { blocks: 1 << 30, classes: 1 << 22 };

/// Blocks of one size and stack; counted ones are freed as a class of their own.
type Class = (u64, StackId, bool);

/// Turns events into a file.
pub(super) struct Exporter<'a> {
    spool: io::BufWriter<&'a mut dyn Spool>,
    pid: Option<u32>,
    processes: BTreeMap<ProcessId, Process>,
    chosen: Option<ProcessId>,
    /// Modules, names and stacks; it is told of no blocks.
    definitions: Ledger,
    nodes: Vec<StackNode>,
    classes: FxHashMap<Class, u32>,
    in_order: Vec<Class>,
    blocks: FxHashMap<(ProcessId, Address), (u32, HeapId)>,
    /// Live blocks by stack.
    live: FxHashMap<StackId, u64>,
    stamp: u64,
    last: Time,
    exported: Exported,
    most: Most,
}

impl<'a> Exporter<'a> {
    pub(super) fn new(spool: &'a mut dyn Spool, pid: Option<u32>) -> Self {
        Exporter {
            spool: io::BufWriter::new(spool),
            pid,
            processes: BTreeMap::new(),
            chosen: None,
            definitions: Ledger::default(),
            nodes: Vec::new(),
            classes: FxHashMap::default(),
            in_order: Vec::new(),
            blocks: FxHashMap::default(),
            live: FxHashMap::default(),
            stamp: 0,
            last: Time(0),
            exported: Exported::default(),
            most: MOST,
        }
    }

    /// Takes the next event.
    pub(super) fn event(&mut self, event: &Event) -> Result<(), ExportError> {
        self.last = self.last.max(event.time);
        match &event.what {
            What::Stack(node) => {
                self.nodes.push(*node);
                self.definitions.apply(event);
            }
            What::Module(_) | What::Name(_) => self.definitions.apply(event),
            What::Process(process) => {
                self.processes.insert(event.process, process.as_ref().clone());
            }
            What::Snapshot(_) => self.exported.listed = true,
            What::Loss(loss) => self.exported.lost = self.exported.lost.saturating_add(loss.count),
            _ => {}
        }
        let ours = match &event.what {
            What::Alloc(_) | What::Tally(_) | What::HeapCreate(_) => self.choose(event.process)?,
            What::Free(_) | What::Realloc(_) | What::HeapDestroy(_) | What::Sample(_) => {
                self.chosen.is_some_and(|chosen| self.pid_of(chosen) == self.pid_of(event.process))
            }
            _ => false,
        };
        if ours {
            self.block(event)?;
        }
        Ok(())
    }

    fn pid_of(&self, process: ProcessId) -> u32 {
        self.processes.get(&process).map_or(0, |process| process.pid)
    }

    fn process(&self, process: ProcessId) -> Process {
        self.processes.get(&process).cloned().unwrap_or_default()
    }

    /// Whether what a process allocates is to be written. Images that follow each other in one process are one.
    fn choose(&mut self, process: ProcessId) -> Result<bool, ExportError> {
        let pid = self.pid_of(process);
        if self.pid.is_some_and(|wanted| wanted != pid) {
            return Ok(false);
        }
        match self.chosen {
            Some(chosen) if chosen != process && self.pid_of(chosen) != pid => {
                let [first, other] =
                    [chosen, process].map(|process| Box::new(self.process(process)));
                Err(ExportError::Several(first, other))
            }
            _ => {
                self.chosen = Some(process);
                Ok(true)
            }
        }
    }

    fn block(&mut self, event: &Event) -> io::Result<()> {
        let process = event.process;
        match &event.what {
            What::Sample(sample) if sample.metric == Metric::Rss => {
                self.stamp(event.time)?;
                writeln!(self.spool, "R {:x}", sample.value / PAGE)
            }
            What::Alloc(alloc) => self.alloc(event.time, process, alloc),
            What::Free(free) => self.free(event.time, (process, free.address)),
            What::Realloc(realloc) => {
                self.free(event.time, (process, realloc.old))?;
                let (address, size, stack) = (realloc.new, realloc.size, realloc.stack);
                let (function, heap) = (realloc.function, realloc.heap);
                self.alloc(event.time, process, &Alloc { address, size, stack, function, heap })
            }
            What::Tally(tally) => self.tally(event.time, tally),
            What::HeapCreate(heap) => {
                let alloc = Alloc {
                    address: Address(heap.heap.0),
                    size: Bytes(0),
                    stack: heap.stack,
                    function: Default::default(),
                    heap: HeapId::DEFAULT,
                };
                self.alloc(event.time, process, &alloc)
            }
            What::HeapDestroy(heap) => {
                let within = |(at, (_, of)): (&(ProcessId, Address), &(u32, HeapId))| {
                    (at.0 == process && of == heap).then_some(*at)
                };
                let mut gone: Vec<_> = self.blocks.iter().filter_map(within).collect();
                gone.sort_unstable();
                gone.push((process, Address(heap.0)));
                gone.into_iter().try_for_each(|at| self.free(event.time, at))
            }
            _ => Ok(()),
        }
    }

    fn alloc(&mut self, time: Time, process: ProcessId, alloc: &Alloc) -> io::Result<()> {
        // NULL is a failed allocation, not a block.
        if alloc.address == Address(0) {
            return Ok(());
        }
        let at = (process, alloc.address);
        self.free(time, at)?;
        self.stamp(time)?;
        self.room_for(1)?;
        let class = self.class((alloc.size.0, self.known(alloc.stack), false))?;
        self.blocks.insert(at, (class, alloc.heap));
        self.born(class)
    }

    fn free(&mut self, time: Time, at: (ProcessId, Address)) -> io::Result<()> {
        let Some((class, _)) = self.blocks.remove(&at) else { return Ok(()) };
        self.stamp(time)?;
        self.died(class)
    }

    /// Blocks that were counted. Where as many were freed as allocated, they are the same.
    fn tally(&mut self, time: Time, tally: &Tally) -> io::Result<()> {
        self.room_for(tally.allocated)?;
        self.stamp(time)?;
        let stack = self.known(tally.stack);
        let pairs = tally.allocated == tally.freed && tally.allocated_bytes == tally.freed_bytes;
        for (size, blocks) in shared(tally.allocated_bytes.0, tally.allocated) {
            let (born, died) =
                (self.class((size, stack, false))?, self.class((size, stack, true))?);
            for _ in 0..blocks {
                self.born(born)?;
                if pairs {
                    self.died(died)?;
                }
            }
        }
        if pairs {
            return Ok(());
        }
        let freed = tally.freed.min(self.live.get(&stack).copied().unwrap_or(0));
        for (size, blocks) in shared(tally.freed_bytes.0, freed) {
            let died = self.class((size, stack, true))?;
            (0..blocks).try_for_each(|_| self.died(died))?;
        }
        Ok(())
    }

    /// A stack that was never defined is lost.
    fn known(&self, stack: StackId) -> StackId {
        let defined = stack.is_root()
            || self.definitions.stacks().len() > (stack.0 - StackId::FIRST.0) as usize;
        if defined { stack } else { StackId::LOST }
    }

    fn class(&mut self, class: Class) -> io::Result<u32> {
        if let Some(known) = self.classes.get(&class) {
            return Ok(*known);
        }
        if self.in_order.len() >= self.most.classes {
            let most = self.most.classes;
            return Err(too_large(format!("its blocks have more than {most} sizes, by stack")));
        }
        let next = self.in_order.len() as u32;
        self.in_order.push(class);
        self.classes.insert(class, next);
        Ok(next)
    }

    fn room_for(&self, blocks: u64) -> io::Result<()> {
        let most = self.most.blocks;
        match self.exported.allocations.checked_add(blocks) {
            Some(sum) if sum <= most => Ok(()),
            _ => Err(too_large(format!(
                "it has more than {most} allocations, and heaptrack's form has a line for each"
            ))),
        }
    }

    fn born(&mut self, class: u32) -> io::Result<()> {
        let (size, stack, _) = self.in_order[class as usize];
        *self.live.entry(stack).or_default() += 1;
        self.exported.allocations += 1;
        self.exported.live_blocks += 1;
        self.exported.live_bytes = self.exported.live_bytes.saturating_add(size);
        writeln!(self.spool, "+ {class:x}")
    }

    fn died(&mut self, class: u32) -> io::Result<()> {
        let (size, stack, _) = self.in_order[class as usize];
        if let Some(live) = self.live.get_mut(&stack) {
            *live = live.saturating_sub(1);
        }
        self.exported.live_blocks = self.exported.live_blocks.saturating_sub(1);
        self.exported.live_bytes = self.exported.live_bytes.saturating_sub(size);
        writeln!(self.spool, "- {class:x}")
    }

    /// Writes the time, where the last one is too long ago.
    fn stamp(&mut self, time: Time) -> io::Result<()> {
        let now = time.0 / 1_000_000;
        if now < self.stamp.saturating_add(TICK) {
            return Ok(());
        }
        self.stamp = now;
        writeln!(self.spool, "c {now:x}")
    }

    /// Writes the file.
    pub(super) fn finish(
        mut self,
        namer: &mut Namer,
        out: &mut dyn Write,
    ) -> Result<Exported, ExportError> {
        if let (Some(pid), None) = (self.pid, self.chosen)
            && !self.processes.values().any(|process| process.pid == pid)
        {
            return Err(ExportError::NoProcess(pid));
        }
        writeln!(self.spool, "c {:x}", (self.last.0 / 1_000_000).max(self.stamp))?;
        let process = self.chosen.map(|chosen| self.process(chosen));
        let command = process.as_ref().map(|process| match process.command.as_slice() {
            [] => process.name.clone(),
            command => command.join(" "),
        });
        writeln!(out, "{VERSION}\nX {}\nI {PAGE:x} 0", line(&command.unwrap_or_default()))?;
        if self.exported.lost > 0 {
            writeln!(out, "# the trace lost {} events", self.exported.lost)?;
        }
        let mut definitions = Definitions {
            out,
            ledger: &self.definitions,
            texts: BTreeMap::new(),
            frames: FxHashMap::default(),
            traces: FxHashMap::default(),
        };
        for (size, stack, _) in &self.in_order {
            let trace = definitions.trace(*stack, &self.nodes, namer)?;
            writeln!(definitions.out, "a {size:x} {trace:x}")?;
        }
        let out = definitions.out;
        let spool = self.spool.into_inner().map_err(io::IntoInnerError::into_error)?;
        spool.seek(SeekFrom::Start(0))?;
        io::copy(spool, out)?;
        out.flush()?;
        let sampled = process.as_ref().is_some_and(|process| process.sampled.is_some());
        Ok(Exported { process, sampled, ..self.exported })
    }
}

/// So many blocks of so many bytes together, in at most two sizes.
fn shared(bytes: u64, blocks: u64) -> [(u64, u64); 2] {
    let size = bytes.checked_div(blocks).unwrap_or(0);
    let larger = bytes.checked_rem(blocks).unwrap_or(0);
    [(size, blocks - larger), (size.saturating_add(1), larger)]
}

fn too_large(why: String) -> io::Error {
    let what = format!("{why}: record a shorter time, or a sample (`unfreed record --sample`)");
    io::Error::new(io::ErrorKind::FileTooLarge, what)
}

/// A text within a line.
fn line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// Texts, frames and stacks, each written before what refers to it. All count from 1.
struct Definitions<'a> {
    out: &'a mut dyn Write,
    ledger: &'a Ledger,
    texts: BTreeMap<String, u64>,
    frames: FxHashMap<Result<Frame, StackId>, u64>,
    traces: FxHashMap<StackId, u64>,
}

impl Definitions<'_> {
    fn text(&mut self, text: &str) -> io::Result<u64> {
        if let Some(number) = self.texts.get(text) {
            return Ok(*number);
        }
        let number = self.texts.len() as u64 + 1;
        self.texts.insert(text.to_owned(), number);
        let text = line(text);
        writeln!(self.out, "s {:x} {text}", text.len())?;
        Ok(number)
    }

    /// A stack, outermost frame first. One that is not known is a frame that says so.
    fn trace(&mut self, stack: StackId, nodes: &[StackNode], namer: &mut Namer) -> io::Result<u64> {
        let mut unwritten = Vec::new();
        let mut at = stack;
        let mut caller = loop {
            if let Some(trace) = self.traces.get(&at) {
                break *trace;
            }
            match nodes.get((at.0.wrapping_sub(StackId::FIRST.0)) as usize) {
                Some(node) if !at.is_root() => {
                    unwritten.push((at, Ok(node.frame)));
                    at = if node.caller < at { node.caller } else { StackId::LOST };
                }
                _ if at == StackId::COMPLETE && at != stack => break 0,
                _ => {
                    unwritten.push((at, Err(at)));
                    break 0;
                }
            }
        };
        while let Some((at, frame)) = unwritten.pop() {
            let frame = self.frame(frame, namer)?;
            writeln!(self.out, "t {frame:x} {caller:x}")?;
            caller = self.traces.len() as u64 + 1;
            self.traces.insert(at, caller);
        }
        Ok(caller)
    }

    /// A frame, or what stands for a root.
    fn frame(&mut self, frame: Result<Frame, StackId>, namer: &mut Namer) -> io::Result<u64> {
        if let Some(number) = self.frames.get(&frame) {
            return Ok(*number);
        }
        let line = match frame {
            Ok(frame) => self.named(frame, namer)?,
            Err(root) => format!("i 0 0 {:x}", self.text(missing(root))?),
        };
        writeln!(self.out, "{line}")?;
        let number = self.frames.len() as u64 + 1;
        self.frames.insert(frame, number);
        Ok(number)
    }

    fn named(&mut self, frame: Frame, namer: &mut Namer) -> io::Result<String> {
        let steps: Vec<Step<'_>> = name(self.ledger, namer, frame);
        let module = steps.first().and_then(|step| step.module).map(|module| module.path.clone());
        let module =
            module.filter(|path| !path.is_empty()).map_or(Ok(0), |path| self.text(&path))?;
        let mut line = format!("i {:x} {module:x}", self.address(frame));
        for step in &steps {
            let Some(function) = step.function() else { continue };
            let function = self.text(function)?;
            let of = step.name();
            let file =
                of.and_then(|of| of.file.as_deref()).map_or(Ok(0), |file| self.text(file))?;
            let number = of.and_then(|of| of.line).unwrap_or(0);
            line += &format!(" {function:x} {file:x} {number:x}");
        }
        Ok(line)
    }

    /// Where the frame was, as far as is known; a number that tells it from others where it is not.
    fn address(&self, frame: Frame) -> u64 {
        let mappings = self.ledger.images().iter().flat_map(|image| image.mappings());
        let mapped = mappings
            .filter(|mapping| Some(mapping.module) == frame.module)
            .map(|mapping| mapping.base.0)
            .next();
        mapped.unwrap_or(0).wrapping_add(frame.offset)
    }
}

/// What stands for the rest of a stack that is not known.
fn missing(root: StackId) -> &'static str {
    match root {
        StackId::TRUNCATED => "(the stack ends early)",
        StackId::NOT_TAKEN => "(no stack was taken)",
        StackId::COMPLETE => "(no caller)",
        _ => "(the stack was lost)",
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::event::Tid;

    fn event(what: What) -> Event {
        Event { time: Time(0), process: ProcessId(0), thread: Tid(0), what }
    }

    fn refusal(most: Most, events: impl IntoIterator<Item = What>) -> Option<String> {
        let mut spool = Cursor::new(Vec::new());
        let mut exporter = Exporter { most, ..Exporter::new(&mut spool, None) };
        let failed = events.into_iter().find_map(|what| exporter.event(&event(what)).err());
        drop(exporter);
        assert!(spool.get_ref().len() < 1000, "refused before it is written");
        failed.map(|error| error.to_string())
    }

    fn tally(allocated: u64) -> What {
        What::Tally(Box::new(Tally {
            stack: StackId::NOT_TAKEN,
            since: Time(0),
            allocated,
            allocated_bytes: Bytes(allocated),
            freed: allocated,
            freed_bytes: Bytes(allocated),
            sizes: None,
            lifetimes: Vec::new(),
            resolution: Time(0),
            estimated: false,
        }))
    }

    fn alloc(number: u64) -> What {
        What::Alloc(Alloc {
            address: Address(number * 4096),
            size: Bytes(number),
            stack: StackId::NOT_TAKEN,
            function: Default::default(),
            heap: HeapId::DEFAULT,
        })
    }

    #[test]
    fn a_count_without_bound_is_refused_at_once() {
        let said = refusal(MOST, [tally(5), tally(u64::MAX)]).unwrap_or_default();
        assert!(said.contains("more than 1073741824 allocations"), "{said}");
        assert_eq!(refusal(MOST, [tally(5), tally(7)]), None);
    }

    #[test]
    fn blocks_and_sizes_are_counted_up_to_what_a_file_may_have() {
        let few = Most { blocks: 10, classes: 4 };
        let said = refusal(few, (1..20).map(alloc)).unwrap_or_default();
        assert!(said.contains("more than 4 sizes"), "{said}");
        let said = refusal(Most { classes: 100, ..few }, (1..20).map(alloc)).unwrap_or_default();
        assert!(said.contains("more than 10 allocations"), "{said}");
        assert_eq!(refusal(Most { classes: 100, ..few }, (1..=10).map(alloc)), None);
    }
}
