//! Matching 10,000 suspects against 1,000 entries: `cargo bench --bench fixes`. It must stay under a second; the work that it
//! takes is bounded by a test (`tests/fixes/many.rs`).
#![allow(clippy::unwrap_used, reason = "a benchmark")]

#[path = "../tests/fixes/crowd.rs"]
mod crowd;

use divan::counter::ItemsCount;
use unfreed::fixes::match_suspect;

fn main() {
    divan::main();
}

/// Items are suspects; the index is made with the first.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn ten_thousand_suspects(bencher: divan::Bencher) {
    let suspects = crowd::suspects(10_000);
    let catalogue = crowd::catalogue();
    bencher
        .counter(ItemsCount::new(suspects.len()))
        .with_inputs(|| catalogue.clone())
        .bench_values(|catalogue| -> usize {
            suspects.iter().map(|s| match_suspect(&catalogue, &s.evidence()).len()).sum()
        });
}
