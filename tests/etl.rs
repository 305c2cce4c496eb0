//! Event trace logs as records: real ones to the last record, made-up ones of every kind, and damaged ones.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "etl/damage.rs"]
mod damage;
#[path = "etl/fixtures.rs"]
mod fixtures;
#[path = "etl/headers.rs"]
mod headers;
#[cfg(target_os = "linux")]
#[path = "etl/oracle.rs"]
mod oracle;
#[path = "etl/order.rs"]
mod order;
#[path = "etl/pack.rs"]
mod pack;
#[path = "etl/seeds.rs"]
mod seeds;
mod support;
#[path = "etl/synth.rs"]
mod synth;
#[path = "etl/unpack.rs"]
mod unpack;

use std::io::{Cursor, Read};

use unfreed::read::etl::record::{Provider, Ticks};
use unfreed::read::etl::{Counts, HeaderKind, Log};

/// A record, kept.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    offset: u64,
    time: Ticks,
    processor: u16,
    provider: Provider,
    opcode: u8,
    payload: Vec<u8>,
}

/// All that a log says.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    records: Vec<Kept>,
    counts: Counts,
    faults: Vec<String>,
}

fn drain<R: Read>(mut log: Log<R>) -> Told {
    let mut records = Vec::new();
    while let Some(record) = log.next().unwrap() {
        records.push(Kept {
            offset: record.offset.0,
            time: record.time,
            processor: record.processor,
            provider: record.provider,
            opcode: record.opcode,
            payload: record.payload.to_vec(),
        });
    }
    // One way meets them in another order than the other.
    let mut faults = log.faults().to_vec();
    faults.sort_by_key(|fault| fault.offset);
    let faults = faults.iter().map(ToString::to_string).collect();
    Told { records, counts: log.counts().clone(), faults }
}

/// A log read in one pass.
fn streamed(bytes: &[u8]) -> Told {
    drain(Log::new(bytes).unwrap())
}

/// A log read in the order of its buffers.
fn sought(bytes: &[u8]) -> Told {
    drain(Log::seekable(Cursor::new(bytes)).unwrap())
}

/// How many records there are of each kind of header that occurs.
fn kinds(counts: &Counts) -> Vec<(u8, u64)> {
    let all = HeaderKind::ALL.iter().map(|kind| (*kind as u8, counts.of(*kind)));
    all.filter(|(_, count)| *count > 0).collect()
}
