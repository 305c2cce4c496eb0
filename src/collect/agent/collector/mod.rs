//! The loop that watches: reads every ring, orders what it read, hands it on, and looks after the
//! traced processes.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{Duration, Instant};

use unfreed_wire::{Writer, WriterState};

use super::clock::{Stamp, Ticker, now};
use super::drain::drain;
use super::error::CollectError;
use super::memory::{SessionMemory, WriterIndex, barrier};
use super::merge::{Lane, Merge};
use super::procfs;
use super::record::{Origin, Payload, Record};
use super::signals::Signals;
use super::tallies::Tallies;
use super::target::{Target, exit};
use super::told::Told;
use super::translate::Translator;
use super::unseen::UnseenWatch;
use crate::collect::mark::MarkListener;
use crate::event::{Exit, Lost};

mod executions;
mod notices;
mod processes;
mod scan;
mod young;

use executions::Executions;
use notices::{Due, KINDS, losses, not_before, say_lost};
use processes::{Traced, Untraced};
use young::YoungWatch;

/// Records handed on between two readings of the rings, so that these never fill meanwhile.
const SLICE: usize = 4096;
/// Records that go the last part of the way together: as many as stay in the nearest cache.
pub(super) const BATCH: usize = 256;
/// A ring that had so much in it, in thousandths of its size, is read again at once.
const BUSY: u64 = 125;
/// One that had no more than so much in it can wait for longer. Every round takes the processor from
/// somebody or wakes one that sleeps, and interrupts the traced threads.
const CALM: u64 = 10;
/// So many such rounds in a row make a calm.
const CALM_ROUNDS: u32 = 32;
/// No thread fills its ring faster: bytes in a microsecond.
const FASTEST: u64 = 1 << 10;
/// Most that may wait, in plain records; beyond it the rings are left to fill, and count what they drop.
const MOST_WAITING: usize = 1 << 22;
/// How long a thread may stand still in the middle of a record before the others go on.
const STANDSTILL: Duration = Duration::from_secs(5);
const PAUSES: (Duration, Duration) = (Duration::from_micros(500), Duration::from_millis(4));

/// Nanoseconds by which a stamp may be ahead of the clock.
const HORIZON: u64 = 1_000_000_000;
/// What is stamped by the clock is at most so much earlier: see the agent's clock.
const BEFORE_CLOCK: Duration = Duration::from_nanos(4);

/// What the collector remembers of a writer.
#[derive(Clone, Copy, Default)]
struct Watched {
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

/// What one round found of the rings.
struct Round {
    /// How full the fullest was, in thousandths.
    fullest: u64,
    /// Bytes of the smallest in use.
    smallest: u64,
    /// Whether little has happened for a while.
    calm: bool,
}

impl Round {
    /// How long the next can wait.
    fn pause(&self) -> Option<Duration> {
        match self.fullest {
            0 => Some(PAUSES.1),
            // In a calm there may be a burst at any time.
            fullest if fullest <= CALM && self.calm => {
                let full = Duration::from_micros(self.smallest / FASTEST);
                Some(full.clamp(PAUSES.0, PAUSES.1))
            }
            BUSY.. => None,
            _ => Some(PAUSES.0),
        }
    }
}

/// The state of the watching.
pub(super) struct Collector<'a> {
    translator: Translator<'a>,
    merge: Merge,
    /// What is on its way out of it; empty in between.
    batch: Vec<Record>,
    memory: Arc<SessionMemory>,
    ticker: Option<Ticker>,
    writers: Vec<Watched>,
    tallies: Tallies,
    young: YoungWatch,
    told: Told,
    processes: Vec<Traced>,
    /// Those found to have ended, whose end has not been told.
    ending: Vec<(u32, Exit)>,
    target: Target,
    marks: Option<MarkListener>,
    watermark: Stamp,
    /// Rounds in a row that found little.
    calm: u32,
    began: Instant,
    due: Due,
    /// What ran and was not traced.
    untraced: Vec<Untraced>,
    unseen: UnseenWatch,
    executions: Executions,
    /// Since when the next process has been about to register.
    registering_since: Option<Instant>,
    facts_said: bool,
    /// How many processes that found no entry have been told of.
    unregistered: u32,
}

impl<'a> Collector<'a> {
    pub(super) fn new(
        translator: Translator<'a>,
        memory: SessionMemory,
        target: Target,
        marks: Option<MarkListener>,
    ) -> std::io::Result<Collector<'a>> {
        let memory = Arc::new(memory);
        Ok(Collector {
            translator,
            merge: Merge::default(),
            batch: Vec::with_capacity(BATCH),
            ticker: Some(Ticker::start(memory.clone())?),
            writers: Vec::new(),
            tallies: Tallies::default(),
            young: YoungWatch::new(now()),
            told: Told::new(memory.telling()),
            memory,
            processes: Vec::new(),
            ending: Vec::new(),
            target,
            marks,
            watermark: Stamp(0),
            calm: 0,
            began: Instant::now(),
            due: Due::default(),
            untraced: Vec::new(),
            unseen: UnseenWatch::start()?,
            executions: Executions::default(),
            registering_since: None,
            facts_said: false,
            unregistered: 0,
        })
    }

    /// The program, once it is no longer watched.
    pub(super) fn into_target(self) -> Target {
        self.target
    }

    /// Watches until the program and all it started have ended, or `duration` is over.
    pub(super) fn run(
        &mut self,
        signals: &Signals,
        duration: Option<Duration>,
        scan: Option<Duration>,
    ) -> Result<Exit, CollectError> {
        let mut silence_told = false;
        loop {
            let round = self.pass();
            let (to_pass_on, interrupted) = signals.take();
            let signalled = !to_pass_on.is_empty();
            for signal in to_pass_on {
                self.target.signal(signal);
            }
            let elapsed = self.began.elapsed();
            let target_ended = self.target.ended().is_some();
            let all_ended = self.processes.iter().all(|process| process.ended);
            // With the program gone, whoever signals us means us.
            let told_to_end = interrupted || signalled;
            if (target_ended || self.target.is_elsewhere()) && told_to_end
                || target_ended && all_ended
                || duration.is_some_and(|duration| elapsed >= duration)
                || self.translator.has_failed()
            {
                break;
            }
            if !silence_told && self.processes.is_empty() && elapsed > Duration::from_secs(3) {
                tracing::warn!("the agent has not reported from the program yet");
                silence_told = true;
            }
            // What waits for its watermark does not come sooner for being asked after all the time.
            if self.merge.has_released(self.watermark)
                && let Some(pause) = round.pause()
            {
                std::thread::sleep(pause);
            }
        }
        self.finish(scan)
    }

    /// One round: reads every ring and hands on what is ready.
    fn pass(&mut self) -> Round {
        // First the table: what is put there later is stamped later, and what left it for a ring
        // before is found in the ring.
        self.look_at_young();
        let at = self.memory.publish(now()).before(BEFORE_CLOCK);
        barrier();
        let mut watermark = self.register(at).min(self.young.promised());
        self.merge_young();
        let mut round = Round { fullest: 0, smallest: u64::MAX, calm: false };
        let full = self.merge.weight() >= MOST_WAITING;
        self.know_writers();
        for n in 0..self.writers.len() {
            let index = WriterIndex(n as u32);
            let state = self.memory.writer(index).state.load(Acquire);
            if state == WriterState::Live as u32 || state == WriterState::Ended as u32 {
                round.smallest = round.smallest.min(self.memory.ring_bytes(index));
                if full {
                    watermark = watermark.min(self.writers[n].promised);
                } else {
                    let fullness = self.read(index, state, at, &mut watermark);
                    round.fullest = round.fullest.max(fullness);
                }
            }
        }
        self.say(at);
        self.watermark = self.watermark.max(watermark);
        self.hand_on(self.watermark, SLICE);
        if self.merge.has_released(self.watermark) {
            self.told.refresh(&self.memory, self.watermark);
        }
        let calm = round.fullest <= CALM && self.young.is_sparse();
        self.calm = if calm { self.calm.saturating_add(1) } else { 0 };
        round.calm = self.calm >= CALM_ROUNDS;
        round
    }

    /// Hands on what is stamped at this time or before: at most so many records.
    fn hand_on(&mut self, watermark: Stamp, most: usize) {
        let Collector { translator, told, memory, merge, batch, .. } = self;
        let mut left = most;
        loop {
            merge.release(watermark, left.min(BATCH), batch);
            if batch.is_empty() {
                return;
            }
            left -= batch.len();
            told.hand_on(memory, batch);
            translator.translate(batch);
        }
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
                merge.push(Lane::DEFINITIONS, record);
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

    fn finish(&mut self, scan: Option<Duration>) -> Result<Exit, CollectError> {
        self.ticker = None;
        let copies = scan.map(|limit| self.copy_processes(limit));
        self.memory.close();
        barrier();
        let at = now();
        // A short-lived program may have come and gone since the last pass.
        self.register(at);
        self.watch_ends(at);
        self.read_all_of(&|_| true, at);
        self.take_all_young();
        self.merge_young();
        if let Some(copies) = copies {
            self.scan(copies);
        }
        self.say_executions(true);
        let found = self.unseen.finish();
        self.say_unseen(found);
        let last = now();
        self.tell_tallies(last, |_| true);
        self.control(last, 0, Payload::Epoch);
        for index in 0..self.processes.len() {
            if !self.processes[index].ended {
                self.control(last, index as u32, Payload::ProcessEnded(Exit::StillRunning));
            }
        }
        self.hand_on(Stamp(u64::MAX), usize::MAX);
        if let Some(error) = self.translator.failure() {
            return Err(CollectError::Sink(error));
        }
        let exit = self.target.ended().map_or(Exit::StillRunning, exit);
        // Of the program itself, or of everything, nothing was seen: then there is nothing to say.
        let target = self.target.pid();
        let nothing = self.nothing_traced();
        if let Some(Untraced { program, why, .. }) =
            self.untraced.iter().find(|untraced| untraced.pid == target || nothing)
        {
            let (program, why) = (program.clone(), why.clone());
            return Err(CollectError::Untraced { program, why });
        }
        if self.processes.is_empty() {
            return Err(CollectError::NeverReported {
                exit: describe(exit),
                why: String::from(
                    "it, or a program it started, may clear its environment, change its privileges, or \
                     run where this one's files are not seen",
                ),
            });
        }
        Ok(exit)
    }
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

fn describe(exit: Exit) -> String {
    match exit {
        Exit::Status(status) => format!("it ended with status {status}"),
        Exit::Signal(signal) => format!("it was ended by signal {signal}"),
        _ => String::from("how it ended is not known"),
    }
}
