//! Stacks that a text gives frame by frame: equal ones get one id, whatever the text calls them. A frame
//! is an address in a known module where the text has one, else a function by name.

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};
use unfreed_symbols::ModuleIdentity;
use xxhash_rust::xxh3::Xxh3;

use crate::event::{
    Address, Bytes, Event, Frame, Module, ModuleId, Name, NamedFunction, ProcessId, StackId,
    StackNode, Tid, Time, Trust, What,
};
use crate::read::room::Room;
use crate::read::{Faults, Offset};

/// What a definition takes besides its texts: here, in the reader's sums and where it is told.
const ENTRY: usize = 128;
const FULL: &str = "the log has more than 1 GiB of stacks, modules and names: this was passed over, and blocks whose stack \
                    it was are told without one; take a log sooner after the process began";

/// Where threads begin: a stack that ends in one of these is whole.
const OUTERMOST: [&str; 11] = [
    "_start",
    "clone",
    "clone3",
    "__clone",
    "__clone3",
    "RtlUserThreadStart",
    "_RtlUserThreadStart",
    "__RtlUserThreadStart",
    "BaseThreadInitThunk",
    "BaseProcessStart",
    "BaseThreadStart",
];

/// One frame, as a text gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::read) struct TextFrame {
    /// Its module, with or without an extension.
    pub module: Option<String>,
    /// Its function.
    pub function: Option<String>,
    /// How far into its function; from its module's base where there is no function.
    pub displacement: Option<u64>,
    /// Its address.
    pub address: Option<u64>,
    /// Source file.
    pub file: Option<String>,
    /// Source line.
    pub line: Option<u32>,
}

/// Modules, stacks and names, each defined once.
#[derive(Debug)]
pub(in crate::read) struct Stacks {
    process: ProcessId,
    nodes: FxHashMap<StackNode, StackId>,
    modules: u32,
    /// By the first address: the end, and which.
    mapped: BTreeMap<u64, (u64, ModuleId)>,
    by_name: FxHashMap<String, ModuleId>,
    named: FxHashSet<(ModuleId, u64)>,
    room: Room,
    /// What was passed over for want of room: how much, and where the first was.
    passed: Option<(Offset, u64)>,
}

impl Stacks {
    /// Those of one process.
    pub(in crate::read) fn new(process: ProcessId) -> Self {
        Stacks {
            process,
            nodes: FxHashMap::default(),
            modules: 0,
            mapped: BTreeMap::new(),
            by_name: FxHashMap::default(),
            named: FxHashSet::default(),
            room: Room::default(),
            passed: None,
        }
    }

    /// Takes room for what a reader keeps of a stack; false where there is none left, which is told in the end.
    pub(in crate::read) fn has_room(&mut self, bytes: usize, at: Offset) -> bool {
        let room = self.room.take(bytes);
        if !room {
            self.passed.get_or_insert((at, 0)).1 += 1;
        }
        room
    }

    /// Tells what was passed over.
    pub(in crate::read) fn tell(&mut self, faults: &mut Faults) {
        if let Some((at, count)) = self.passed.take() {
            faults.add_many(at, FULL, count);
        }
    }

    /// Says that a module is mapped.
    pub(in crate::read) fn module(
        &mut self,
        identity: ModuleIdentity,
        (base, size): (u64, u64),
        at: Offset,
        events: &mut Vec<Event>,
    ) -> Option<ModuleId> {
        if !self.has_room(2 * (ENTRY + identity.name.len() + identity.path.len()), at) {
            return None;
        }
        let id = ModuleId(self.modules);
        self.modules += 1;
        if size > 0 {
            self.mapped.insert(base, (base.saturating_add(size), id));
        }
        self.by_name.entry(bare_name(&identity.name)).or_insert(id);
        let module = Module { id, identity, base: Address(base), size: Bytes(size) };
        events.push(self.event(What::Module(Box::new(module))));
        Some(id)
    }

    /// The id of a stack, innermost frame first, below one of the roots. It is lost where there is no room left for it.
    pub(in crate::read) fn stack(
        &mut self,
        frames: &[TextFrame],
        at: Offset,
        events: &mut Vec<Event>,
    ) -> StackId {
        let Some(outermost) = frames.last() else {
            // It may be listed with a number whose frames were passed over.
            return if self.room.is_full() { StackId::LOST } else { StackId::NOT_TAKEN };
        };
        let begins = |name: &str| OUTERMOST.contains(&name);
        let whole = outermost.function.as_deref().is_some_and(begins);
        let mut stack = if whole { StackId::COMPLETE } else { StackId::TRUNCATED };
        for frame in frames.iter().rev() {
            let Some(frame) = self.frame(frame, at, events) else { return StackId::LOST };
            let node = StackNode { caller: stack, frame };
            stack = match self.nodes.get(&node).copied() {
                Some(id) => id,
                None if !self.has_room(ENTRY, at) => return StackId::LOST,
                None => {
                    let next = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
                    let id = StackId(StackId::FIRST.0.saturating_add(next));
                    self.nodes.insert(node, id);
                    events.push(self.event(What::Stack(node)));
                    id
                }
            };
        }
        stack
    }

    /// `None` where there is no room left for it.
    fn frame(&mut self, frame: &TextFrame, at: Offset, events: &mut Vec<Event>) -> Option<Frame> {
        let mapped = frame.address.and_then(|address| self.at(address));
        if let Some((module, offset)) = mapped {
            if let Some(function) = &frame.function {
                self.name(module, offset, function, frame, at, events)?;
            }
            return Some(Frame { module: Some(module), offset, trust: Trust::Recorded });
        }
        if frame.module.is_none() && frame.function.is_none() {
            let offset = frame.address.unwrap_or_default();
            return Some(Frame { module: None, offset, trust: Trust::Recorded });
        }
        let module = self.called(frame.module.as_deref().unwrap_or_default(), at, events)?;
        let Some(function) = &frame.function else {
            // A place in a module, or no more than that it was in it.
            return Some(match frame.displacement {
                Some(offset) => Frame { module: Some(module), offset, trust: Trust::Recorded },
                None => {
                    let offset = frame.address.unwrap_or_default();
                    Frame { module: Some(module), offset, trust: Trust::Named }
                }
            });
        };
        let offset = key(function, frame.displacement);
        self.name(module, offset, function, frame, at, events)?;
        Some(Frame { module: Some(module), offset, trust: Trust::Named })
    }

    fn at(&self, address: u64) -> Option<(ModuleId, u64)> {
        let (base, (end, module)) = self.mapped.range(..=address).next_back()?;
        (address < *end).then(|| (*module, address - base))
    }

    fn called(&mut self, name: &str, at: Offset, events: &mut Vec<Event>) -> Option<ModuleId> {
        match self.by_name.get(&bare_name(name)) {
            Some(id) => Some(*id),
            None => {
                let identity = ModuleIdentity { name: name.to_owned(), ..Default::default() };
                self.module(identity, (0, 0), at, events)
            }
        }
    }

    fn name(
        &mut self,
        module: ModuleId,
        offset: u64,
        function: &str,
        frame: &TextFrame,
        at: Offset,
        events: &mut Vec<Event>,
    ) -> Option<()> {
        if self.named.contains(&(module, offset)) {
            return Some(());
        }
        let text = function.len() + frame.file.as_ref().map_or(0, String::len);
        if !self.has_room(ENTRY + text, at) {
            return None;
        }
        self.named.insert((module, offset));
        let function = NamedFunction {
            function: function.to_owned(),
            file: frame.file.clone(),
            line: frame.line,
        };
        let name = Name { module, offset, functions: vec![function] };
        events.push(self.event(What::Name(Box::new(name))));
        Some(())
    }

    fn event(&self, what: What) -> Event {
        Event { time: Time(0), process: self.process, thread: Tid(0), what }
    }
}

/// A module's name as texts agree on it: lower case, without directories and without an extension.
pub(in crate::read) fn bare_name(name: &str) -> String {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name).to_lowercase();
    let stem = [".dll", ".exe", ".ocx", ".drv"].iter().find_map(|end| file.strip_suffix(end));
    stem.map_or_else(|| file.clone(), str::to_owned)
}

/// What tells a call of a function from others, the same in every file.
fn key(function: &str, displacement: Option<u64>) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(function.as_bytes());
    hash.update(&[0]);
    hash.update(&displacement.unwrap_or(u64::MAX).to_le_bytes());
    Frame::NAMED | hash.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: String) -> TextFrame {
        TextFrame { module: Some("a".to_owned()), function: Some(function), ..TextFrame::default() }
    }

    #[test]
    fn stacks_without_end_are_lost_and_told() {
        let mut stacks = Stacks { room: Room::of(10_000), ..Stacks::new(ProcessId(0)) };
        let (mut events, mut faults) = (Vec::new(), Faults::default());
        let ids: Vec<_> = (0..1000)
            .map(|n| stacks.stack(&[frame(format!("f{n}"))], Offset(n), &mut events))
            .collect();
        let kept = ids.iter().position(|id| *id == StackId::LOST).unwrap_or(ids.len());
        assert!((10..100).contains(&kept), "{kept}");
        assert!(ids[kept..].iter().all(|id| *id == StackId::LOST));
        assert_eq!(stacks.stack(&[frame("f0".to_owned())], Offset(0), &mut events), ids[0]);
        assert_eq!(stacks.stack(&[], Offset(0), &mut events), StackId::LOST);
        stacks.tell(&mut faults);
        let [fault] = faults.as_slice() else { panic!("{faults:?}") };
        assert_eq!((fault.offset, fault.count), (Offset(kept as u64), 1000 - kept as u64));
    }
}
