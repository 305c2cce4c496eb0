//! One stream out of many rings, ordered by stamp.
//!
//! A record may be handed on once every writer has promised that all its future records will be
//! stamped later: its watermark. The least watermark bounds what is handed on; what is newer
//! waits. So a free that was read early never overtakes the allocation it belongs to.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::clock::Stamp;
use super::memory::WRITERS;
use super::record::Record;

const RINGS: usize = WRITERS as usize;

/// Room for so many records a lane keeps. What it had to take in while the collector got no processor goes back: it
/// may be a hundred megabytes, in a recording that lasts for weeks.
const ROOM_KEPT: usize = 1 << 12;

/// A queue of records that are nearly in order already: one for what the collector itself says, two for
/// each ring, one for the blocks of the table. Of one stamp, the record in the lower lane goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lane(pub(super) usize);

impl Lane {
    /// What the collector itself says.
    pub(super) const CONTROL: Lane = Lane(0);
    /// The blocks taken from the table of young ones.
    pub(super) const YOUNG: Lane = Lane(1 + RINGS);

    /// What the ring of this number defines, before whatever refers to it in any ring.
    pub(super) fn definitions(ring: u32) -> Lane {
        Lane(1 + ring as usize)
    }

    /// What happened to blocks, as the ring of this number says.
    pub(super) fn ring(number: u32) -> Lane {
        Lane(2 + RINGS + number as usize)
    }
}

/// The records that wait.
#[derive(Default)]
pub(super) struct Merge {
    lanes: Vec<VecDeque<Record>>,
    fronts: BinaryHeap<Reverse<(Stamp, Lane)>>,
    waiting: usize,
    weight: usize,
}

impl Merge {
    /// Adds a record to a lane. One that is older than the last of its lane is put in its place.
    pub(super) fn push(&mut self, lane: Lane, record: Record) {
        if lane.0 >= self.lanes.len() {
            self.lanes.resize_with(lane.0 + 1, VecDeque::new);
        }
        let queue = &mut self.lanes[lane.0];
        self.waiting += 1;
        self.weight += record.payload.weight();
        let sorted = queue.back().is_none_or(|last| last.stamp <= record.stamp);
        if queue.is_empty() {
            self.fronts.push(Reverse((record.stamp, lane)));
        }
        if sorted {
            queue.push_back(record);
        } else {
            let at = queue.partition_point(|other| other.stamp <= record.stamp);
            if at == 0 {
                self.fronts.push(Reverse((record.stamp, lane)));
            }
            queue.insert(at, record);
        }
    }

    /// How much memory they hold, in units of a plain record's.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// Whether everything stamped at or before `watermark` has been handed on.
    pub(super) fn has_released(&self, watermark: Stamp) -> bool {
        self.fronts.peek().is_none_or(|front| front.0.0 > watermark)
    }

    /// Moves what is stamped at or before `watermark` to the end of `into`, in order: at most `most`
    /// records.
    pub(super) fn release(&mut self, watermark: Stamp, most: usize, into: &mut Vec<Record>) {
        let enough = self.waiting.saturating_sub(most);
        while self.waiting > enough
            && let Some(&Reverse((stamp, lane))) = self.fronts.peek()
        {
            if stamp > watermark {
                return;
            }
            self.fronts.pop();
            // As long as this lane is behind all others, no heap is needed.
            let others = self.fronts.peek().map_or(Stamp(u64::MAX), |other| other.0.0);
            let limit = others.min(watermark);
            let queue = &mut self.lanes[lane.0];
            if queue.front().is_none_or(|front| front.stamp != stamp) {
                // A front that an insertion before it outdated; the true one has its own entry.
                continue;
            }
            while let Some(front) = queue.front() {
                if front.stamp > limit || self.waiting == enough {
                    break;
                }
                if let Some(record) = queue.pop_front() {
                    self.waiting -= 1;
                    self.weight -= record.payload.weight();
                    into.push(record);
                }
            }
            if let Some(front) = queue.front() {
                self.fronts.push(Reverse((front.stamp, lane)));
            }
            // By halves, so that a lane which fills and empties does not move its records at each turn.
            if queue.capacity() > ROOM_KEPT && queue.len() < queue.capacity() / 8 {
                queue.shrink_to(queue.capacity() / 2);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::collect::agent::record::{Origin, Payload};

    fn record(stamp: u64) -> Record {
        let origin = Origin { process: 0, tid: 0 };
        Record { stamp: Stamp(stamp), origin, payload: Payload::Epoch }
    }

    fn released(merge: &mut Merge, watermark: u64) -> Vec<u64> {
        let mut records = Vec::new();
        merge.release(Stamp(watermark), usize::MAX, &mut records);
        records.iter().map(|record| record.stamp.0).collect()
    }

    #[test]
    fn nothing_newer_than_the_watermark_is_handed_on() {
        let mut merge = Merge::default();
        for (lane, stamp) in [(0, 5), (1, 3), (0, 9), (1, 12)] {
            merge.push(Lane(lane), record(stamp));
        }
        assert_eq!(released(&mut merge, 9), [3, 5, 9]);
        assert_eq!(merge.waiting, 1);
        assert_eq!(released(&mut merge, 20), [12]);
        assert_eq!(merge.waiting, 0);
    }

    #[test]
    fn of_one_stamp_what_is_defined_goes_before_what_refers_to_it() {
        let mut merge = Merge::default();
        let lanes =
            [Lane::ring(0), Lane::YOUNG, Lane::definitions(RINGS as u32 - 1), Lane::CONTROL];
        for (tid, lane) in lanes.into_iter().enumerate() {
            let origin = Origin { process: 0, tid: tid as u32 };
            merge.push(lane, Record { origin, ..record(5) });
        }
        let mut records = Vec::new();
        merge.release(Stamp(5), usize::MAX, &mut records);
        let order: Vec<u32> = records.iter().map(|record| record.origin.tid).collect();
        assert_eq!(order, [3, 2, 1, 0]);
    }

    #[test]
    fn room_for_a_backlog_is_given_back() {
        const BACKLOG: u64 = 1 << 18;
        let mut merge = Merge::default();
        (0..BACKLOG).for_each(|stamp| merge.push(Lane(0), record(stamp)));
        assert!(merge.lanes[0].capacity() >= BACKLOG as usize);
        for stamp in BACKLOG..BACKLOG + 100 {
            merge.push(Lane(0), record(stamp));
            assert!(!released(&mut merge, stamp).is_empty());
        }
        assert!(merge.lanes[0].capacity() <= ROOM_KEPT);
    }

    proptest! {
        #[test]
        fn any_arrival_is_ordered(
            arrivals in prop::collection::vec((0usize..5, 0u64..1000), 0..300),
            steps in prop::collection::vec(0u64..1000, 0..5),
        ) {
            let mut merge = Merge::default();
            let mut steps = steps;
            steps.sort_unstable();
            let mut out = Vec::new();
            let mut given = arrivals.iter().copied();
            let mut held: Vec<u64> = Vec::new();
            for watermark in steps {
                // Writers keep their promise: nothing at or below a watermark comes after it.
                let floor = out.last().copied().unwrap_or(0);
                for (lane, stamp) in given.by_ref().take(60) {
                    let stamp = stamp.max(floor);
                    held.push(stamp);
                    merge.push(Lane(lane), record(stamp));
                }
                out.extend(released(&mut merge, watermark.max(floor)));
            }
            out.extend(released(&mut merge, u64::MAX));
            held.sort_unstable();
            prop_assert_eq!(out, held);
            prop_assert_eq!(merge.waiting, 0);
        }
    }
}
