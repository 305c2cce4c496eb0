//! How fast a heap log of Windows becomes a ledger: heap records a second, each with a stack of 20 frames, on one core.
//! `cargo bench --bench etl_heap`; the issue asks for 2,000,000. With `UNFREED_BENCH_STREAM=BYTES` a log of that length
//! is streamed instead, and the process's peak of memory is printed: it follows live blocks, not the log.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench")]

#[path = "../tests/synth_etl/mod.rs"]
mod synth_etl;

use std::io::{Cursor, Read};
use std::time::Instant;

use divan::counter::{BytesCount, ItemsCount};
use synth_etl::stream::Stream;
use unfreed::ledger::Ledger;
use unfreed::read::Source;
use unfreed::read::etl::{Log, Reader, Seekable};

const BYTES: u64 = 64 << 20;
const LIVE: u64 = 100_000;

fn main() {
    match std::env::var("UNFREED_BENCH_STREAM").ok().and_then(|bytes| bytes.parse().ok()) {
        Some(bytes) => stream(bytes),
        None => divan::main(),
    }
}

fn log() -> (Vec<u8>, u64) {
    let (mut stream, mut bytes) = (Stream::new(BYTES, LIVE), Vec::new());
    stream.read_to_end(&mut bytes).unwrap();
    (bytes, stream.records())
}

fn fold(reader: &mut dyn Source) -> Ledger {
    let (mut ledger, mut events) = (Ledger::default(), Vec::new());
    while reader.next_batch(&mut events).unwrap() {
        events.iter().for_each(|event| ledger.apply(event));
    }
    ledger
}

/// A log that lies in a file.
fn file(bytes: &[u8]) -> Reader<'_, Box<dyn Seekable + '_>> {
    Reader::file(Box::new(move || Ok(Box::new(Cursor::new(bytes)) as Box<dyn Seekable>))).unwrap()
}

/// Records to a ledger, as `analyze` reads a file: each buffer when it is its turn.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn file_and_ledger(bencher: divan::Bencher) {
    let (bytes, records) = log();
    bencher.counter(ItemsCount::new(records)).counter(BytesCount::new(bytes.len())).bench(|| {
        let ledger = fold(&mut file(&bytes));
        assert_eq!((ledger.lost().stacks, ledger.totals().live_blocks), (0, LIVE));
        ledger
    });
}

/// Records to a ledger, as a stream is read: 64 MiB ahead.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn reader_and_ledger(bencher: divan::Bencher) {
    let (bytes, records) = log();
    bencher.counter(ItemsCount::new(records)).counter(BytesCount::new(bytes.len())).bench(|| {
        let ledger = fold(&mut Reader::new(Cursor::new(&bytes)).unwrap());
        assert_eq!((ledger.lost().stacks, ledger.totals().live_blocks), (0, LIVE));
        ledger
    });
}

/// Records to events.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn reader(bencher: divan::Bencher) {
    let (bytes, records) = log();
    bencher.counter(ItemsCount::new(records)).counter(BytesCount::new(bytes.len())).bench(|| {
        let mut reader = Reader::new(Cursor::new(&bytes)).unwrap();
        let (mut events, mut count) = (Vec::new(), 0);
        while reader.next_batch(&mut events).unwrap() {
            count += events.len();
        }
        count
    });
}

/// The log's records alone.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn records(bencher: divan::Bencher) {
    let (bytes, records) = log();
    bencher.counter(ItemsCount::new(records)).counter(BytesCount::new(bytes.len())).bench(|| {
        let mut log = Log::new(Cursor::new(&bytes)).unwrap();
        let mut sum = 0;
        while let Some(record) = log.next().unwrap() {
            sum += record.payload.len();
        }
        sum
    });
}

fn stream(bytes: u64) {
    let began = Instant::now();
    let ledger = fold(&mut Reader::new(Stream::new(bytes, LIVE)).unwrap());
    let totals = ledger.totals();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM: unknown");
    println!(
        "{bytes} bytes, {} allocations, {} live, {} stacks lost, {:.1} s, generator included; {peak}",
        totals.allocations,
        totals.live_blocks,
        ledger.lost().stacks,
        began.elapsed().as_secs_f64()
    );
}
