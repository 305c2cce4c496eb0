//! Stacks as nodes of a tree. A stack that was seen before costs one look-up: by the hash of its addresses as they lie in
//! the file, in a table of the process that is forgotten when the process's images change.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use xxhash_rust::xxh3::xxh3_64;

use super::mappings::Mappings;
use super::record::{Ticks, Width};
use super::stackwalk::{Addresses, MOST_FRAMES};
use crate::event::{Address, Frame, StackId, StackNode, Trust};

/// At most so many stacks of a process are remembered by their bytes.
const REMEMBERED: usize = 1 << 20;

/// The stacks of one process by the hash of their bytes.
pub type Remembered = FxHashMap<u64, Option<StackId>>;

/// The tree.
#[derive(Debug)]
pub struct Stacks {
    nodes: FxHashMap<StackNode, StackId>,
    next: u32,
    /// Nodes that were not told yet.
    fresh: VecDeque<StackNode>,
    told: u32,
    /// Frames that lie in no image.
    pub homeless: u64,
}

impl Default for Stacks {
    fn default() -> Self {
        let first = StackId::FIRST.0;
        let nodes = FxHashMap::default();
        Stacks { nodes, next: first, fresh: VecDeque::new(), told: first, homeless: 0 }
    }
}

impl Stacks {
    /// The stack of these frames without those in the kernel; `None` where no others are there.
    #[inline]
    pub fn of(
        &mut self,
        frames: Addresses<'_>,
        at: Ticks,
        mappings: &Mappings,
        remembered: &mut Remembered,
    ) -> Option<StackId> {
        if !mappings.unchanged_since(at) {
            return self.build(frames, at, mappings);
        }
        let hash = xxh3_64(frames.bytes);
        match remembered.get(&hash) {
            Some(stack) => *stack,
            None => {
                let stack = self.build(frames, at, mappings);
                if remembered.len() >= REMEMBERED {
                    remembered.clear();
                }
                remembered.insert(hash, stack);
                stack
            }
        }
    }

    #[cold]
    fn build(&mut self, frames: Addresses<'_>, at: Ticks, mappings: &Mappings) -> Option<StackId> {
        let ends = frames.iter().len() < MOST_FRAMES;
        let mut stack = if ends { StackId::COMPLETE } else { StackId::TRUNCATED };
        let user = frames.iter().filter(|address| !in_kernel(*address, frames.width, at, mappings));
        for address in user.rev() {
            let found = mappings.find(Address(address), at);
            self.homeless += u64::from(found.is_none());
            let (module, offset) = found.map_or((None, address), |(id, offset)| (Some(id), offset));
            let frame = Frame { module, offset, trust: Trust::Recorded };
            stack = self.node(StackNode { caller: stack, frame });
        }
        (!stack.is_root()).then_some(stack)
    }

    fn node(&mut self, node: StackNode) -> StackId {
        // Ids of 32 bits are enough for a tree that fits into memory.
        *self.nodes.entry(node).or_insert_with(|| {
            self.fresh.push_back(node);
            self.next += 1;
            StackId(self.next - 1)
        })
    }

    /// Whether nodes have to be told before this stack is.
    #[inline]
    pub fn is_untold(&self, stack: StackId) -> bool {
        stack.0 >= self.told
    }

    /// Takes the nodes that have to be told before this stack is.
    #[cold]
    pub fn untold(&mut self, stack: StackId) -> impl Iterator<Item = StackNode> + '_ {
        let count = (stack.0 + 1).saturating_sub(self.told) as usize;
        let count = if stack.is_root() { 0 } else { count.min(self.fresh.len()) };
        self.told += count as u32;
        self.fresh.drain(..count)
    }
}

/// Whether an address is in the kernel. On 32-bit systems a large program may have the third gigabyte, too.
pub fn in_kernel(address: u64, width: Width, at: Ticks, mappings: &Mappings) -> bool {
    match width {
        Width::Bits64 => address >> 63 != 0,
        Width::Bits32 => address >= 0x8000_0000 && mappings.find(Address(address), at).is_none(),
    }
}
