//! Event trace logs: any bytes as a log, and behind a first buffer that is right, in both ways of reading. Besides not
//! panicking, both ways say the same records, those that were late aside, and their times do not go backwards.
#![no_main]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

#[path = "../../tests/etl/pack.rs"]
#[allow(dead_code, reason = "the target needs only the first buffer")]
mod pack;
#[path = "../../tests/etl/synth.rs"]
mod synth;

use std::io::{Cursor, Read};

use libfuzzer_sys::fuzz_target;
use unfreed::read::etl::Log;
use unfreed::read::etl::record::Ticks;

fuzz_target!(|data: &[u8]| {
    check(data);
    let packings = [None, Some(synth::Packing::Lznt1), Some(synth::Packing::Xpress), Some(synth::Packing::Huffman)];
    let choice = usize::from(data.first().copied().unwrap_or(0)) % packings.len();
    let about = synth::About { packing: packings[choice], ..synth::About::default() };
    check(&[&synth::first(&about)[..], data].concat());
});

fn check(file: &[u8]) {
    let Ok(log) = Log::new(file) else { return };
    let streamed = records(log);
    let sought = records(Log::seekable(Cursor::new(file)).unwrap());
    assert_eq!(streamed, sought);
}

fn records<R: Read>(mut log: Log<R>) -> usize {
    let mut last = Ticks(0);
    let (mut count, mut backwards) = (0, 0);
    while let Some(record) = log.next().unwrap() {
        backwards += u64::from(record.time < last);
        last = last.max(record.time);
        count += 1;
        assert!(record.payload.len() + record.extended.len() < 1 << 16);
    }
    assert_eq!(backwards, log.counts().late);
    count
}
