//! The table of young blocks: most die before anybody must be told of them.
//!
//! *Order.* Times are coarse, so what happens at one address is ordered by its bucket: every stamp
//! that leaves the bucket for a ring raises `last`, and every stamp made in it is greater. Whoever
//! is given an address by the allocator sees the `last` of whoever gave it back, since the
//! allocator itself synchronised the two.
//!
//! *Ways.* The first writers each own a way in every bucket and put blocks there with plain stores:
//! nobody else fills an empty or freed way of theirs. The other ways are taken by compare-and-swap,
//! and so is a live block from any way, as its free and the collector may meet.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering::*};

use unfreed_wire::{Bucket, Key, Size, State};

/// Where the table lies, for this thread.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Young {
    /// The first bucket.
    pub first: *const Bucket,
    /// How far a hash is shifted to the right to name a bucket.
    pub shift: u32,
    /// The way that this thread owns; [`Bucket::WAYS`] where it owns none.
    pub own: u32,
}

/// A block as the table has it.
#[derive(Clone, Copy)]
pub struct Block {
    /// When it was allocated; in a tombstone, freed.
    pub stamp: u64,
    /// The hash of the stack that allocated it; 0 where that is not known.
    pub stack: u64,
    /// How large it is, and by which thread; in a tombstone, where the free was called from.
    pub size: Size,
    /// The function it was allocated by; 0 in a tombstone.
    pub function: u8,
}

/// The place of an address in the table.
#[derive(Clone, Copy)]
pub struct Place {
    bucket: &'static Bucket,
    key: Key,
    bit: u64,
    word: u8,
}

/// What became of a block that was to be put into the table.
pub enum Inserted {
    /// It is there.
    Here,
    /// There was no room, or it must be told.
    Not,
    /// It must be told, and before it this one, which lived at its address.
    Displacing(Block),
}

/// What was found at an address that is being freed.
pub enum Found {
    /// A young block, which is no longer there.
    Young(Block),
    /// A block was freed there not long ago, and none that the table knows since.
    FreedBefore(Block),
    /// Nothing.
    Nothing,
}

impl Young {
    /// The place of an address of this process.
    #[inline(always)]
    pub fn place(self, address: u64, process: u32) -> Option<Place> {
        let key = Key::new(address, process)?;
        let hash = key.hash();
        // SAFETY: the shift leaves as many bits as there are buckets; the mapping is never undone.
        let bucket = unsafe { &*self.first.add((hash >> self.shift) as usize) };
        Some(Place { bucket, key, bit: 1 << (hash & 63), word: (hash >> 6) as u8 & 1 })
    }

    /// Puts a block that was just allocated into the table; whether that could be done.
    #[inline(always)]
    pub fn insert(self, place: Place, block: Block) -> Inserted {
        let Place { bucket, key, .. } = place;
        let own = self.own as usize;
        let mut there = 0u32;
        for word in &bucket.keys {
            there += Key(word.load(Acquire)).is_at(key) as u32;
        }
        let stamp = block.stamp.max(bucket.last.load(Relaxed) + 1);
        let block = Block { stamp, ..block };
        // The address's own tombstone in our way is no obstacle: the block takes its place. Whether
        // the address may be told is asked after the keys: the collector says so before it takes one.
        if let Some(word) = bucket.keys.get(own) {
            let seen = Key(word.load(Relaxed));
            if is_free(seen) && there == seen.is_at(key) as u32 && !place.is_told() {
                put(bucket, own, key, block);
                return Inserted::Here;
            }
        }
        self.insert_elsewhere(place, block)
    }

    #[cold]
    #[inline(never)]
    fn insert_elsewhere(self, place: Place, block: Block) -> Inserted {
        let Place { bucket, key, .. } = place;
        for (way, word) in bucket.keys.iter().enumerate() {
            let seen = Key(word.load(Acquire));
            match seen.state() {
                _ if !seen.is_at(key) => {}
                // Its tombstone: the address lives again.
                State::Freed => drop(swap(word, seen, Key::EMPTY)),
                // What lives there was freed unseen. Both are told, and the ledger closes the first.
                State::Live(function) if swap(word, seen, key.changing()) => {
                    let old = get(bucket, way, function);
                    word.store(Key::EMPTY.0, Release);
                    return Inserted::Displacing(old);
                }
                // The collector has just taken it, or it was abandoned.
                State::Live(_) | State::Changing => return Inserted::Not,
                State::Empty => {}
            }
        }
        if place.is_told() {
            return Inserted::Not;
        }
        let own = self.own as usize;
        if own < Bucket::OWNED && is_free(Key(bucket.keys[own].load(Relaxed))) {
            put(bucket, own, key, block);
            return Inserted::Here;
        }
        for (way, word) in bucket.keys.iter().enumerate().skip(Bucket::OWNED) {
            let seen = Key(word.load(Relaxed));
            if is_free(seen) && swap(word, seen, key.changing()) {
                put(bucket, way, key, block);
                return Inserted::Here;
            }
        }
        Inserted::Not
    }

    /// Takes the block at an address out of the table and leaves a tombstone that says where it is
    /// being freed from.
    #[inline(always)]
    pub fn take(self, place: Place, now: u64, from: u64) -> Found {
        place.prefetch();
        let Place { bucket, key, .. } = place;
        let mut freed = None;
        for (way, word) in bucket.keys.iter().enumerate() {
            let seen = Key(word.load(Relaxed));
            if !seen.is_at(key) {
                continue;
            }
            match seen.state() {
                State::Live(function) if swap(word, seen, key.changing()) => {
                    let block = get(bucket, way, function);
                    bury(bucket, way, key, now, from);
                    return Found::Young(block);
                }
                State::Freed => {
                    let block = get(bucket, way, 0);
                    let newer = |(_, _, other): &(_, _, Block)| block.stamp >= other.stamp;
                    if freed.as_ref().is_none_or(newer) {
                        freed = Some((word, seen, block));
                    }
                }
                _ => {}
            }
        }
        match freed {
            // Unless its way was taken while it was read.
            Some((word, seen, block)) if Key(word.load(Acquire)) == seen => {
                Found::FreedBefore(block)
            }
            _ => Found::Nothing,
        }
    }

    /// Leaves a tombstone for a block that was not young, where there is room.
    #[inline(never)]
    pub fn bury(self, place: Place, now: u64, from: u64) {
        let Place { bucket, key, .. } = place;
        let own = self.own as usize;
        let mut way = Bucket::WAYS;
        if own < Bucket::OWNED && is_free(Key(bucket.keys[own].load(Relaxed))) {
            way = own;
        } else {
            for shared in Bucket::OWNED..Bucket::WAYS {
                let seen = Key(bucket.keys[shared].load(Relaxed));
                if is_free(seen) && swap(&bucket.keys[shared], seen, key.changing()) {
                    way = shared;
                    break;
                }
            }
        }
        if way < Bucket::WAYS {
            bucket.blocks[way].stack.store(0, Relaxed);
            bury(bucket, way, key, now, from);
        }
    }

    /// Takes the tombstones of an address away: a block that is told lives there now.
    #[cold]
    pub fn exhume(self, place: Place) {
        let Place { bucket, key, .. } = place;
        for word in &bucket.keys {
            let seen = Key(word.load(Acquire));
            if seen.is_at(key) && seen.state() == State::Freed {
                swap(word, seen, Key::EMPTY);
            }
        }
    }
}

impl Place {
    /// Has the bucket come nearer while something else is done.
    #[inline(always)]
    pub fn prefetch(self) {
        fetch_to_write(self.bucket);
        fetch_to_write(&self.bucket.blocks);
    }

    /// Whether the collector may know a block here, where it knows survivors.
    #[inline(always)]
    pub fn is_told(self) -> bool {
        self.bucket.told[self.word as usize & 1].load(Relaxed) & self.bit != 0
    }

    /// Whether the collector may know a block here, where it knows a sample.
    #[inline(always)]
    pub fn may_be_told(self) -> bool {
        let [one, other] = &self.bucket.told;
        (one.load(Relaxed) | other.load(Relaxed)) & self.bit != 0
    }

    /// Whether a block of the table lives here.
    #[inline(always)]
    pub fn is_live(self) -> bool {
        self.bucket.keys.iter().any(|word| {
            let seen = Key(word.load(Relaxed));
            seen.is_at(self.key) && matches!(seen.state(), State::Live(_))
        })
    }

    /// The collector goes on knowing a block here.
    pub fn is_told_again(self) {
        self.bucket.told[self.word as usize & 1].fetch_or(self.bit, AcqRel);
    }

    /// The collector will know a block here.
    pub fn will_be_told(self, word: u32) {
        self.bucket.told[word as usize & 1].fetch_or(self.bit, AcqRel);
    }

    /// A block that the collector knows is freed. Another one that it knows may have had the same bit:
    /// the collector sets it again.
    pub fn is_told_no_more(self) {
        if self.is_told() {
            self.bucket.told[self.word as usize & 1].fetch_and(!self.bit, AcqRel);
        }
    }

    /// A stamp for what goes into a ring, no earlier than this: greater than any before in this bucket,
    /// less than any later.
    pub fn told_stamp(self, now: u64) -> u64 {
        let mut last = self.bucket.last.load(Relaxed);
        loop {
            // One more: what is in the table may have been stamped with the least that `insert` gives.
            let stamp = now.max(last + 1) + 1;
            match self.bucket.last.compare_exchange_weak(last, stamp, AcqRel, Relaxed) {
                Ok(_) => return stamp,
                Err(other) => last = other,
            }
        }
    }
}

/// A hint, no access.
#[inline(always)]
fn fetch_to_write<T>(at: *const T) {
    // SAFETY: touches no register and no flag; a processor without the instruction takes it for none.
    unsafe { asm!("prefetchw [{}]", in(reg) at, options(nostack, preserves_flags, readonly)) };
}

/// Whether a way may be filled: it is empty, or holds a tombstone.
#[inline(always)]
fn is_free(key: Key) -> bool {
    key.has_no_block()
}

#[inline(always)]
fn put(bucket: &Bucket, way: usize, key: Key, block: Block) {
    let at = &bucket.blocks[way];
    at.stamp.store(block.stamp, Relaxed);
    at.stack.store(block.stack, Relaxed);
    at.size.store(block.size.0, Relaxed);
    bucket.keys[way].store(key.with(block.function).0, Release);
}

#[inline(always)]
fn get(bucket: &Bucket, way: usize, function: u8) -> Block {
    let at = &bucket.blocks[way];
    Block {
        stamp: at.stamp.load(Relaxed),
        stack: at.stack.load(Relaxed),
        size: Size(at.size.load(Relaxed)),
        function,
    }
}

#[inline(always)]
fn bury(bucket: &Bucket, way: usize, key: Key, now: u64, from: u64) {
    let at = &bucket.blocks[way];
    at.stamp.store(now, Relaxed);
    at.size.store(from, Relaxed);
    bucket.keys[way].store(key.with(0).0, Release);
}

#[inline(always)]
fn swap(word: &AtomicU64, from: Key, to: Key) -> bool {
    word.compare_exchange(from.0, to.0, AcqRel, Relaxed).is_ok()
}
