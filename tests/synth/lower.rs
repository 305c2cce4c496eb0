//! From the story to the events: sorts by time, places epochs, and defines modules, names and
//! stacks before their first use.

use std::collections::{HashMap, HashSet};

use unfreed::event::*;
use unfreed_symbols::ModuleIdentity;

use super::{Deed, Synth, linux_module};

/// Nanoseconds between epochs.
const EPOCH: u64 = 100_000_000;

/// The bytes each module takes, and the step between their bases.
const MODULE_SIZE: u64 = 0x10_0000;

/// A module event for one that was described.
pub(super) fn module(synth: &Synth, id: usize) -> What {
    module_event(id, synth.modules[id].clone())
}

fn module_event(id: usize, identity: ModuleIdentity) -> What {
    What::Module(Box::new(Module {
        id: ModuleId(id as u32),
        identity,
        base: Address(0x7000_0000_0000 + id as u64 * MODULE_SIZE),
        size: Bytes(MODULE_SIZE),
    }))
}

/// All events of the trace.
pub(super) fn events(synth: &Synth) -> Vec<Event> {
    let mut tale = synth.tale.clone();
    let end = super::nanoseconds(synth.end).0;
    for n in 1..=end.div_ceil(EPOCH) {
        let deed = Deed::Other(What::Epoch);
        tale.push(super::Told { time: Time(n * EPOCH), process: ProcessId(0), deed });
    }
    tale.sort_by_key(|told| told.time);
    let mut lowering = Lowering {
        modules: synth.modules.clone(),
        mapped: HashSet::new(),
        offsets: HashMap::new(),
        next_offset: HashMap::new(),
        nodes: HashMap::new(),
        events: Vec::new(),
        windows: synth.windows,
    };
    for told in tale {
        let at = At { time: told.time, process: told.process };
        let what = match told.deed {
            Deed::Other(what) => {
                if let What::Module(module) = &what {
                    lowering.mapped.insert((at.process, module.id));
                }
                what
            }
            Deed::Free { address, function } => What::Free(Free {
                address,
                stack: StackId::NOT_TAKEN,
                function,
                heap: HeapId::DEFAULT,
            }),
            Deed::Alloc { address, size, stack, function } => What::Alloc(Alloc {
                address,
                size: Bytes(size),
                stack: lowering.stack(at, &stack),
                function,
                heap: HeapId::DEFAULT,
            }),
            Deed::Realloc { old, new, size, stack } => What::Realloc(Realloc {
                old,
                new,
                size: Bytes(size),
                stack: lowering.stack(at, &stack),
                function: if synth.windows {
                    Function::RtlReAllocateHeap
                } else {
                    Function::Realloc
                },
                heap: HeapId::DEFAULT,
            }),
        };
        lowering.push(at, what);
    }
    lowering.events
}

#[derive(Clone, Copy)]
struct At {
    time: Time,
    process: ProcessId,
}

struct Lowering {
    /// Modules by id.
    modules: Vec<ModuleIdentity>,
    mapped: HashSet<(ProcessId, ModuleId)>,
    /// Frames that were named, by their text.
    offsets: HashMap<String, u64>,
    next_offset: HashMap<ModuleId, u64>,
    nodes: HashMap<(StackId, String), StackId>,
    events: Vec<Event>,
    windows: bool,
}

impl Lowering {
    fn push(&mut self, at: At, what: What) {
        let thread = Tid(1000 + at.process.0);
        self.events.push(Event { time: at.time, process: at.process, thread, what });
    }

    /// The id of a stack given innermost first; defines what is new of it.
    fn stack(&mut self, at: At, frames: &[String]) -> StackId {
        let mut node = StackId::COMPLETE;
        for text in frames.iter().rev() {
            let frame = self.frame(at, text);
            let next = StackId(StackId::FIRST.0 + self.nodes.len() as u32);
            let key = (node, text.clone());
            node = match self.nodes.get(&key) {
                Some(known) => *known,
                None => {
                    self.nodes.insert(key, next);
                    self.push(at, What::Stack(StackNode { caller: node, frame }));
                    next
                }
            };
        }
        node
    }

    fn frame(&mut self, at: At, text: &str) -> Frame {
        let trust = if self.windows { Trust::Recorded } else { Trust::Table };
        let (name, function) = match (text.split_once('!'), text.split_once("+0x")) {
            (Some((module, function)), _) => (module, Ok(function)),
            (None, Some((module, offset))) => (module, Err(offset)),
            (None, None) => panic!("a frame is `module!function` or `module+0xoffset`: {text}"),
        };
        let module = self.module(at, name);
        let offset = match function {
            Err(offset) => u64::from_str_radix(offset, 16).expect("a hexadecimal offset"),
            Ok(function) => match self.offsets.get(text) {
                Some(offset) => *offset,
                None => {
                    let next = self.next_offset.entry(module).or_insert(0x1000);
                    let offset = *next;
                    *next += 0x40;
                    self.offsets.insert(text.into(), offset);
                    let functions =
                        vec![NamedFunction { function: function.into(), file: None, line: None }];
                    self.push(at, What::Name(Box::new(Name { module, offset, functions })));
                    offset
                }
            },
        };
        Frame { module: Some(module), offset, trust }
    }

    /// The module's id; makes it up where it was not described, and maps it where it was not.
    fn module(&mut self, at: At, name: &str) -> ModuleId {
        let known = self.modules.iter().position(|known| known.name == name);
        let id = known.unwrap_or(self.modules.len());
        if known.is_none() {
            self.modules.push(if self.windows {
                let path = format!("C:\\WINNT\\system32\\{name}");
                ModuleIdentity { name: name.into(), path, ..ModuleIdentity::default() }
            } else {
                linux_module(name)
            });
        }
        if self.mapped.insert((at.process, ModuleId(id as u32))) {
            self.push(at, module_event(id, self.modules[id].clone()));
        }
        ModuleId(id as u32)
    }
}
