//! The structures that every record passes, with just enough around them that a benchmark can drive
//! each alone (`benches/collector.rs`). Not part of the library's interface.

use std::io;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use unfreed_wire::{Kind, RecordHeader, words};

use super::clock::Stamp;
use super::collector::BATCH;
use super::drain::drain;
use super::memory::{SessionMemory, WriterIndex};
use super::merge::{Lane, Merge};
use super::record::{Origin, Payload, Record, StackHash};
use super::told::Told;
use crate::event::{Address, Bytes, Function};

const WRITER: WriterIndex = WriterIndex(0);
const ORIGIN: Origin = Origin { process: 0, tid: 1 };
/// As far from each other as blocks of 100 bytes.
const STEP: u64 = 112;

fn address(n: u64) -> u64 {
    0x5555_0000_0010 + n * STEP
}

fn allocation(n: u64, stamp: u64) -> Record {
    let (address, size) = (Address(address(n)), Bytes(100));
    let payload =
        Payload::Alloc { address, size, stack: StackHash(n % 1024), function: Function::Malloc };
    Record { stamp: Stamp(stamp), origin: ORIGIN, payload }
}

/// A thread's ring.
pub struct Ring(SessionMemory);

impl Ring {
    /// An empty one.
    ///
    /// # Errors
    /// The system's, where it makes no shared memory.
    pub fn create() -> io::Result<Ring> {
        SessionMemory::create().map(Ring)
    }

    /// Writes so many allocations, as the agent does; they must fit.
    pub fn fill(&self, records: u64) {
        let words = self.0.ring(WRITER);
        let writer = self.0.writer(WRITER);
        let mut head = writer.head.load(Acquire);
        let kind = Kind::Alloc as u8;
        let header = RecordHeader { kind, function: 1, words: words::ALLOC as u16, detail: 0 };
        for n in 0..records {
            for word in [header.pack(), n, address(n), 100, n % 1024] {
                words[(head / 8) as usize % words.len()].store(word, Relaxed);
                head += 8;
            }
        }
        writer.head.store(head, Release);
    }

    /// Reads them all; how many there were.
    pub fn drain(&self) -> u64 {
        let mut records = 0;
        drain(&self.0, WRITER, ORIGIN, |record| {
            std::hint::black_box(record);
            records += 1;
        });
        records
    }
}

/// What orders the records.
#[derive(Default)]
pub struct Order {
    merge: Merge,
    batch: Vec<Record>,
    stamp: u64,
}

impl Order {
    /// Has so many records pass, which come from so many rings, `run` of each in turn; how many
    /// were handed on.
    pub fn pass(&mut self, records: u64, rings: u32, run: u64) -> usize {
        for n in 0..records {
            self.stamp += 1;
            let lane = Lane::ring((n / run) as u32 % rings);
            self.merge.push(lane, allocation(n, self.stamp));
        }
        let mut passed = 0;
        loop {
            self.merge.release(Stamp(self.stamp), BATCH, &mut self.batch);
            if self.batch.is_empty() {
                return passed;
            }
            passed += self.batch.len();
            std::hint::black_box(&mut self.batch).clear();
        }
    }
}

/// The blocks known to the collector.
pub struct Known {
    memory: SessionMemory,
    told: Told,
}

impl Known {
    /// None.
    ///
    /// # Errors
    /// The system's, where it makes no shared memory.
    pub fn create() -> io::Result<Known> {
        let memory = SessionMemory::create()?;
        Ok(Known { told: Told::new(memory.telling()), memory })
    }

    /// Hears of blocks that were allocated.
    pub fn allocated(&mut self, blocks: std::ops::Range<u64>) {
        self.hear(blocks, |n| allocation(n, n));
    }

    /// Hears that they were freed.
    pub fn freed(&mut self, blocks: std::ops::Range<u64>) {
        self.hear(blocks, |n| {
            let payload = Payload::Free { address: Address(address(n)), function: Function::Free };
            Record { stamp: Stamp(n), origin: ORIGIN, payload }
        });
    }

    fn hear(&mut self, blocks: std::ops::Range<u64>, record: impl Fn(u64) -> Record) {
        let mut batch = Vec::with_capacity(BATCH);
        for n in blocks {
            batch.push(record(n));
            if batch.len() == BATCH {
                self.told.hand_on(&self.memory, &batch);
                batch.clear();
            }
        }
        self.told.hand_on(&self.memory, &batch);
    }
}
