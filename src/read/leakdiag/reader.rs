//! Reads a log element by element: one log is one snapshot, of time 0.

use std::collections::BTreeMap;
use std::io::{BufReader, Read};

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event as Xml};

use super::bounded::{Bounded, TOO_LONG};
use super::stack::Stack;
use crate::event::{Bytes, Event, Exit, Fact, FactKind, Process, Snapshot, StackId, What};
use crate::read::text::moment::{self, BATCH, PROCESS, event, is_program};
use crate::read::text::{Stacks, Utf8};
use crate::read::trace::Header;
use crate::read::{About, Fault, Faults, Offset, ReadError, Source};

/// The most headings of lists: each allocator has one.
const LISTS: u32 = 1024;

/// A LeakDiag log.
pub struct Reader<R: Read> {
    xml: quick_xml::Reader<Bounded<BufReader<Utf8<R>>>>,
    header: Header,
    faults: Faults,
    stacks: Stacks,
    /// What is said before the program is known: only a stack that goes through it tells its name.
    opening: Option<Vec<Event>>,
    open: Option<(Offset, Stack)>,
    live: BTreeMap<StackId, (u64, u64)>,
    lists: u32,
    ended: bool,
}

impl<R: Read> std::fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("header", &self.header).finish_non_exhaustive()
    }
}

impl<R: Read> Reader<R> {
    /// A log from its beginning.
    pub fn new(reader: R, about: &About) -> Self {
        let bytes = Bounded::new(BufReader::new(Utf8::new(reader)));
        let mut xml = quick_xml::Reader::from_reader(bytes);
        let config = xml.config_mut();
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        Reader {
            xml,
            header: moment::header("leakdiag", about),
            faults: Faults::default(),
            stacks: Stacks::new(PROCESS),
            opening: Some(Vec::new()),
            open: None,
            live: BTreeMap::new(),
            lists: 0,
            ended: false,
        }
    }

    fn start(&mut self, tag: &BytesStart<'_>, events: &mut Vec<Event>) {
        let at = self.place();
        let name = tag.local_name().as_ref().to_ascii_uppercase();
        let faults = &mut self.faults;
        let mut attributes = BTreeMap::new();
        // The parser would hold each against all before it; a tag may have a hundred thousand.
        for attribute in tag.attributes().with_checks(false) {
            let value = attribute.ok().map(|attribute| {
                let key = attribute.key.local_name().as_ref().to_ascii_lowercase();
                // Names of functions have ampersands that nobody escaped.
                let value = attribute.normalized_value(XmlVersion::Explicit1_0);
                (key, value.map_or_else(|_| attribute.value.to_string(), Into::into))
            });
            match value {
                Some((key, _)) if attributes.contains_key(&key) => {
                    faults.add(at, "an attribute stands twice: its first value counts");
                }
                Some((key, value)) => _ = attributes.insert(key, value),
                None => faults.add(at, "an attribute cannot be read: it was passed over"),
            }
        }
        let attribute = |name: &str| attributes.get(name).cloned();
        match name.as_str() {
            "LEAKS" if self.lists >= LISTS => {
                faults.add(at, "there are too many lists: their headings were passed over");
            }
            "LEAKS" => {
                self.lists += 1;
                let fact = Fact {
                    kind: FactKind::Capture,
                    subject: "LeakDiag".to_owned(),
                    value: attribute("ver"),
                };
                self.opening.as_mut().unwrap_or(events).push(event(What::Fact(Box::new(fact))));
            }
            "STACK" => {
                self.close(events);
                let stack = Stack::new(attribute);
                if stack.blocks == 0 {
                    self.faults.add(at, "a stack does not say how many blocks it has");
                }
                if !stack.is_consistent() {
                    self.faults.add(
                        at,
                        "a stack's mean size is not that of its sums: the sums were taken",
                    );
                }
                self.open = Some((at, stack));
            }
            "FRAME" => match &mut self.open {
                Some((_, stack)) => {
                    if !stack.frame(attribute) {
                        self.faults.add(at, "a stack is too deep, or its names too long: its outer frames were not read");
                    }
                }
                None => self.faults.add(at, "a frame belongs to no stack"),
            },
            _ => {}
        }
    }

    fn close(&mut self, events: &mut Vec<Event>) {
        let Some((at, stack)) = self.open.take() else { return };
        let (blocks, bytes) = (stack.blocks, stack.bytes());
        let frames = stack.frames();
        let mut modules = frames.iter().filter_map(|frame| frame.module.as_deref());
        let program = modules.find(|name| is_program(name));
        if let Some(program) = program {
            self.begin(program, events);
        }
        let id = self.stacks.stack(&frames, at, self.opening.as_mut().unwrap_or(events));
        let live = self.live.entry(id).or_default();
        *live = (live.0.saturating_add(blocks), live.1.saturating_add(bytes));
    }

    /// Says the process and what was waiting for its name.
    fn begin(&mut self, program: &str, events: &mut Vec<Event>) {
        if let Some(mut opening) = self.opening.take() {
            let process = Process { name: program.to_owned(), ..Process::default() };
            events.push(event(What::Process(Box::new(process))));
            events.append(&mut opening);
        }
    }

    fn end(&mut self, events: &mut Vec<Event>) {
        self.close(events);
        self.stacks.tell(&mut self.faults);
        self.begin("", events);
        self.ended = true;
        for (&stack, &(blocks, bytes)) in &self.live {
            let snapshot = Snapshot { number: 0, stack, blocks, bytes: Bytes(bytes) };
            events.push(event(What::Snapshot(Box::new(snapshot))));
        }
        events.push(event(What::ProcessExit(Exit::StillRunning)));
        events.push(event(What::Epoch));
    }

    fn place(&self) -> Offset {
        Offset(self.xml.buffer_position())
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
        let mut buffer = Vec::new();
        for _ in 0..BATCH {
            buffer.clear();
            match self.xml.read_event_into(&mut buffer) {
                Ok(Xml::Start(tag) | Xml::Empty(tag)) => self.start(&tag, events),
                Ok(Xml::End(tag)) if tag.local_name().as_ref().eq_ignore_ascii_case("STACK") => {
                    self.close(events);
                }
                Ok(Xml::Eof) => {
                    if self.open.is_some() {
                        self.faults.add(self.place(), "the log ends within a stack: it was cut");
                    }
                    self.end(events);
                    break;
                }
                Ok(_) => {}
                Err(quick_xml::Error::Io(error)) => {
                    if error.kind() != std::io::ErrorKind::InvalidData {
                        let source = std::io::Error::new(error.kind(), error.to_string());
                        return Err(ReadError::Io { offset: self.place(), source });
                    }
                    self.faults.add(self.place(), TOO_LONG);
                    self.end(events);
                    break;
                }
                Err(error) => {
                    let what =
                        format!("the XML is broken here ({error}): what follows was not read");
                    self.faults.add(self.place(), what);
                    self.end(events);
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
