//! The table of young blocks, as the collector sees it: what has lived in it for long enough, or
//! whose process has ended, is taken out and told like any other allocation.
//!
//! The table is input like the rings. Nothing in it is believed: a block of a process that has not
//! registered is dropped, and whatever its numbers are, they are only told.

use std::ops::Range;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::time::Duration;

use unfreed_wire::{Bucket, Key, Size, State};

use super::clock::Stamp;
use super::drain::function;
use super::memory::SessionMemory;
use super::record::{Origin, Payload, Record, StackHash};
use super::told::Told;
use crate::event::{Address, Bytes};

/// When blocks are told.
pub(super) struct Ages {
    /// What has lived so long is told.
    pub(super) grown_up: Duration,
    /// Between two looks at the whole table; how long one takes, bit by bit, where it is not crowded.
    pub(super) look_every: Duration,
}

impl Ages {
    /// Where so many stayed the last time. What stays takes room from what dies young, and what finds
    /// no room is told at once, which is dearer: the fuller the table, the sooner.
    pub(super) fn of(left: usize) -> Ages {
        let [grown_up, look_every] = if left < CROWDED { [100, 25] } else { [10, 5] };
        Ages {
            grown_up: Duration::from_millis(grown_up),
            look_every: Duration::from_millis(look_every),
        }
    }
}

/// So many that they are in each other's way: an eighth of what fits.
pub(super) const CROWDED: usize = 1 << 13;

/// Which blocks are taken out.
pub(super) enum Which<'a> {
    /// Those stamped at this time or before.
    Until(Stamp),
    /// Those of processes, by index, for which this holds.
    OfProcesses(&'a dyn Fn(u32) -> bool),
    /// All.
    All,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// The blocks.
    pub(super) records: Vec<Record>,
    /// How many stay.
    pub(super) left: usize,
    /// By index of their process: blocks that somebody was about to change, and never did.
    pub(super) abandoned: Vec<u32>,
}

/// Takes blocks out of these buckets of the table, in no order.
pub(super) fn take(
    memory: &SessionMemory,
    told: &Told,
    buckets: Range<usize>,
    which: &Which<'_>,
) -> Taken {
    let mut taken = Taken::default();
    for bucket in memory.buckets().get(buckets).unwrap_or_default() {
        for (way, word) in bucket.keys.iter().enumerate() {
            let key = Key(word.load(Acquire));
            let process = key.process().wrapping_sub(1);
            match key.state() {
                State::Empty | State::Freed => {}
                State::Changing => {
                    let dead = matches!(which, Which::OfProcesses(of) if of(process));
                    if dead && word.compare_exchange(key.0, 0, AcqRel, Relaxed).is_ok() {
                        taken.abandoned.push(process);
                    }
                }
                State::Live(_) => {
                    let stamp = Stamp(bucket.blocks[way].stamp.load(Relaxed));
                    let wanted = match which {
                        Which::Until(last) => stamp <= *last,
                        Which::OfProcesses(of) => of(process),
                        Which::All => true,
                    };
                    if !wanted {
                        taken.left += 1;
                        continue;
                    }
                    // First, so that whoever is given the address again cannot miss it.
                    told.expect(memory, key);
                    if word.compare_exchange(key.0, key.changing().0, AcqRel, Relaxed).is_ok() {
                        // What is there now, which may be another block than was looked at.
                        taken.records.push(record(bucket, way, key, process));
                        word.store(Key::EMPTY.0, Release);
                    }
                }
            }
        }
    }
    taken
}

fn record(bucket: &Bucket, way: usize, key: Key, process: u32) -> Record {
    let block = &bucket.blocks[way];
    let size = Size(block.size.load(Relaxed));
    let by = match key.state() {
        State::Live(by) => by,
        _ => 0,
    };
    Record {
        stamp: Stamp(block.stamp.load(Relaxed)),
        origin: Origin { process, tid: size.tid() },
        payload: Payload::Alloc {
            address: Address(key.address()),
            size: Bytes(size.bytes()),
            stack: StackHash(block.stack.load(Relaxed)),
            function: function(by),
        },
    }
}
