//! The walk: from every root to the blocks it refers to, and on from these. A pointer anywhere into a block
//! counts; those to its beginning are told apart. A block is told as reached from the first kind of root,
//! in the order of [`ORDER`], that leads to it: what lasts comes before what a function will soon forget.

use super::copy::Copied;
use super::index::Index;
use super::roots::{Area, Memory, What, areas};
use crate::collect::sink::Coverage;
use crate::event::RootKind;

/// What is walked first.
const ORDER: [RootKind; 6] = [
    RootKind::Global,
    RootKind::ThreadLocal,
    RootKind::Mapping,
    RootKind::Untold,
    RootKind::Stack,
    RootKind::Register,
];

/// A word that refers to a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Root {
    pub(super) kind: RootKind,
    /// Where the module that it is in is mapped, if it is in one.
    pub(super) base: Option<u64>,
    /// Where it is; 0 for a register.
    pub(super) address: u64,
}

/// What was reached, and from where.
pub(super) struct Marks {
    roots: Vec<Root>,
    /// For each block one more than its root's number, or 0.
    reached: Vec<u32>,
    /// For each block whether a pointer leads to its beginning.
    begins: Vec<bool>,
}

impl Marks {
    /// The root from which a block was reached.
    pub(super) fn root(&self, block: usize) -> Option<Root> {
        let number = self.reached[block].checked_sub(1)?;
        Some(self.roots[number as usize])
    }

    /// Whether nothing leads to its beginning, only to its inside.
    pub(super) fn is_interior(&self, block: usize) -> bool {
        !self.begins[block]
    }
}

/// Walks all there is.
pub(super) fn mark(copied: &Copied, index: &Index, coverage: Coverage) -> Marks {
    let blocks = index.blocks().len();
    let marks = Marks { roots: Vec::new(), reached: vec![0; blocks], begins: vec![false; blocks] };
    let mut walk = Walk { copied, index, marks, open: Vec::new() };
    let areas = areas(copied, index);
    for kind in ORDER {
        if kind == RootKind::Register {
            for thread in &copied.threads {
                for value in &thread.registers {
                    walk.from(Root { kind, base: None, address: 0 }, *value);
                }
            }
            continue;
        }
        let mut memory = Memory::new(copied, index, coverage);
        for area in &areas {
            walk.area(area, kind, &mut memory);
        }
    }
    walk.marks
}

struct Walk<'a> {
    copied: &'a Copied,
    index: &'a Index,
    marks: Marks,
    /// Blocks reached whose content is still to be looked at.
    open: Vec<u32>,
}

impl Walk<'_> {
    /// Walks from what in this area is of this kind.
    fn area(&mut self, area: &Area, kind: RootKind, memory: &mut Memory<'_>) {
        let (of, base, only_begins) = match area.what {
            What::Global { base, allocator } => (RootKind::Global, Some(base), allocator),
            What::ThreadLocal => (RootKind::ThreadLocal, None, false),
            What::Stack => (RootKind::Stack, None, false),
            What::Memory => (RootKind::Mapping, None, false),
        };
        let is_memory = area.what == What::Memory;
        let memories = [RootKind::Mapping, RootKind::Untold];
        if !(of == kind || is_memory && memories.contains(&kind)) {
            return;
        }
        let (copied, index) = (self.copied, self.index);
        let mut inside = 0..0;
        for (address, value) in copied.words.within(area.range.clone()) {
            // What a block holds counts once the block is reached.
            if inside.contains(&address) {
                continue;
            }
            if let Some(block) = index.find(address).map(|at| index.block(at)) {
                inside = block.address..block.end();
                continue;
            }
            if is_memory && memory.kind(address) != Some(kind) {
                continue;
            }
            let begins = |at: u32| index.block(at).address == value;
            if only_begins && !index.find(value).is_some_and(begins) {
                continue;
            }
            self.from(Root { kind, base, address }, value);
        }
    }

    /// Walks from one word.
    fn from(&mut self, root: Root, value: u64) {
        let number = self.marks.roots.len() as u32 + 1;
        self.reach(value, number);
        if self.open.is_empty() {
            return;
        }
        self.marks.roots.push(root);
        let copied = self.copied;
        while let Some(block) = self.open.pop() {
            let block = self.index.block(block);
            for (_, value) in copied.words.within(block.address..block.end()) {
                self.reach(value, number);
            }
        }
    }

    #[inline]
    fn reach(&mut self, value: u64, number: u32) {
        let Some(at) = self.index.find(value) else { return };
        let block = at as usize;
        if self.index.block(at).address == value {
            self.marks.begins[block] = true;
        }
        if self.marks.reached[block] == 0 {
            self.marks.reached[block] = number;
            self.open.push(at);
        }
    }
}
