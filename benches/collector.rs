//! What a record costs in each structure that it passes in the collector. `cargo bench --bench
//! collector` prints nanoseconds and records per second; what they come to together, with the
//! trace's writer or the ledger behind them, `cargo bench --bench agent -- collector` measures.

fn main() {
    #[cfg(target_os = "linux")]
    linux::measure();
}

#[cfg(target_os = "linux")]
mod linux {
    use divan::Bencher;
    use divan::counter::ItemsCount;
    use unfreed::collect::agent::hot::{Known, Order, Ring};

    const RECORDS: u64 = 50_000;

    pub fn measure() {
        divan::main();
    }

    /// Half a ring of allocations.
    #[divan::bench]
    fn drain(bencher: Bencher<'_, '_>) {
        let ring = Ring::create().unwrap_or_else(|error| panic!("no shared memory: {error}"));
        bencher
            .counter(ItemsCount::new(RECORDS))
            .with_inputs(|| ring.fill(RECORDS))
            .bench_local_values(|()| assert_eq!(ring.drain(), RECORDS));
    }

    /// One ring; two and 32 in runs of 16, and record by record, which is the worst.
    #[divan::bench(args = [(1, 1), (2, 16), (2, 1), (32, 16), (32, 1)])]
    fn merge(bencher: Bencher<'_, '_>, (rings, run): (u32, u64)) {
        let mut order = Order::default();
        bencher
            .counter(ItemsCount::new(RECORDS))
            .bench_local(|| assert_eq!(order.pass(RECORDS, rings, run), RECORDS as usize));
    }

    /// Blocks become known and are freed again, beside so many that live.
    #[divan::bench(args = [0, 100_000, 2_000_000])]
    fn told(bencher: Bencher<'_, '_>, live: u64) {
        let mut known = Known::create().unwrap_or_else(|error| panic!("no shared memory: {error}"));
        known.allocated(0..live);
        bencher.counter(ItemsCount::new(2 * RECORDS)).bench_local(|| {
            known.allocated(live..live + RECORDS);
            known.freed(live..live + RECORDS);
        });
    }
}
