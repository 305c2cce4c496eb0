//! The live blocks of a process in order of address, and which of them an address lies in.

use std::ops::Range;

/// Addresses are looked up in steps of 1 KiB, which hold few blocks.
const STEP: u32 = 10;
/// Blocks that begin farther apart are in regions of their own, so that a few far apart take no memory.
const APART: u64 = 128 << 10;

/// One block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) address: u64,
    /// One of no bytes counts as one.
    pub(super) size: u64,
    /// Which group it is told with.
    pub(super) group: u32,
}

impl Block {
    pub(super) fn end(&self) -> u64 {
        self.address.saturating_add(self.size.max(1))
    }
}

/// All blocks.
pub(super) struct Index {
    blocks: Vec<Block>,
    regions: Vec<Region>,
    /// For each step of a region, the first block that begins in it or later.
    firsts: Vec<u32>,
}

struct Region {
    start: u64,
    end: u64,
    firsts: usize,
}

impl Index {
    pub(super) fn new(mut blocks: Vec<Block>) -> Index {
        blocks.sort_unstable_by_key(|block| block.address);
        // Two blocks cannot have the same bytes: what says so (an unseen free, a trace that was made up) would be walked
        // as often as there are blocks.
        for n in 1..blocks.len() {
            let room = blocks[n].address - blocks[n - 1].address;
            blocks[n - 1].size = blocks[n - 1].size.min(room);
        }
        let mut index = Index { blocks, regions: Vec::new(), firsts: Vec::new() };
        let mut from = 0;
        for n in 0..index.blocks.len() {
            let last = n + 1 == index.blocks.len();
            if last || index.blocks[n + 1].address - index.blocks[n].address > APART {
                index.add_region(from..n + 1);
                from = n + 1;
            }
        }
        index
    }

    fn add_region(&mut self, blocks: Range<usize>) {
        let start = self.blocks[blocks.start].address >> STEP << STEP;
        let end = self.blocks[blocks.clone()].iter().map(Block::end).max().unwrap_or(start);
        self.regions.push(Region { start, end, firsts: self.firsts.len() });
        let mut next = blocks.start;
        // The last of them is looked for by its address: where it ends is of no matter.
        let last = self.blocks[blocks.end - 1].address;
        for step in 0..=(last - start) >> STEP {
            while next < blocks.end && self.blocks[next].address < start + (step << STEP) {
                next += 1;
            }
            self.firsts.push(next as u32);
        }
        self.firsts.push(blocks.end as u32);
    }

    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    pub(super) fn block(&self, at: u32) -> &Block {
        &self.blocks[at as usize]
    }

    /// How many blocks begin before this address.
    fn before(&self, region: usize, address: u64) -> usize {
        let Region { start, firsts, .. } = self.regions[region];
        let until = self.regions.get(region + 1).map_or(self.firsts.len(), |next| next.firsts);
        let step = (firsts + ((address - start) >> STEP) as usize).min(until - 1);
        let from = self.firsts[step] as usize;
        let end = self.firsts[(step + 1).min(until - 1)] as usize;
        from + self.blocks[from..end].partition_point(|block| block.address < address)
    }

    /// The block that an address lies in.
    #[inline]
    pub(super) fn find(&self, address: u64) -> Option<u32> {
        let region = self.regions.partition_point(|region| region.end <= address);
        if self.regions.get(region)?.start > address {
            return None;
        }
        let at = self.before(region, address.checked_add(1)?).checked_sub(1)?;
        let block = self.blocks.get(at)?;
        (address >= block.address && address < block.end()).then_some(at as u32)
    }

    /// Whether any block has a byte in this range.
    pub(super) fn any_within(&self, range: Range<u64>) -> bool {
        let region = self.regions.partition_point(|region| region.end <= range.start);
        match self.regions.get(region) {
            None => false,
            Some(of) if of.start >= range.start => {
                let firsts = of.firsts;
                self.blocks
                    .get(self.firsts[firsts] as usize)
                    .is_some_and(|first| first.address < range.end)
            }
            Some(_) => {
                self.find(range.start).is_some() || {
                    let next = self.before(region, range.start);
                    self.blocks.get(next).is_some_and(|block| block.address < range.end)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_block_ends_where_the_next_begins() {
        let block = |address, size| Block { address, size, group: 0 };
        let index = Index::new(vec![block(0x1000, u64::MAX), block(0x2000, 64), block(0x9000, 8)]);
        let sizes: Vec<u64> = index.blocks().iter().map(|block| block.size).collect();
        assert_eq!(sizes, [0x1000, 64, 8]);
        assert_eq!(index.find(0x1fff), Some(0));
        assert_eq!(index.find(0x2040), None);
    }

    proptest! {
        /// As the plain way has it, near blocks and far apart.
        #[test]
        fn any_address_is_found(
            steps in prop::collection::vec((prop_oneof![0_u64..100, 0_u64..5000, (20_u64..40).prop_map(|n| n << 20)], 0_u64..3000), 0..60),
            asked in prop::collection::vec((0_usize..60, -4000_i64..4000, 1_u64..5000), 1..60),
        ) {
            let (mut blocks, mut at) = (Vec::new(), 1 << 20);
            for (gap, size) in steps {
                at += gap;
                let block = Block { address: at, size, group: 0 };
                at = block.end();
                blocks.push(block);
            }
            let index = Index::new(blocks.clone());
            for (near, off, length) in asked {
                let near = blocks.get(near).map_or(at, |block| block.address);
                let address = near.saturating_add_signed(off);
                let holds = |block: &Block| (block.address..block.end()).contains(&address);
                let found = index.find(address).map(|at| *index.block(at));
                prop_assert_eq!(found, blocks.iter().find(|block| holds(block)).copied());
                let range = address..address + length;
                let any = blocks.iter().any(|b| b.address < range.end && b.end() > range.start);
                prop_assert_eq!(index.any_within(range), any);
            }
        }
    }
}
