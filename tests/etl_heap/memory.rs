//! Memory follows live blocks, not the log's length.

use std::io::Read;

use unfreed::ledger::Ledger;
use unfreed::read::Source;
use unfreed::read::etl::Reader;

use crate::synth_etl::stream::Stream;

/// The process's memory now, in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// What a stream of so many bytes takes at most, beyond what was taken before.
fn taken(bytes: u64) -> u64 {
    let before = resident();
    let mut reader = Reader::new(Stream::new(bytes, 1000).take(bytes)).unwrap();
    let (mut ledger, mut events, mut most) = (Ledger::default(), Vec::new(), 0);
    while reader.next_batch(&mut events).unwrap() {
        events.iter().for_each(|event| ledger.apply(event));
        most = most.max(resident());
    }
    assert_eq!(ledger.lost().stacks, 0);
    assert!((999..=1000).contains(&ledger.totals().live_blocks));
    most.saturating_sub(before)
}

#[test]
fn a_longer_log_takes_no_more() {
    // The first takes what the log's window of buffers and the tables of stacks come to.
    let (short, long) = (taken(64 << 20), taken(192 << 20));
    assert!(long <= short + (8 << 20), "{short} bytes for 64 MiB, {long} for 192 MiB");
    assert!(short < 128 << 20, "{short}");
}

/// Ten gigabytes: `cargo test --release --test etl_heap -- --ignored`.
#[test]
#[ignore = "takes minutes"]
fn ten_gigabytes() {
    let taken = taken(10 << 30);
    println!("{taken} bytes for 10 GiB");
    assert!(taken < 128 << 20, "{taken}");
}
