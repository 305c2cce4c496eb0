//! The live blocks of one process, by address. 32 bytes a block in 64 tables, so that growth
//! doubles one sixty-fourth at a time and never everything at once. It knows nothing of sites
//! beyond their number, and judges nothing: an occupied address is handed back to the caller.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rustc_hash::{FxHashMap, FxHashSet};

use super::sites::SiteId;
use crate::event::{Address, Bytes, Time};

const SHARDS: usize = 64;

/// One live block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Where it begins.
    pub address: Address,
    /// When it was allocated.
    pub born: Time,
    /// Its size as requested.
    pub size: Bytes,
    /// Its site.
    pub site: SiteId,
    /// The number of its heap within the process, and the taint.
    heap: u32,
}

/// The taint is kept in the heap number's top bit, so that a block stays at 32 bytes.
const TAINTED: u32 = 1 << 31;

impl Block {
    pub(super) fn new(address: Address, born: Time, size: Bytes, site: SiteId, heap: u32) -> Self {
        Block { address, born, size, site, heap: heap & !TAINTED }
    }

    /// The number of its heap within the process.
    pub(super) fn heap(&self) -> u32 {
        self.heap & !TAINTED
    }

    /// Whether it was allocated where another block still seemed to live: a free was not seen
    /// there, or came too late. What follows at this address accuses nobody.
    pub(super) fn tainted(&self) -> bool {
        self.heap & TAINTED != 0
    }

    pub(super) fn taint(&mut self) {
        self.heap |= TAINTED;
    }
}

/// The addresses of each heap's blocks. Sets without order: most programs of Windows have all their blocks in heaps, and
/// each comes and goes here.
type ByHeap = FxHashMap<u32, FxHashSet<Address>>;

/// The block map of one process.
#[derive(Debug)]
pub(super) struct Blocks {
    shards: Box<[HashTable<Block>]>,
    len: usize,
    /// Blocks of other heaps than the default one, which is never destroyed.
    by_heap: ByHeap,
}

impl Default for Blocks {
    fn default() -> Self {
        Blocks {
            shards: (0..SHARDS).map(|_| HashTable::new()).collect(),
            len: 0,
            by_heap: ByHeap::default(),
        }
    }
}

impl Blocks {
    /// Puts a block in; gives back the one that was at its address.
    #[inline]
    pub(super) fn insert(&mut self, block: Block) -> Option<Block> {
        let hash = place(block.address);
        let same = |b: &Block| b.address == block.address;
        let shard = &mut self.shards[shard(hash)];
        if shard.len() == shard.capacity() {
            sweep(shard);
        }
        match shard.entry(hash, same, |b| place(b.address)) {
            Entry::Occupied(mut old) => {
                let mut block = block;
                block.taint();
                let old = std::mem::replace(old.get_mut(), block);
                leave(&mut self.by_heap, &old);
                enter(&mut self.by_heap, &block);
                Some(old)
            }
            Entry::Vacant(free) => {
                free.insert(block);
                self.len += 1;
                enter(&mut self.by_heap, &block);
                None
            }
        }
    }

    /// The block at this address.
    pub(super) fn get(&self, address: Address) -> Option<&Block> {
        let hash = place(address);
        self.shards[shard(hash)].find(hash, |b| b.address == address)
    }

    /// Takes the block at this address out.
    #[inline]
    pub(super) fn remove(&mut self, address: Address) -> Option<Block> {
        let hash = place(address);
        let found = self.shards[shard(hash)].find_entry(hash, |b| b.address == address).ok()?;
        self.len -= 1;
        let block = found.remove().0;
        leave(&mut self.by_heap, &block);
        Some(block)
    }

    /// Takes every block of a heap out, in order of address; none of the default heap. Costs no more
    /// than they do, however many blocks other heaps have.
    pub(super) fn destroy(&mut self, heap: u32) -> Vec<Block> {
        let of = self.by_heap.remove(&heap).unwrap_or_default();
        let mut addresses: Vec<Address> = of.into_iter().collect();
        addresses.sort_unstable();
        addresses.into_iter().filter_map(|address| self.remove(address)).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All live blocks, in no order that means anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Block> {
        self.shards.iter().flat_map(|shard| shard.iter())
    }
}

/// What is taken out leaves a mark behind, and marks fill a table as blocks do. hashbrown then doubles
/// a table that is no more than half full of blocks, so that under churn a block came to take 140
/// bytes (seen at 10^6 blocks after 30 x 10^6 events; `tests/memory.rs`). A table that is less
/// than three quarters full of blocks is filled anew instead: at most 100 bytes a block, and at
/// most four moves for each block put in.
#[cold]
fn sweep(shard: &mut HashTable<Block>) {
    // hashbrown fills seven of eight buckets.
    let full = shard.num_buckets() / 8 * 7;
    if shard.len() < full / 4 * 3 {
        let all: Vec<Block> = shard.drain().collect();
        for block in all {
            shard.insert_unique(place(block.address), block, |b| place(b.address));
        }
    }
}

#[inline]
fn enter(by_heap: &mut ByHeap, block: &Block) {
    if block.heap() != 0 {
        by_heap.entry(block.heap()).or_default().insert(block.address);
    }
}

#[inline]
fn leave(by_heap: &mut ByHeap, block: &Block) {
    if block.heap() != 0
        && let Some(of) = by_heap.get_mut(&block.heap())
    {
        of.remove(&block.address);
    }
}

/// hashbrown takes a bucket from the low bits and a tag from the top seven; the shard is taken
/// from the six below those, so that all three are independent.
#[inline]
fn shard(hash: u64) -> usize {
    (hash >> 51) as usize & (SHARDS - 1)
}

/// Where a block lies in the table: blocks that are neighbours in memory are neighbours there, since they
/// are mostly allocated, and freed, one after the other, and each would be a page of its own to fetch.
/// A page of the program has 256 places from a random one on, so that pages overlap evenly; the tag
/// tells neighbours apart.
#[inline]
fn place(address: Address) -> u64 {
    const TAG: u32 = 57;
    let granule = address.0 >> 4;
    let at = hash(Address(granule >> 8)).wrapping_add(granule & 0xff);
    at & ((1 << TAG) - 1) | hash(address) >> TAG << TAG
}

/// Addresses differ in few bits and are multiples of 16: one widening multiplication spreads them.
#[inline]
pub(super) fn hash(address: Address) -> u64 {
    let wide = u128::from(address.0 ^ 0x9e37_79b9_7f4a_7c15) * 0xa076_1d64_78bd_642f_u128;
    (wide as u64) ^ ((wide >> 64) as u64)
}
