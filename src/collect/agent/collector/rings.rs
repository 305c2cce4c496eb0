//! The rings: what their writers have told and promise.

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::time::{Duration, Instant};

use unfreed_wire::{Writer, WriterState};

use super::notices::{KINDS, losses, not_before, say_lost};
use super::{Collector, Round};
use crate::collect::agent::clock::Stamp;
use crate::collect::agent::drain::drain;
use crate::collect::agent::memory::WriterIndex;
use crate::collect::agent::merge::Lane;
use crate::collect::agent::procfs;
use crate::collect::agent::record::{Origin, Payload};
use crate::event::Lost;

/// Most that may wait, in plain records; beyond it the rings are left to fill, and count what they drop.
const MOST_WAITING: usize = 1 << 22;
/// How long a thread may stand still in the middle of a record before the others go on.
pub(super) const STANDSTILL: Duration = Duration::from_secs(5);
/// Nanoseconds by which a stamp may be ahead of the clock.
const HORIZON: u64 = 1_000_000_000;

/// What the collector remembers of a writer.
#[derive(Clone, Copy, Default)]
pub(super) struct Watched {
    /// No record with an older stamp will come from it.
    promised: Stamp,
    /// Since when it has stood still in the middle of a record.
    still_since: Option<Instant>,
    /// What it had counted as lost when last looked at.
    lost: [u64; 3],
    /// Whether its thread's number is known to be one of its process's, as we see it.
    tid_known: bool,
    /// How far its own count of what it does had come.
    opened: u32,
}

impl Collector<'_> {
    /// Reads every ring; lowers `watermark` to what their writers promise.
    pub(super) fn read_rings(&mut self, at: Stamp, watermark: &mut Stamp) -> Round {
        self.know_writers();
        let mut round = Round::default();
        // Where too much waits, only what it waits for is read: the others' promises hold.
        let full = self.merge.weight() >= MOST_WAITING;
        let waited_for = full.then(|| self.least_promise().min(*watermark));
        for n in 0..self.writers.len() {
            let index = WriterIndex(n as u32);
            let state = self.memory.writer(index).state.load(Acquire);
            if !is_claimed(state) {
                continue;
            }
            let promised = self.writers[n].promised;
            let fullness = if waited_for.is_none_or(|least| promised <= least) {
                self.read(index, state, at, watermark)
            } else {
                *watermark = (*watermark).min(promised);
                0
            };
            round.add(fullness, self.memory.ring_bytes(index));
        }
        round
    }

    /// Reads what the threads of these processes have published and counted.
    pub(super) fn read_all_of(&mut self, of: &dyn Fn(u32) -> bool, at: Stamp) {
        // They may have come and gone since the last round.
        self.know_writers();
        for n in 0..self.writers.len() {
            let index = WriterIndex(n as u32);
            let writer = self.memory.writer(index);
            let state = writer.state.load(Acquire);
            let process = writer.process.load(Relaxed);
            if state != WriterState::Free as u32 && of(process) {
                self.tallies.read(&self.memory, index, process);
                self.read(index, state, at, &mut Stamp(u64::MAX));
            }
        }
    }

    /// Gives back the writers of threads that ended without saying so.
    pub(super) fn release_threads_gone(&mut self) {
        let live = self
            .memory
            .writers()
            .filter(|(_, writer)| writer.state.load(Relaxed) == WriterState::Live as u32)
            .count();
        if live < self.writers.len() / 2 {
            return;
        }
        for (index, writer) in self.memory.writers() {
            let live = WriterState::Live as u32;
            let known = self.writers.get(index.0 as usize).is_some_and(|watched| watched.tid_known);
            if !known || writer.state.load(Acquire) != live {
                continue;
            }
            let tid = writer.tid.load(Relaxed);
            let process = self.processes.get(writer.process.load(Relaxed) as usize);
            let gone = process.is_some_and(|process| {
                !process.ended && tid != 0 && !procfs::has_thread(process.pid, tid)
            });
            if gone {
                // Unless it said so itself meanwhile, and somebody else has it now.
                let _ =
                    writer.state.compare_exchange(live, WriterState::Ended as u32, AcqRel, Relaxed);
            }
        }
    }

    /// The oldest promise of those who write.
    fn least_promise(&self) -> Stamp {
        let promises = self.writers.iter().enumerate().filter(|(n, _)| {
            is_claimed(self.memory.writer(WriterIndex(*n as u32)).state.load(Acquire))
        });
        promises.map(|(_, watched)| watched.promised).min().unwrap_or(Stamp(0))
    }

    /// Makes room for what is remembered of writers claimed since.
    fn know_writers(&mut self) {
        let claimed = self.memory.writers().len();
        if claimed > self.writers.len() {
            self.writers.resize_with(claimed, Watched::default);
        }
    }

    /// Reads one ring; lowers `watermark` to what its writer promises. Gives how full it was, in
    /// thousandths.
    fn read(&mut self, index: WriterIndex, state: u32, at: Stamp, watermark: &mut Stamp) -> u64 {
        let writer = self.memory.writer(index);
        let watched = &mut self.writers[index.0 as usize];
        let opened = writer.opened.load(Acquire);
        let pending = opened & 1 != 0;
        let stands = watched.opened == opened;
        watched.opened = opened;
        let process = writer.process.load(Relaxed);
        let origin = Origin { process, tid: writer.tid.load(Relaxed) };
        let lane = Lane::ring(index.0);
        let (merge, tallies) = (&mut self.merge, &mut self.tallies);
        let mut newest = watched.promised;
        let pid = self.processes.get(process as usize).map_or(0, |traced| traced.pid);
        let horizon = Stamp(at.0.saturating_add(HORIZON));
        let drained = drain(&self.memory, index, origin, |mut record| {
            // Nothing happens in the future: what says so must not keep all else waiting.
            record.stamp = record.stamp.min(horizon);
            if let Payload::Pair { stack, size, lived } = record.payload {
                return tallies.add(process, stack, size, lived);
            }
            if let Payload::ThreadBegan(name) = &mut record.payload {
                *name = procfs::thread_name(pid, origin.tid);
                watched.tid_known = !name.is_empty();
            }
            // A definition may be younger than what its thread is still about to publish: a
            // realloc's first stamp is older than the stack that it defines.
            if record.payload.is_definition() {
                // It is also older than what its ring told before: there it would have to be put
                // in between, as often as a program has many stacks.
                merge.push(Lane::definitions(index.0), record);
            } else {
                newest = newest.max(record.stamp);
                merge.push(lane, record);
            }
        });
        let traced = self.processes.get(process as usize);
        let gone = traced.is_some_and(|traced| traced.ended);
        watched.promised = if pending && !gone { newest } else { newest.max(at) };
        // A thread may be stopped, or die, between its stamp and its record. The others do not
        // wait for it for ever; what it still has to say will then be said late.
        let standing = pending && !gone && stands;
        let since = standing.then(|| watched.still_since.unwrap_or_else(Instant::now));
        watched.still_since = since;
        if since.is_none_or(|since| since.elapsed() < STANDSTILL) {
            *watermark = (*watermark).min(watched.promised);
        }
        let lost = losses(writer);
        let delta = [0, 1, 2].map(|n| lost[n].saturating_sub(watched.lost[n]));
        watched.lost = lost;
        let since = not_before(self.watermark, traced);
        for (what, count) in KINDS.into_iter().zip(delta) {
            say_lost(merge, since, origin, what, count);
        }
        say_lost(merge, since, origin, Lost::Bytes, drained.damaged_bytes);
        if drained.damaged_bytes > 0 {
            // How many records these bytes were cannot be known: at least one.
            say_lost(merge, since, origin, Lost::Events, 1);
        }
        if (state == WriterState::Ended as u32 || gone)
            && writer.tail.load(Relaxed) == writer.head.load(Acquire)
        {
            tallies.read(&self.memory, index, process);
            reset(writer);
            *watched = Watched::default();
        }
        (drained.bytes * 1000).div_ceil(self.memory.ring_bytes(index))
    }
}

fn is_claimed(state: u32) -> bool {
    state == WriterState::Live as u32 || state == WriterState::Ended as u32
}

/// Makes a writer free for the next thread.
fn reset(writer: &Writer) {
    for counter in [
        &writer.head,
        &writer.tail,
        &writer.lost_allocations,
        &writer.lost_frees,
        &writer.lost_stacks,
        &writer.reentrant_allocations,
        &writer.reentrant_frees,
    ] {
        counter.store(0, Relaxed);
    }
    writer.opened.store(0, Relaxed);
    writer.state.store(WriterState::Free as u32, Release);
}
