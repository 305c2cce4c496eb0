//! When young blocks are looked at, and what the blocks that died young are told as.

use std::time::{Duration, Instant};

use unfreed_wire::{Tally, Telling};

use super::{BEFORE_CLOCK, Collector};
use crate::collect::agent::clock::{Stamp, now, tick};
use crate::collect::agent::memory::WriterIndex;
use crate::collect::agent::merge::Lane;
use crate::collect::agent::record::{Origin, Payload, Record, Tallied};
use crate::collect::agent::tallies::Interval;
use crate::collect::agent::young::{Ages, CROWDED, Taken, Which, take};
use crate::event::{Lost, Time};

/// The state of the watching of the table.
pub(super) struct YoungWatch {
    /// No block stamped at this time or before will come from the table.
    promised: Stamp,
    look: Option<Look>,
    /// When the last look began.
    looked: Option<Instant>,
    /// How many blocks stayed in it.
    left: usize,
    /// Whether it was found empty.
    empty: bool,
    /// What was taken from it and waits for its process to be known.
    taken: Vec<Record>,
    /// The sum of what the writers had counted of themselves.
    activity: u64,
    /// Since when what is in the tallies has been counted.
    counted_since: Stamp,
    /// The longest time since then between two publications of the clock.
    longest_gap: Time,
}

/// A look at the whole table. It is long enough to be felt by whoever waits for the processor
/// meanwhile, so each round does a bit of it.
struct Look {
    began: Instant,
    /// What is stamped at this time or before is taken.
    last: Stamp,
    /// The first bucket that has not been looked at.
    next: usize,
    /// How many blocks stay in those that have.
    left: usize,
    taken: Vec<Record>,
    /// Whether nobody had recorded anything for a while when it began.
    idle: bool,
}

impl YoungWatch {
    pub(super) fn new(began: Stamp) -> YoungWatch {
        let (promised, counted_since) = (Stamp(0), began);
        let taken = Vec::new();
        YoungWatch {
            promised,
            look: None,
            looked: None,
            left: 0,
            empty: true,
            taken,
            activity: 0,
            counted_since,
            longest_gap: Time(0),
        }
    }

    pub(super) fn promised(&self) -> Stamp {
        self.promised
    }

    /// Whether it is far from crowded.
    pub(super) fn is_sparse(&self) -> bool {
        self.left < CROWDED / 8
    }
}

impl Collector<'_> {
    /// Takes out of the table what has grown up, a bit at a time.
    pub(super) fn look_at_young(&mut self) {
        if self.memory.telling() == Telling::Sample {
            // Its blocks have been told, and stay until they are freed.
            self.young.promised = self.memory.publish(now()).before(BEFORE_CLOCK);
            return;
        }
        let Some(mut look) = self.young.look.take().or_else(|| self.begin_look()) else { return };
        let all = self.memory.buckets().len();
        let crowded = self.young.left >= CROWDED;
        let Ages { look_every, .. } = Ages::of(self.young.left);
        let share = look.began.elapsed().as_secs_f64() / look_every.as_secs_f64();
        // What finds no room in a crowded table may fill a ring before the next round.
        let until = if crowded { all } else { (all as f64 * share) as usize }.clamp(look.next, all);
        let taken = take(&self.memory, &self.told, look.next..until, &Which::Until(look.last));
        look.next = until;
        look.left += taken.left;
        look.taken.extend(taken.records);
        let left = look.left * all / until.max(1);
        if until == all {
            self.young.left = look.left;
            self.young.empty = look.left == 0 && look.idle;
            self.young.promised = self.young.promised.max(look.last);
            self.tell_young(Taken { records: look.taken, ..Taken::default() });
        } else if until > all / 16 && left >= CROWDED && look.left >= CROWDED / 4 {
            // As far as can be told from a part, which may be where most lie. Another look takes more,
            // and at once.
            self.young.left = left;
            self.young.looked = None;
            self.tell_young(Taken { records: look.taken, ..Taken::default() });
            self.look_at_young();
        } else {
            self.young.look = Some(look);
        }
    }

    /// Begins to look at the table, if it is time and there may be anything.
    fn begin_look(&mut self) -> Option<Look> {
        let Ages { grown_up, look_every } = Ages::of(self.young.left);
        if self.young.looked.is_some_and(|looked| looked.elapsed() < look_every) {
            return None;
        }
        let began = Instant::now();
        self.young.looked = Some(began);
        let at = self.memory.publish(now());
        let activity = self
            .memory
            .writers()
            .map(|(_, writer)| writer.opened.load(std::sync::atomic::Ordering::Acquire))
            .fold(0u64, |sum, opened| sum.wrapping_mul(31).wrapping_add(opened.into()));
        let idle = std::mem::replace(&mut self.young.activity, activity) == activity;
        if idle && self.young.empty {
            // Whatever comes is stamped later.
            self.young.promised = self.young.promised.max(at.before(BEFORE_CLOCK));
            return None;
        }
        self.young.empty = false;
        let last = at.before(grown_up);
        Some(Look { began, last, next: 0, left: 0, taken: Vec::new(), idle })
    }

    /// Takes out what belongs to processes that have ended.
    pub(super) fn take_young_of(&mut self, of: &dyn Fn(u32) -> bool) {
        self.take_young(&Which::OfProcesses(of));
    }

    /// Takes out everything.
    pub(super) fn take_all_young(&mut self) {
        self.take_young(&Which::All);
    }

    fn take_young(&mut self, which: &Which<'_>) {
        let mut taken = take(&self.memory, &self.told, 0..self.memory.buckets().len(), which);
        // Some may have been found already.
        if let Some(look) = &mut self.young.look {
            taken.records.append(&mut look.taken);
        }
        self.tell_young(taken);
    }

    fn tell_young(&mut self, mut taken: Taken) {
        if self.memory.telling() != Telling::Sample {
            // One that is older than the last of its lane takes longer to be put there. Those of one tick in
            // the order of their addresses, as most were allocated: whoever looks for them finds each
            // beside the one before, and a trace stores how far they are apart.
            taken.records.sort_unstable_by_key(|record| (record.stamp, record.payload.address()));
            self.young.taken.extend(taken.records);
        }
        for process in taken.abandoned {
            if (process as usize) < self.processes.len() {
                let (stamp, origin) = (self.watermark, Origin { process, tid: 0 });
                let payload = Payload::Lost { what: Lost::Events, count: 1 };
                self.merge.push(Lane::CONTROL, Record { stamp, origin, payload });
            }
        }
    }

    /// Puts what was taken among the other records: after the processes that have registered by now
    /// are known.
    pub(super) fn merge_young(&mut self) {
        // A lane of its own. At one address no two stamps are the same, whichever lane they are in.
        let lane = Lane::YOUNG;
        let known = self.processes.len();
        for record in std::mem::take(&mut self.young.taken) {
            if (record.origin.process as usize) < known {
                self.merge.push(lane, record);
            } else if self.memory.is_process(record.origin.process) {
                // It is still registering.
                self.young.taken.push(record);
            }
        }
    }

    /// Reads the tallies of every writer.
    pub(super) fn read_tallies(&mut self) {
        for n in 0..self.writers.len() {
            let index = WriterIndex(n as u32);
            let writer = self.memory.writer(index);
            if writer.state.load(std::sync::atomic::Ordering::Acquire) != 0 {
                let process = writer.process.load(std::sync::atomic::Ordering::Relaxed);
                self.tallies.read(&self.memory, index, process);
            }
        }
    }

    /// Tells what has been counted in the processes for which `of` holds.
    pub(super) fn tell_tallies(&mut self, stamp: Stamp, of: impl Fn(u32) -> bool) {
        self.note_gap();
        let interval = self.interval();
        let known = self.processes.len();
        let of = |process: u32| (process as usize) < known && of(process);
        for (process, stack, counted) in self.tallies.take(of) {
            let lifetimes = interval.lifetimes(&counted);
            let Interval { since, resolution } = interval;
            let tallied = Tallied { stack, since, counted, lifetimes, resolution };
            self.control(stamp, process, Payload::Tally(Box::new(tallied)));
        }
    }

    /// The interval that is being counted, as far as it is known now.
    fn interval(&self) -> Interval {
        let shortest =
            Duration::from_nanos(1 << Tally::SHORTEST_POWER).max(2 * tick(self.memory.telling()));
        let resolution = self.young.longest_gap.0.saturating_mul(2).max(shortest.as_nanos() as u64);
        let resolution = resolution.checked_next_power_of_two().unwrap_or(u64::MAX);
        Interval { since: self.young.counted_since, resolution: Time(resolution) }
    }

    /// What is counted from now on belongs to another interval.
    pub(super) fn begin_interval(&mut self, stamp: Stamp) {
        self.young.counted_since = stamp;
        self.young.longest_gap = Time(0);
    }

    /// Takes note of how long the clock has stood still.
    pub(super) fn note_gap(&mut self) {
        if let Some(ticker) = &self.ticker {
            self.young.longest_gap = self.young.longest_gap.max(ticker.longest_gap());
        }
    }
}
