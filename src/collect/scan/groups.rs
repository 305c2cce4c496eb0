//! What a scan found, by groups of blocks: those of one stack, born in one span of time, that the same
//! kind of root in the same module leads to, or nothing.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::copy::Copied;
use super::index::{Block, Index};
use super::mark::{Root, mark};
use crate::collect::sink::{Coverage, Living};
use crate::event::{Bytes, RootKind, StackId, Time};

/// Blocks that are told together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) stack: StackId,
    pub(crate) born: Time,
    /// What leads to them; `None`: nothing.
    pub(crate) root: Option<Place>,
    pub(crate) blocks: u64,
    pub(crate) bytes: Bytes,
    /// Those of them to whose beginning nothing leads.
    pub(crate) interior: u64,
}

/// A kind of root, and where the first of them lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) kind: RootKind,
    /// Where the module is mapped that it lies in, if it does.
    pub(crate) module: Option<u64>,
    pub(crate) address: u64,
}

/// Blocks that were handed out, being gathered.
#[derive(Default)]
struct Gathered {
    blocks: Vec<Block>,
    keys: Vec<(StackId, Time)>,
    numbers: FxHashMap<(StackId, Time), u32>,
}

impl Gathered {
    fn add(&mut self, living: Living) {
        let Living { address, size, stack, born } = living;
        let keys = &mut self.keys;
        let group = *self.numbers.entry((stack, born)).or_insert_with(|| {
            keys.push((stack, born));
            keys.len() as u32 - 1
        });
        self.blocks.push(Block { address: address.0, size: size.0, group });
    }
}

/// Hands out every live block of a process.
pub(crate) type HandOut<'a> = &'a mut dyn FnMut(Each<'_>) -> Option<Coverage>;
type Each<'a> = &'a mut dyn FnMut(Living);

/// Walks a copy, with the blocks that `living` hands out. The groups in order of stack, birth and root; `None`
/// where nobody knows the blocks.
pub(crate) fn groups(copied: &Copied, living: HandOut<'_>) -> Option<(Coverage, Vec<Group>)> {
    let mut gathered = Gathered::default();
    let coverage = living(&mut |living| gathered.add(living))?;
    let index = Index::new(gathered.blocks);
    let marks = mark(copied, &index, coverage);
    let mut sums: BTreeMap<Key, (u64, u64, u64, u64)> = BTreeMap::new();
    for (at, block) in index.blocks().iter().enumerate() {
        let (stack, born) = gathered.keys[block.group as usize];
        let root = marks.root(at);
        let key = (stack, born, root.map(|Root { kind, base, .. }| (kind, base)));
        let sum = sums.entry(key).or_insert((0, 0, 0, u64::MAX));
        sum.0 += 1;
        sum.1 = sum.1.saturating_add(block.size);
        if let Some(root) = root {
            sum.2 += u64::from(marks.is_interior(at));
            sum.3 = sum.3.min(root.address);
        }
    }
    let groups =
        sums.into_iter().map(|((stack, born, root), (blocks, bytes, interior, address))| {
            let place =
                |(kind, base): (RootKind, Option<u64>)| Place { kind, module: base, address };
            Group { stack, born, root: root.map(place), blocks, bytes: Bytes(bytes), interior }
        });
    Some((coverage, groups.collect()))
}

type Key = (StackId, Time, Option<(RootKind, Option<u64>)>);
