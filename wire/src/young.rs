//! The table of young blocks: where a block is until it is freed or has grown old enough to be told.
//!
//! A block lies in the bucket that its address and process name, in one of five ways. Whoever frees
//! it finds it there, on whichever thread; what is still there after a while the collector takes.
//!
//! ```text
//! bucket, 192 bytes
//!   0   last      newest stamp that left this bucket for a ring: later ones here are greater
//!   8   told[2]   which addresses may be known to the collector: a bit for the hash of each, in
//!                 a word that is the hash's, too; where a sample is told, in one of two that change roles
//!  24   key[5]
//!  64   block[5]  stamp, stack hash, size and thread
//!
//! key    bits  0..44 address / 8 | 44..60 index of the process plus one | 60..64 state
//! state  0 freed, 1 to 14 the allocating function of a live block, 15 somebody is changing it
//! size   bits  0..40 bytes | 40..64 thread id
//! ```
//!
//! A key of 0 is an empty way. Each of the first ways belongs to one writer, who alone puts blocks
//! there; the others take a way by compare-and-swap. A live key is taken by compare-and-swap only.

use core::sync::atomic::AtomicU64;

/// One bucket.
#[repr(C, align(64))]
pub struct Bucket {
    /// Newest stamp that left this bucket for a ring.
    pub last: AtomicU64,
    /// Bits of the blocks that the collector may know: set before it takes one from the table.
    pub told: [AtomicU64; 2],
    /// A [`Key`] each.
    pub keys: [AtomicU64; Bucket::WAYS],
    /// What each key stands for.
    pub blocks: [YoungBlock; Bucket::WAYS],
    reserved: u64,
}

impl Bucket {
    /// Blocks that fit.
    pub const WAYS: usize = 5;
    /// The first ways belong to the writers of these numbers.
    pub const OWNED: usize = 3;
}

const _: () = assert!(size_of::<Bucket>() == 192);

/// What a key stands for; in a freed way, the tombstone.
#[repr(C)]
pub struct YoungBlock {
    /// When it was allocated; freed, where it was.
    pub stamp: AtomicU64,
    /// The hash of its stack.
    pub stack: AtomicU64,
    /// A [`Size`]; in a tombstone, where the free was called from.
    pub size: AtomicU64,
}

const ADDRESS_BITS: u32 = 44;
const PROCESS_BITS: u32 = 16;
const STATE_SHIFT: u32 = ADDRESS_BITS + PROCESS_BITS;
const STATE_MASK: u64 = 0xf << STATE_SHIFT;

/// An address in a process and what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(pub u64);

/// What a way holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Empty,
    /// A block was freed there.
    Freed,
    /// A block, by the function of this number.
    Live(u8),
    /// Somebody is changing it.
    Changing,
}

impl Key {
    /// Nothing.
    pub const EMPTY: Key = Key(0);

    /// The key of a freed block, where the address fits: aligned to 8 and below 2^47.
    #[inline(always)]
    pub const fn new(address: u64, process: u32) -> Option<Key> {
        if address & 7 != 0 || address >> (ADDRESS_BITS + 3) != 0 || address == 0 {
            return None;
        }
        Some(Key(address >> 3 | (process as u64) << ADDRESS_BITS))
    }

    /// The same with a state: 0 freed, 1 to 14 a function, 15 changing.
    #[inline(always)]
    pub const fn with(self, state: u8) -> Key {
        Key(self.0 & !STATE_MASK | (state as u64) << STATE_SHIFT)
    }

    /// The same while somebody is changing it.
    #[inline(always)]
    pub const fn changing(self) -> Key {
        self.with(15)
    }

    /// Whether both name the same place.
    #[inline(always)]
    pub const fn is_at(self, other: Key) -> bool {
        // The state is what lies highest.
        (self.0 ^ other.0) << (64 - STATE_SHIFT) == 0
    }

    /// Whether it is empty, or of a freed block.
    #[inline(always)]
    pub const fn has_no_block(self) -> bool {
        self.0 >> STATE_SHIFT == 0
    }

    /// What is there.
    #[inline(always)]
    pub const fn state(self) -> State {
        match (self.0, (self.0 >> STATE_SHIFT) as u8) {
            (0, _) => State::Empty,
            (_, 0) => State::Freed,
            (_, 15) => State::Changing,
            (_, function) => State::Live(function),
        }
    }

    /// The address.
    pub const fn address(self) -> u64 {
        (self.0 & ((1 << ADDRESS_BITS) - 1)) << 3
    }

    /// The index of the process plus one.
    pub const fn process(self) -> u32 {
        (self.0 >> ADDRESS_BITS) as u32 & ((1 << PROCESS_BITS) - 1)
    }

    /// Its highest bits name the bucket, its lowest seven the word and the bit in `told`.
    ///
    /// Blocks that lie side by side have buckets side by side: what a program uses together lies together
    /// here, and who goes on to fresh addresses goes on to the next buckets. Where the table has been
    /// gone through once it goes on a few buckets further: or of blocks of equal sizes, which are often
    /// powers of two, many would share a bucket and others would have none.
    #[inline(always)]
    pub const fn hash(self) -> u64 {
        /// The smallest block of common allocators has 4 words of 8 bytes, one bucket.
        const BLOCK_BITS: u32 = 2;
        /// As many buckets as the table usually has.
        const BUCKET_BITS: u32 = 14;
        /// So many less than there are buckets is a prime: sizes that come back to the same buckets are
        /// few and large.
        const FURTHER: u64 = 3;
        /// What tells processes apart that have the same addresses, being forks.
        const OF_PROCESS: u64 = 5077;
        let key = self.0 & !STATE_MASK;
        let through = key >> (BLOCK_BITS + BUCKET_BITS);
        let bucket = (key >> BLOCK_BITS)
            .wrapping_add(through.wrapping_mul(FURTHER))
            .wrapping_add((key >> ADDRESS_BITS).wrapping_mul(OF_PROCESS));
        let spread = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        bucket << (64 - BUCKET_BITS) | (spread >> BUCKET_BITS ^ spread >> 57)
    }
}

impl Key {
    /// The word of `told` that holds the bit, where the two have no roles.
    #[inline(always)]
    pub const fn told_word(self) -> usize {
        (self.hash() >> 6) as usize & 1
    }

    /// The bit in `told` that stands for this place, among others.
    #[inline(always)]
    pub const fn told_bit(self) -> u64 {
        1 << (self.hash() & 63)
    }
}

const SIZE_BITS: u32 = 40;

/// The size of a block and the thread that allocated it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl Size {
    /// Both in one word, where they fit: 1 TiB, and the 22 bits that Linux gives to thread ids.
    #[inline(always)]
    pub const fn new(bytes: u64, tid: u32) -> Option<Size> {
        if bytes >> SIZE_BITS != 0 {
            return None;
        }
        Some(Size(bytes | (tid as u64) << SIZE_BITS))
    }

    /// The size.
    #[inline(always)]
    pub const fn bytes(self) -> u64 {
        self.0 & ((1 << SIZE_BITS) - 1)
    }

    /// The thread.
    pub const fn tid(self) -> u32 {
        (self.0 >> SIZE_BITS) as u32
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// The most blocks of a bucket, where so many lie at equal distances.
    fn fullest(blocks: u64, distance: u64) -> u32 {
        let mut counts = [0u32; 1 << 14];
        for n in 0..blocks {
            let key = Key::new(0x5555_5555_9010 + n * distance, 1).unwrap();
            counts[(key.hash() >> 50) as usize] += 1;
        }
        counts.into_iter().max().unwrap()
    }

    #[test]
    fn blocks_of_one_size_do_not_share_buckets() {
        let powers = (5..21).map(|power| 1 << power);
        for distance in powers.chain([48, 80, 112, 1040, 4112, 20_016, 23_824, 24_208, 47_648]) {
            let most = fullest(1000, distance);
            assert!(most <= 2, "{most} of 1,000 blocks {distance} bytes apart");
        }
    }

    #[test]
    fn neighbours_have_neighbouring_buckets() {
        let bucket = |n: u64| Key::new(0x5555_5555_9010 + n * 32, 1).unwrap().hash() >> 50;
        assert!((0..1000).all(|n| (bucket(n + 1) - bucket(n)) & 0x3fff <= 4));
    }

    #[test]
    fn forks_have_buckets_of_their_own() {
        let bucket = |process| Key::new(0x5555_5555_9010, process).unwrap().hash() >> 50;
        let mut buckets: [u64; 100] = core::array::from_fn(|process| bucket(process as u32 + 1));
        buckets.sort_unstable();
        assert!(buckets.is_sorted_by(|one, next| one < next));
    }
}
