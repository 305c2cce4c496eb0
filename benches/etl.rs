//! How fast event trace logs become records, and how fast compressed buffers are unpacked: heap allocations with
//! stacks of 20 frames on four processors. Run with `cargo bench --bench etl`; with `ETL=FILE` in the environment a
//! real log is read, too.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark")]

#[path = "../tests/etl/pack.rs"]
mod pack;
#[path = "../tests/etl/synth.rs"]
mod synth;

use std::io::{Cursor, Read};
use std::{env, fs};

use divan::Bencher;
use divan::counter::BytesCount;
use synth::{About, FIRST, Packing};
use unfreed::read::Source;
use unfreed::read::etl::{Format, Log, Reader, Seekable};

/// Size of the logs, and of their buffers.
const LOG: usize = 64 << 20;
const BUFFER: usize = 64 << 10;
const PROCESSORS: u16 = 4;
const DEPTH: u64 = 20;

fn main() {
    divan::main();
}

/// A fixed sequence of numbers that look random (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// The records of one buffer: an allocation, and the stack that belongs to it, again and again.
fn records(dice: &mut Dice, time: &mut u64, step: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        *time += 1 + dice.below(step);
        let address = 0x1d0_0000_0000 + dice.below(1 << 28) * 16;
        let size = 16 + dice.below(400);
        let mut alloc = Vec::new();
        alloc.extend(0x1d0_0000_0000_u64.to_le_bytes());
        alloc.extend(size.to_le_bytes());
        alloc.extend(address.to_le_bytes());
        alloc.extend(2_u32.to_le_bytes());
        let mut stack = Vec::new();
        stack.extend(time.to_le_bytes());
        stack.extend([0x10, 4, 0, 0, 0x20, 4, 0, 0]);
        let site = dice.below(1000).min(dice.below(1000));
        for depth in 0..DEPTH {
            let frame = 0x7ff8_0000_0000_u64 + (site >> (depth / 3)) * 4099 + depth * 65_551;
            stack.extend(frame.to_le_bytes());
        }
        let two = [
            synth::system(2, 0x1021, 0x420, 0x410, *time, &alloc),
            synth::perf(17, 2, 0x1820, *time, &stack),
        ]
        .concat();
        if bytes.len() + two.len() > BUFFER - 0x48 {
            return bytes;
        }
        bytes.extend(two);
    }
}

/// A log; buffers lie in the order in which they are full.
fn log(size: usize, packing: Option<Packing>) -> Vec<u8> {
    let about = About { buffer: BUFFER as u32, packing, ..About::default() };
    let mut bytes = synth::first(&about);
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut times = [FIRST; PROCESSORS as usize];
    while bytes.len() < size {
        for (processor, time) in (0..).zip(&mut times) {
            let records = records(&mut dice, time, 400);
            bytes.extend(match packing {
                Some(packing) => synth::packed(processor, &records, packing),
                None => synth::buffer(processor, 0, &records, BUFFER as u32),
            });
        }
    }
    bytes
}

fn drain<R: Read>(mut log: Log<R>) -> (u64, usize) {
    let (mut count, mut bytes) = (0, 0);
    while let Some(record) = log.next().unwrap() {
        count += 1;
        bytes += record.payload.len();
    }
    assert_eq!(log.faults(), []);
    (count, bytes)
}

#[divan::bench(sample_count = 10)]
fn one_pass(bencher: Bencher<'_, '_>) {
    let bytes = log(LOG, None);
    bencher.counter(BytesCount::new(bytes.len())).bench(|| drain(Log::new(&bytes[..]).unwrap()));
}

#[divan::bench(sample_count = 10)]
fn sought(bencher: Bencher<'_, '_>) {
    let bytes = log(LOG, None);
    bencher
        .counter(BytesCount::new(bytes.len()))
        .bench(|| drain(Log::seekable(Cursor::new(&bytes[..])).unwrap()));
}

/// Bytes of the compressed log.
#[divan::bench(sample_count = 10)]
fn compressed(bencher: Bencher<'_, '_>) {
    let bytes = log(4 << 20, Some(Packing::Xpress));
    bencher
        .counter(BytesCount::new(bytes.len()))
        .bench(|| drain(Log::seekable(Cursor::new(&bytes[..])).unwrap()));
}

#[divan::bench(sample_count = 10)]
fn real(bencher: Bencher<'_, '_>) {
    let Some(name) = env::var_os("ETL") else { return };
    let bytes = fs::read(name).unwrap();
    bencher
        .counter(BytesCount::new(bytes.len()))
        .bench(|| drain(Log::seekable(Cursor::new(&bytes[..])).unwrap()));
}

/// A real log to events, and not to its records alone; bytes of the file.
#[divan::bench(sample_count = 10)]
fn real_events(bencher: Bencher<'_, '_>) {
    let Some(name) = env::var_os("ETL") else { return };
    let bytes = fs::read(name).unwrap();
    bencher.counter(BytesCount::new(bytes.len())).bench(|| {
        let again = || Ok(Box::new(Cursor::new(&bytes[..])) as Box<dyn Seekable>);
        let mut reader = Reader::file(Box::new(again)).unwrap();
        let (mut events, mut count) = (Vec::new(), 0);
        while reader.next_batch(&mut events).unwrap() {
            count += events.len();
        }
        count
    });
}

/// Bytes unpacked.
#[divan::bench(sample_count = 50, args = [Packing::Lznt1, Packing::Xpress, Packing::Huffman])]
fn unpack(bencher: Bencher<'_, '_>, packing: Packing) {
    let records = records(&mut Dice(7), &mut FIRST.clone(), 400);
    let (format, packed) = match packing {
        Packing::Lznt1 => (Format::Lznt1, pack::lznt1(&records)),
        Packing::Xpress => (Format::Xpress, pack::xpress(&records)),
        Packing::Huffman => (Format::Huffman, pack::huffman(&records)),
    };
    let mut room = vec![0; records.len()];
    bencher
        .counter(BytesCount::new(records.len()))
        .bench_local(|| format.unpack(&packed, &mut room).unwrap());
}
