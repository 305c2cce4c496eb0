//! Reads a debugger's output line by line. What it has of a process is said at the end, when its program is
//! known; all of it is of time 0.

use std::io::Read;

use super::heaps::{self, Sized};
use super::modules::{self, Listed};
use super::said;
use crate::event::{
    Address, Bytes, Event, Exit, Fact, FactKind, Metric, Module, ModuleId, Process, Sample, What,
};
use crate::read::text::moment::{self, BATCH, LINE, event};
use crate::read::text::{Line, Lines};
use crate::read::trace::Header;
use crate::read::{About, Fault, Faults, Offset, ReadError, Source};

/// The most modules: what a process can have, several times over.
const MODULES: usize = 64 * 1024;
/// The most lists of heaps: one for each time that somebody asked for it.
const LISTS: usize = 64 * 1024;
/// The most sizes of blocks that are kept as facts.
const SIZES: usize = 4096;
/// A debugger's output.
#[derive(Debug)]
pub struct Reader<R> {
    lines: Lines<R>,
    header: Header,
    faults: Faults,
    seen: Seen,
    ended: bool,
}

/// The table that a line belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Table {
    #[default]
    None,
    Modules,
    /// Modules that are no longer mapped.
    Unloaded,
    Heaps,
    Sizes,
}

#[derive(Debug, Default)]
struct Seen {
    table: Table,
    modules: Vec<Listed>,
    /// Whether lines of the last module may follow.
    open: bool,
    /// Bytes that all heaps have committed, for each time that it was asked for.
    committed: Vec<u64>,
    heap: u64,
    sizes: Vec<(u64, Sized)>,
}

impl<R: Read> Reader<R> {
    /// A text from its beginning.
    pub fn new(reader: R, about: &About) -> Self {
        Reader {
            lines: Lines::new(reader, LINE),
            header: moment::header("debugger", about),
            faults: Faults::default(),
            seen: Seen::default(),
            ended: false,
        }
    }
}

impl<R: Read> Source for Reader<R> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn next_batch(&mut self, events: &mut Vec<Event>) -> Result<bool, ReadError> {
        events.clear();
        let Reader { lines, faults, seen, ended, .. } = self;
        if *ended {
            return Ok(false);
        }
        for _ in 0..BATCH {
            match lines.next(faults)? {
                Some(line) => seen.line(line, faults),
                None => {
                    *ended = true;
                    seen.end(faults, events);
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

impl Seen {
    fn line(&mut self, line: Line<'_>, faults: &mut Faults) {
        let text = said(line.text);
        if modules::is_heading(text) {
            self.begin(Table::Modules);
        } else if text.trim() == "Unloaded modules:" {
            self.begin(Table::Unloaded);
        } else if heaps::is_summary(text) {
            if self.committed.len() < LISTS {
                self.begin(Table::Heaps);
                self.committed.push(0);
            } else {
                self.begin(Table::None);
                faults.add(
                    line.offset,
                    "there are too many lists of heaps: the others were passed over",
                );
            }
        } else if let Some(heap) = heaps::heap(text) {
            self.heap = heap;
        } else if heaps::is_sizes(text) {
            self.begin(Table::Sizes);
        } else {
            self.row(line.offset, text, faults);
        }
    }

    fn begin(&mut self, table: Table) {
        self.table = table;
        self.open = false;
    }

    /// A row of the open table; anything else is what people and debuggers say between.
    fn row(&mut self, at: Offset, text: &str, faults: &mut Faults) {
        match self.table {
            Table::None | Table::Unloaded => {}
            Table::Modules => match Listed::read(text) {
                Some(listed) => {
                    self.open = self.modules.len() < MODULES;
                    match self.open {
                        true => self.modules.push(listed),
                        false => faults
                            .add(at, "there are too many modules: the others were passed over"),
                    }
                }
                None if self.open => {
                    self.modules.last_mut().into_iter().for_each(|last| _ = last.add(text));
                }
                None => {}
            },
            Table::Heaps => {
                if let (Some(bytes), Some(sum)) =
                    (heaps::committed(text), self.committed.last_mut())
                {
                    *sum = sum.saturating_add(bytes);
                }
            }
            Table::Sizes => match heaps::sized(text) {
                Some(sized) if self.sizes.len() < SIZES => self.sizes.push((self.heap, sized)),
                Some(_) => faults.add(at, "there are too many sizes: the others were passed over"),
                None => self.table = Table::None,
            },
        }
    }

    fn end(&mut self, faults: &mut Faults, events: &mut Vec<Event>) {
        let nothing = self.modules.is_empty() && self.committed.is_empty() && self.sizes.is_empty();
        if nothing {
            faults.add(Offset(0), "the tables of the debugger are empty");
        }
        let program = self.modules.iter().find(|module| module.is_program());
        let name = program.map_or_else(String::new, |module| module.file().to_owned());
        let process = Process { name, ..Process::default() };
        events.push(event(What::Process(Box::new(process))));
        for (number, listed) in (0..).zip(&self.modules) {
            let module = Module {
                id: ModuleId(number),
                identity: listed.identity(),
                base: Address(listed.base),
                size: Bytes(listed.end - listed.base),
            };
            events.push(event(What::Module(Box::new(module))));
        }
        for &value in &self.committed {
            let metric = Metric::HeapCommitted;
            events.push(event(What::Sample(Sample { metric, value })));
        }
        for (heap, Sized { size, blocks, bytes }) in &self.sizes {
            // Blocks of one size may be anybody's: they are told, and make no site.
            let fact = Fact {
                kind: FactKind::Capture,
                subject: format!("heap {heap:#x}, blocks of {size} bytes"),
                value: Some(format!("{blocks} blocks, {bytes} bytes")),
            };
            events.push(event(What::Fact(Box::new(fact))));
        }
        events.push(event(What::ProcessExit(Exit::StillRunning)));
        events.push(event(What::Epoch));
    }
}
