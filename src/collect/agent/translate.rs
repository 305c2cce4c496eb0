//! From records to events: addresses become module and offset, stack hashes become nodes of the
//! stack tree, stamps become times. Nothing is judged and nothing is dropped here.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;
use unfreed_symbols::ModuleIdentity;
use unfreed_wire::{frame_word, split_frame_word};

use super::clock::{Clock, Stamp};
use super::procfs;
use super::record::{
    Again, Generation, ModuleSeen, Origin, Payload, ProcessBegan, Record, StackDefinition,
    StackHash, Tallied,
};
use crate::collect::scan::{Copied, Group, groups};
use crate::collect::sink::{Coverage, Sink};
use crate::event::{
    Address, Alloc, Bytes, Event, Exit, Frame, Free, FreedBefore, HeapCreate, HeapId, Loss, Lost,
    Module, ModuleId, Process, ProcessId, Reach, Realloc, Root, Sample, StackId, StackNode, Tally,
    Tid, Time, Trust, What,
};

/// Reads the identity of the file at a path.
pub type Identify<'a> = &'a mut dyn FnMut(&Path) -> ModuleIdentity;

/// The state of the translation.
pub(in crate::collect) struct Translator<'a> {
    clock: Clock,
    /// The mean distance of two sampling points, where a sample is told.
    sampled: Option<Bytes>,
    identify: Identify<'a>,
    sink: &'a mut dyn Sink,
    failed: Option<io::Error>,
    last: Time,
    processes: FxHashMap<u32, Traced>,
    modules: FxHashMap<FileKey, (ModuleId, ModuleIdentity)>,
    nodes: FxHashMap<StackNode, StackId>,
}

/// What tells one version of a file from another at the same path.
#[derive(Clone, PartialEq, Eq, Hash)]
struct FileKey {
    path: PathBuf,
    device: u64,
    inode: u64,
    modified: (i64, i64),
}

/// Generations that are remembered: stacks of an older one are long defined.
/// By the coarse clock, modules come before all stacks of the same moment: so there may be many.
const GENERATIONS: usize = 4096;

struct Traced {
    id: ProcessId,
    pid: u32,
    program: PathBuf,
    stacks: FxHashMap<StackHash, StackId>,
    /// What is mapped, as far as was said last.
    mapped: BTreeMap<u64, Mapped>,
    /// What was told to be mapped in each of the last generations.
    generations: BTreeMap<Generation, BTreeMap<u64, Placed>>,
    /// Set when the process's map was read and nothing new was in it.
    map_is_known: bool,
}

/// A module at its place.
#[derive(Clone, Copy)]
struct Placed {
    end: u64,
    load_bias: u64,
    id: ModuleId,
}

#[derive(Clone, PartialEq)]
struct Mapped {
    end: u64,
    load_bias: u64,
    id: ModuleId,
    identity: ModuleIdentity,
}

impl Traced {
    /// Whether anything is known to lie where this module was.
    fn has_at(&self, seen: &ModuleSeen) -> bool {
        self.mapped.range(..seen.end).next_back().is_some_and(|(_, old)| old.end > seen.start)
    }
}

impl<'a> Translator<'a> {
    pub(in crate::collect) fn new(
        clock: Clock,
        sampled: Option<Bytes>,
        identify: Identify<'a>,
        sink: &'a mut dyn Sink,
    ) -> Translator<'a> {
        Translator {
            clock,
            sampled,
            identify,
            sink,
            failed: None,
            last: Time(0),
            processes: FxHashMap::default(),
            modules: FxHashMap::default(),
            nodes: FxHashMap::default(),
        }
    }

    /// Walks the copy of a process with the blocks that live in it after all that was handed on, of which at most
    /// `most` is known to be all; `None` where nobody knows these.
    pub(in crate::collect) fn scan(
        &self,
        process: u32,
        copied: &Copied,
        most: Coverage,
    ) -> Option<(Coverage, Vec<Group>)> {
        let id = self.processes.get(&process)?.id;
        groups(copied, &mut |each| {
            let known = self.sink.living(id, each)?;
            Some(if most == Coverage::Part { most } else { known })
        })
    }

    /// The first error the sink gave, after which nothing more was passed on.
    pub(in crate::collect) fn failure(&mut self) -> Option<io::Error> {
        self.failed.take()
    }

    pub(in crate::collect) fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Translates these records; they come in order of their stamps. Allocations and frees are looked at
    /// where they lie, and their events made where they are read: a processor that copies what it has
    /// only just written in smaller pieces waits until all that it wrote before is in its cache, and
    /// whoever takes the events writes far and wide.
    pub(in crate::collect) fn translate(&mut self, records: &mut Vec<Record>) {
        let heap = HeapId::DEFAULT;
        for record in &mut *records {
            let Record { stamp, origin, ref payload } = *record;
            match *payload {
                Payload::Alloc { address, size, stack, function } => {
                    let stack = self.stack(stamp, origin, stack);
                    let (time, process, thread) = self.place(stamp, origin);
                    let what = What::Alloc(Alloc { address, size, stack, function, heap });
                    self.pass_on(&Event { time, process, thread, what });
                }
                Payload::Free { address, function } => {
                    let stack = StackId::NOT_TAKEN;
                    let (time, process, thread) = self.place(stamp, origin);
                    let what = What::Free(Free { address, stack, function, heap });
                    self.pass_on(&Event { time, process, thread, what });
                }
                _ => self.rare(stamp, origin, record.payload.take()),
            }
        }
        records.clear();
    }

    fn rare(&mut self, stamp: Stamp, origin: Origin, payload: Payload) {
        match payload {
            // Translated before it comes here, and counted where it was read.
            Payload::Alloc { .. } | Payload::Free { .. } | Payload::Pair { .. } => {}
            Payload::InHeap(heap, what) => self.in_heap(stamp, origin, heap, *what),
            Payload::HeapCreated { heap, stack } => {
                let stack = self.stack(stamp, origin, stack);
                self.emit(stamp, origin, What::HeapCreate(HeapCreate { heap, stack }));
            }
            Payload::HeapDestroyed(heap) => self.emit(stamp, origin, What::HeapDestroy(heap)),
            Payload::Again(again) => {
                let Again { address, function, stack, site, from, freed } = *again;
                let stack = self.stack(stamp, origin, stack);
                let site = match site {
                    StackHash(0) => StackId::NOT_TAKEN,
                    site => self.stack(stamp, origin, site),
                };
                let first = match from {
                    Address(0) => StackId::NOT_TAKEN,
                    from => {
                        let caller = frame_word(from.0, Trust::Table as u8);
                        self.node(stamp, origin, StackId::TRUNCATED, caller, None)
                    }
                };
                let freed = self.clock.time(freed).min(self.last);
                let before = FreedBefore { address, site, stack: first, freed };
                self.emit(stamp, origin, What::FreedBefore(Box::new(before)));
                let free = Free { address, stack, function, heap: HeapId::DEFAULT };
                self.emit(stamp, origin, What::Free(free));
            }
            Payload::Tally(tallied) => self.tally(stamp, origin, *tallied),
            Payload::Scan(scan) => self.emit(stamp, origin, What::Scan(scan)),
            Payload::Reach(group) => self.reach(stamp, origin, *group),
            Payload::Resize { address, size, stack, function } => {
                let stack = self.stack(stamp, origin, stack);
                let (old, new, heap) = (address, address, HeapId::DEFAULT);
                self.emit(
                    stamp,
                    origin,
                    What::Realloc(Realloc { old, new, size, stack, function, heap }),
                );
            }
            Payload::Stack(definition) => self.define(stamp, origin, &definition),
            Payload::Module(seen, generation) => {
                self.module(stamp, origin, &seen, Some(generation));
            }
            Payload::Map(modules) => self.map(stamp, origin, &modules),
            Payload::ThreadBegan(name) => self.emit(stamp, origin, What::Thread(name)),
            Payload::ThreadEnded => self.emit(stamp, origin, What::ThreadExit),
            Payload::ProcessBegan(began) => self.process(stamp, origin, *began),
            Payload::ProcessEnded(exit) => {
                self.emit(stamp, origin, What::ProcessExit(exit));
                if exit != Exit::StillRunning
                    && let Some(traced) = self.processes.get_mut(&origin.process)
                {
                    traced.stacks = FxHashMap::default();
                    traced.mapped = BTreeMap::new();
                    traced.generations = BTreeMap::new();
                }
            }
            Payload::Lost { what, count } => {
                self.emit(stamp, origin, What::Loss(Loss { what, count }));
            }
            Payload::Mark(mark) => self.emit(stamp, origin, What::Mark(mark)),
            Payload::Sample { metric, value } => {
                self.emit(stamp, origin, What::Sample(Sample { metric, value }));
            }
            Payload::Fact(fact) => self.emit(stamp, origin, What::Fact(fact)),
            Payload::Epoch => self.emit(stamp, origin, What::Epoch),
        }
    }

    fn in_heap(&mut self, stamp: Stamp, origin: Origin, heap: HeapId, what: Payload) {
        match what {
            Payload::Alloc { address, size, stack, function } => {
                let stack = self.stack(stamp, origin, stack);
                let alloc = Alloc { address, size, stack, function, heap };
                self.emit(stamp, origin, What::Alloc(alloc));
            }
            Payload::Free { address, function } => {
                let stack = StackId::NOT_TAKEN;
                self.emit(stamp, origin, What::Free(Free { address, stack, function, heap }));
            }
            other => self.rare(stamp, origin, other),
        }
    }

    fn tally(&mut self, stamp: Stamp, origin: Origin, tallied: Tallied) {
        let Tallied { stack, since, counted, lifetimes, resolution } = tallied;
        let tally = Tally {
            stack: self.stack(stamp, origin, stack),
            since: self.clock.time(since).min(self.last),
            allocated: counted.blocks,
            allocated_bytes: counted.bytes,
            freed: counted.blocks,
            freed_bytes: counted.bytes,
            sizes: Some((counted.smallest, counted.largest)),
            lifetimes,
            resolution,
            estimated: false,
        };
        self.emit(stamp, origin, What::Tally(Box::new(tally)));
    }

    fn emit(&mut self, stamp: Stamp, origin: Origin, what: What) {
        let (time, process, thread) = self.place(stamp, origin);
        self.pass_on(&Event { time, process, thread, what });
    }

    /// When and where.
    fn place(&mut self, stamp: Stamp, origin: Origin) -> (Time, ProcessId, Tid) {
        // A record that came too late to be ordered is told of now: time does not go back.
        self.last = self.last.max(self.clock.time(stamp));
        let process = self.processes.get(&origin.process);
        (self.last, process.map_or(ProcessId::EVERY, |traced| traced.id), Tid(origin.tid))
    }

    fn pass_on(&mut self, event: &Event) {
        if self.failed.is_none() {
            self.failed = self.sink.take(event).err();
        }
    }

    fn process(&mut self, stamp: Stamp, origin: Origin, began: ProcessBegan) {
        let id = ProcessId(u32::try_from(self.processes.len()).unwrap_or(u32::MAX));
        let inherited = began.forked_from.and_then(|parent| self.processes.get(&parent));
        let mapped = inherited.map(|parent| parent.mapped.clone()).unwrap_or_default();
        let from_start = began.forked_from.is_none() && !began.attached;
        let traced = Traced {
            id,
            pid: began.pid,
            program: PathBuf::from(began.program),
            stacks: FxHashMap::default(),
            mapped: mapped.clone(),
            generations: BTreeMap::new(),
            map_is_known: false,
        };
        self.processes.insert(origin.process, traced);
        let process = Process {
            pid: began.pid,
            parent: began.parent,
            name: began.name,
            command: began.command,
            from_start,
            sampled: self.sampled,
        };
        self.emit(stamp, origin, What::Process(Box::new(process)));
        for (start, mapped) in mapped {
            self.emit_module(stamp, origin, start, &mapped);
        }
    }

    fn emit_module(&mut self, stamp: Stamp, origin: Origin, start: u64, mapped: &Mapped) {
        let module = Module {
            id: mapped.id,
            identity: mapped.identity.clone(),
            base: Address(start),
            size: Bytes(mapped.end.saturating_sub(start)),
        };
        self.emit(stamp, origin, What::Module(Box::new(module)));
    }

    /// Takes note of a module; says so if it is new at its place.
    fn module(
        &mut self,
        stamp: Stamp,
        origin: Origin,
        seen: &ModuleSeen,
        generation: Option<Generation>,
    ) {
        let Some(traced) = self.processes.get(&origin.process) else { return };
        if seen.end <= seen.start {
            return;
        }
        let path = if seen.path.is_empty() {
            traced.program.clone()
        } else {
            PathBuf::from(std::ffi::OsStr::from_bytes(&seen.path))
        };
        // The loader and the kernel may name one file by different links.
        let path = fs::canonicalize(&path).unwrap_or(path);
        let (id, identity) = self.identity(&path);
        let mapped = Mapped { end: seen.end, load_bias: seen.load_bias, id, identity };
        let Some(traced) = self.processes.get_mut(&origin.process) else { return };
        if let Some(generation) = generation {
            let newest = traced.generations.last_key_value().map(|(newest, _)| *newest);
            let of = traced.generations.entry(generation).or_default();
            of.insert(seen.start, Placed { end: seen.end, load_bias: seen.load_bias, id });
            if traced.generations.len() > GENERATIONS {
                traced.generations.pop_first();
            }
            // Told late, by a thread that was slow: something else may be there now.
            if newest.is_some_and(|newest| newest > generation) && traced.has_at(seen) {
                return;
            }
        }
        if traced.mapped.get(&seen.start).is_some_and(|old| old.id == id) {
            return;
        }
        let gone: Vec<u64> = traced
            .mapped
            .range(..seen.end)
            .filter(|(_, old)| old.end > seen.start)
            .map(|(start, _)| *start)
            .collect();
        for start in &gone {
            traced.mapped.remove(start);
        }
        traced.mapped.insert(seen.start, mapped.clone());
        for start in gone {
            self.emit(stamp, origin, What::ModuleUnload(Address(start)));
        }
        self.emit_module(stamp, origin, seen.start, &mapped);
    }

    fn identity(&mut self, path: &Path) -> (ModuleId, ModuleIdentity) {
        let about = fs::metadata(path);
        let key = FileKey {
            path: path.to_owned(),
            device: about.as_ref().map_or(0, MetadataExt::dev),
            inode: about.as_ref().map_or(0, MetadataExt::ino),
            modified: about.as_ref().map_or((0, 0), |about| (about.mtime(), about.mtime_nsec())),
        };
        let next = ModuleId(u32::try_from(self.modules.len()).unwrap_or(u32::MAX));
        let identify = &mut self.identify;
        self.modules.entry(key).or_insert_with(|| (next, identify(path))).clone()
    }

    fn stack(&mut self, stamp: Stamp, origin: Origin, hash: StackHash) -> StackId {
        let known = self.processes.get(&origin.process).and_then(|traced| traced.stacks.get(&hash));
        if let Some(stack) = known {
            return *stack;
        }
        self.emit(stamp, origin, What::Loss(Loss { what: Lost::Stacks, count: 1 }));
        StackId::LOST
    }

    fn define(&mut self, stamp: Stamp, origin: Origin, definition: &StackDefinition) {
        let mut id = if definition.complete { StackId::COMPLETE } else { StackId::TRUNCATED };
        for word in definition.frames.iter().rev() {
            id = self.node(stamp, origin, id, *word, Some(definition.generation));
        }
        if let Some(traced) = self.processes.get_mut(&origin.process) {
            traced.stacks.insert(definition.hash, id);
        }
    }

    fn reach(&mut self, stamp: Stamp, origin: Origin, group: Group) {
        let Group { stack, born, root, blocks, bytes, interior } = group;
        let root = root.map(|place| {
            let found = place.module.and_then(|base| self.find(origin, base));
            let bias = found.map_or(0, |(_, bias)| bias);
            let offset = place.address.wrapping_sub(bias);
            Root { kind: place.kind, module: found.map(|(module, _)| module), offset }
        });
        let reach = Reach { stack, born, root, blocks, bytes, interior };
        self.emit(stamp, origin, What::Reach(Box::new(reach)));
    }

    /// The node of a frame under its caller; defines it where it is new.
    fn node(
        &mut self,
        stamp: Stamp,
        origin: Origin,
        caller: StackId,
        word: u64,
        generation: Option<Generation>,
    ) -> StackId {
        let frame = self.frame(stamp, origin, word, generation);
        let node = StackNode { caller, frame };
        if let Some(known) = self.nodes.get(&node) {
            return *known;
        }
        let count = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let new = StackId(StackId::FIRST.0.saturating_add(count));
        self.nodes.insert(node, new);
        self.emit(stamp, origin, What::Stack(node));
        new
    }

    fn frame(
        &mut self,
        stamp: Stamp,
        origin: Origin,
        word: u64,
        generation: Option<Generation>,
    ) -> Frame {
        let (address, trust) = split_frame_word(word);
        let trust = match trust {
            0 => Trust::Context,
            1 => Trust::Table,
            3 => Trust::Code,
            _ => Trust::FramePointer,
        };
        // A call may be the last instruction of a module: its return address lies behind it.
        let inside = if trust == Trust::Context { address } else { address.saturating_sub(1) };
        let then = generation.and_then(|generation| self.find_then(origin, inside, generation));
        if then.is_none() && self.find(origin, inside).is_none() {
            self.read_map(stamp, origin);
        }
        let now = || self.find(origin, inside).filter(|_| !self.is_forgotten(origin, generation));
        match then.or_else(now) {
            Some((module, load_bias)) => {
                Frame { module: Some(module), offset: address.wrapping_sub(load_bias), trust }
            }
            None => Frame { module: None, offset: address, trust },
        }
    }

    fn find(&self, origin: Origin, address: u64) -> Option<(ModuleId, u64)> {
        let traced = self.processes.get(&origin.process)?;
        let (_, mapped) = traced.mapped.range(..=address).next_back()?;
        (address < mapped.end).then_some((mapped.id, mapped.load_bias))
    }

    /// The same in a generation, as far as was told in it.
    fn find_then(
        &self,
        origin: Origin,
        address: u64,
        generation: Generation,
    ) -> Option<(ModuleId, u64)> {
        let of = self.processes.get(&origin.process)?.generations.get(&generation)?;
        let (_, mapped) = of.range(..=address).next_back()?;
        (address < mapped.end).then_some((mapped.id, mapped.load_bias))
    }

    /// Whether a generation is so old that what was where in it is no longer remembered: what is
    /// there now would be a guess.
    fn is_forgotten(&self, origin: Origin, generation: Option<Generation>) -> bool {
        let traced = self.processes.get(&origin.process);
        let full = traced.filter(|traced| traced.generations.len() >= GENERATIONS);
        let oldest = full.and_then(|traced| traced.generations.first_key_value());
        generation.zip(oldest).is_some_and(|(generation, (oldest, _))| generation < *oldest)
    }

    /// Learns of modules that no stack has shown, from the process's map.
    fn map(&mut self, stamp: Stamp, origin: Origin, modules: &[ModuleSeen]) {
        if let Some(traced) = self.processes.get_mut(&origin.process) {
            traced.map_is_known = false;
        }
        for seen in modules {
            if self.find(origin, seen.start).is_none() {
                self.module(stamp, origin, seen, None);
            }
        }
    }

    /// The same for the map as it is now, for code that nothing has shown yet.
    fn read_map(&mut self, stamp: Stamp, origin: Origin) {
        let Some(traced) = self.processes.get(&origin.process) else { return };
        if traced.map_is_known {
            return;
        }
        let modules = procfs::modules_of(traced.pid, &traced.program.to_string_lossy());
        self.map(stamp, origin, &modules);
        if let Some(traced) = self.processes.get_mut(&origin.process) {
            traced.map_is_known = true;
        }
    }
}
