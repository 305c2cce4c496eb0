//! What a pair of malloc and free costs in the table of young blocks and in the tallies: the two
//! structures that every pair passes. `cargo bench -p unfreed-agent --bench young`.

/// Runs the benchmarks of this file.
pub fn main() {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    linux::measure();
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod linux {
    use std::hint::black_box;
    use std::sync::atomic::AtomicU32;
    use std::time::Duration;

    use divan::Bencher;
    use unfreed_agent::tally::{Died, Tallies};
    use unfreed_agent::young::{Block, Young};
    use unfreed_wire::{Bucket, Size, Tally};

    const BUCKETS: usize = 1 << 14;
    const TALLIES: usize = 1 << 12;

    pub fn measure() {
        divan::Divan::default().color(false).max_time(Duration::from_secs(1)).run_benches();
    }

    /// So many zeroed, which is how both tables begin; never given back.
    fn zeroed<T>(count: usize) -> *const T {
        let layout =
            std::alloc::Layout::array::<T>(count).unwrap_or(std::alloc::Layout::new::<T>());
        // SAFETY: neither type has no size; all zero is a value of both.
        let first = unsafe { std::alloc::alloc_zeroed(layout) };
        assert!(!first.is_null());
        first.cast()
    }

    fn young(own: u32) -> Young {
        Young { first: zeroed::<Bucket>(BUCKETS), shift: 64 - BUCKETS.ilog2(), own }
    }

    fn pair(young: Young, address: u64, now: u64) -> bool {
        let (Some(place), Some(size)) = (young.place(address, 1), Size::new(72, 1000)) else {
            return false;
        };
        let block = Block { stamp: now, stack: 0x1234_5678_9abc, size, function: 1 };
        black_box(young.insert(place, block));
        black_box(young.take(place, now, 0x40_0000));
        true
    }

    /// The same address again and again, in a way of the thread's own and in one that is shared.
    #[divan::bench(args = [0, 5])]
    fn one_address(bencher: Bencher<'_, '_>, own: u32) {
        let young = young(own);
        bencher.bench_local(|| assert!(pair(young, black_box(0x5555_0000_1230), 1_000_000)));
    }

    /// Addresses in turn, as many as a busy heap has.
    #[divan::bench(args = [1_000, 100_000])]
    fn addresses_in_turn(bencher: Bencher<'_, '_>, addresses: u64) {
        let young = young(0);
        let mut next = 0;
        bencher.bench_local(|| {
            next = (next + 1) % addresses;
            assert!(pair(young, 0x5555_0000_0000 + next * 96, 1_000_000));
        });
    }

    /// Blocks of so many stacks in turn are counted.
    #[divan::bench(args = [1, 500, 2_000])]
    fn count(bencher: Bencher<'_, '_>, stacks: u64) {
        let (first, mask) = (zeroed::<Tally>(TALLIES), AtomicU32::new(Tally::FIRST - 1));
        let tallies = Tallies { first, mask: &mask, most: TALLIES as u32 - 1 };
        let mut next = 0u64;
        bencher.bench_local(|| {
            next = (next + 1) % stacks;
            let stack = (next + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            black_box(tallies.count(&Died { stack, bytes: 72, lived: 0 }))
        });
    }
}
