//! What lives of each stack, in both bases until one is settled: UMDH lists equal stacks once for each of
//! its numbers, and once for each heap; here they are one.

use std::collections::BTreeMap;

use super::base::{Base, Number};
use crate::event::{Bytes, Snapshot, StackId};

/// Blocks and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Live {
    pub blocks: u64,
    pub bytes: u64,
}

/// One quantity of blocks and bytes, read both ways: hexadecimal, decimal.
pub(super) type Both = [Live; 2];

/// The blocks and bytes that two numbers are.
pub(super) fn both(blocks: Number, bytes: Number) -> Both {
    [Base::Hex, Base::Decimal]
        .map(|base| Live { blocks: blocks.in_base(base), bytes: bytes.in_base(base) })
}

/// The same of one block.
pub(super) fn one(bytes: Number) -> Both {
    both(Number { hex: Some(1), decimal: Some(1) }, bytes)
}

/// The sums of one or two snapshots.
#[derive(Debug, Default)]
pub(super) struct Sums {
    of: BTreeMap<StackId, [Both; 2]>,
}

impl Sums {
    /// Adds to a stack: what lived in the first snapshot, and in the second.
    pub(super) fn add(&mut self, stack: StackId, live: [Both; 2]) {
        let sums = self.of.entry(stack).or_default();
        for (sum, more) in sums.iter_mut().flatten().zip(live.iter().flatten()) {
            sum.blocks = sum.blocks.saturating_add(more.blocks);
            sum.bytes = sum.bytes.saturating_add(more.bytes);
        }
    }

    /// One of the snapshots, in one base.
    pub(super) fn snapshot(&self, number: u32, base: Base) -> impl Iterator<Item = Snapshot> {
        self.of.iter().map(move |(&stack, live)| {
            let both = live[usize::from(number > 0)];
            let Live { blocks, bytes } = both[usize::from(base == Base::Decimal)];
            Snapshot { number, stack, blocks, bytes: Bytes(bytes) }
        })
    }
}
