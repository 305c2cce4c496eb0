//! From events to a file: what is of the chosen process, and in which order it is written.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, SeekFrom, Write};

use super::super::{ExportError, Exported, Spool};
use super::blocks::{Blocks, COUNTED_FREE, PAGE};
use super::definitions::{Definitions, line};
use crate::event::{Event, Process, ProcessId, StackId, StackNode, Time, What};
use crate::ledger::Ledger;
use crate::names::Namer;

/// The version of heaptrack whose files these are like, and that of the format.
const VERSION: &str = "v 10400 3";

/// Turns events into a file.
pub(in crate::export) struct Exporter<'a> {
    blocks: Blocks<'a>,
    pid: Option<u32>,
    processes: BTreeMap<ProcessId, Process>,
    chosen: Option<ProcessId>,
    /// Modules, names and stacks; it is told of no blocks.
    definitions: Ledger,
    nodes: Vec<StackNode>,
    last: Time,
    exported: Exported,
}

impl<'a> Exporter<'a> {
    pub(in crate::export) fn new(spool: &'a mut dyn Spool, pid: Option<u32>) -> Self {
        Exporter {
            blocks: Blocks::new(spool),
            pid,
            processes: BTreeMap::new(),
            chosen: None,
            definitions: Ledger::default(),
            nodes: Vec::new(),
            last: Time(0),
            exported: Exported::default(),
        }
    }

    /// Takes the next event.
    pub(in crate::export) fn event(&mut self, event: &Event) -> Result<(), ExportError> {
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
            let known = |stack| known(&self.definitions, stack);
            self.blocks.event(event, known)?;
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

    /// Writes the file.
    pub(in crate::export) fn finish(
        mut self,
        namer: &mut Namer,
        out: &mut dyn Write,
    ) -> Result<Exported, ExportError> {
        if let (Some(pid), None) = (self.pid, self.chosen)
            && !self.processes.values().any(|process| process.pid == pid)
        {
            return Err(ExportError::NoProcess(pid));
        }
        self.blocks.end(self.last)?;
        let process = self.chosen.map(|chosen| self.process(chosen));
        let command = process.as_ref().map(|process| match process.command.as_slice() {
            [] => process.name.clone(),
            command => command.join(" "),
        });
        writeln!(out, "{VERSION}\nX {}\nI {PAGE:x} 0", line(&command.unwrap_or_default()))?;
        if self.exported.lost > 0 {
            writeln!(out, "# the trace lost {} events", self.exported.lost)?;
        }
        let mut definitions = Definitions::new(out, &self.definitions);
        let Blocks { spool, allocated, freed, allocations, live_blocks, live_bytes, .. } =
            self.blocks;
        for (size, stack) in allocated.in_order.iter().chain(&freed.in_order) {
            let trace = definitions.trace(*stack, &self.nodes, namer)?;
            writeln!(definitions.out, "a {size:x} {trace:x}")?;
        }
        let out = definitions.out;
        let spool = spool.into_inner().map_err(io::IntoInnerError::into_error)?;
        spool.seek(SeekFrom::Start(0))?;
        copy(spool, out, allocated.in_order.len() as u64)?;
        out.flush()?;
        let sampled = process.as_ref().is_some_and(|process| process.sampled.is_some());
        let counts = Exported { allocations, live_blocks, live_bytes, ..self.exported };
        Ok(Exported { process, sampled, ..counts })
    }
}

/// Copies what was spooled; classes of counted blocks that are freed begin at this number.
fn copy(spool: &mut dyn Spool, out: &mut dyn Write, from: u64) -> io::Result<()> {
    let mut spool = BufReader::new(spool);
    let mut line = Vec::new();
    while spool.read_until(b'\n', &mut line)? > 0 {
        match line.as_slice() {
            [COUNTED_FREE, b' ', number @ .., b'\n'] => {
                let number =
                    str::from_utf8(number).ok().and_then(|n| u64::from_str_radix(n, 16).ok());
                writeln!(out, "- {:x}", from + number.ok_or(io::ErrorKind::InvalidData)?)?;
            }
            line => out.write_all(line)?,
        }
        line.clear();
    }
    Ok(())
}

/// A stack that was never defined is lost.
fn known(definitions: &Ledger, stack: StackId) -> StackId {
    let defined =
        stack.is_root() || definitions.stacks().len() > (stack.0 - StackId::FIRST.0) as usize;
    if defined { stack } else { StackId::LOST }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::blocks::{MOST, Most};
    use super::*;
    use crate::event::{Address, Alloc, Bytes, HeapId, Tally, Tid};

    fn event(what: What) -> Event {
        Event { time: Time(0), process: ProcessId(0), thread: Tid(0), what }
    }

    fn refusal(most: Most, events: impl IntoIterator<Item = What>) -> Option<String> {
        let mut spool = Cursor::new(Vec::new());
        let mut exporter = Exporter::new(&mut spool, None);
        exporter.blocks.most = most;
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
