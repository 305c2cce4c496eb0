//! The loop that watches: reads every ring, orders what it read, hands it on, and looks after the
//! traced processes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::clock::{Stamp, Ticker, now};
use super::error::CollectError;
use super::memory::{SessionMemory, barrier};
use super::merge::Merge;
use super::procfs;
use super::record::{Payload, Record};
use super::session::Stop;
use super::signals::Signals;
use super::tallies::Tallies;
use super::target::{Target, exit};
use super::told::Told;
use super::translate::Translator;
use super::unseen::UnseenWatch;
use crate::collect::mark::MarkListener;
use crate::event::Exit;

mod executions;
mod notices;
mod processes;
mod rings;
mod round;
mod scan;
mod young;

pub(in crate::collect) use notices::machine_facts;

use executions::Executions;
use notices::Due;
use processes::{Traced, Untraced};
use rings::Watched;
use round::Round;
use young::YoungWatch;

/// Records handed on between two readings of the rings, so that these never fill meanwhile.
const SLICE: usize = 4096;
/// Records that go the last part of the way together: as many as stay in the nearest cache.
pub(super) const BATCH: usize = 256;
/// What is stamped by the clock is at most so much earlier: see the agent's clock.
const BEFORE_CLOCK: Duration = Duration::from_nanos(4);

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
        stop: &Stop,
    ) -> Result<Exit, CollectError> {
        let (mut silence_told, mut target_ended) = (false, false);
        loop {
            let round = self.pass();
            let (to_pass_on, interrupted) = signals.take();
            let signalled = !to_pass_on.is_empty();
            for signal in to_pass_on {
                self.target.signal(signal);
            }
            let elapsed = self.began.elapsed();
            // The round after that finds all that it has left behind.
            let had_ended = std::mem::replace(&mut target_ended, self.target.ended().is_some());
            let all_ended = had_ended
                && self.processes.iter().all(|process| process.ended)
                && !self.executions.are_awaited(procfs::is_alive);
            // With the program gone, whoever signals us means us.
            let told_to_end = interrupted || signalled;
            if (target_ended || self.target.is_elsewhere()) && told_to_end
                || all_ended
                || duration.is_some_and(|duration| elapsed >= duration)
                || stop.is_wanted()
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
                && let Some(pause) = round.pause(self.memory.telling())
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
        let mut round = self.read_rings(at, &mut watermark);
        self.say(at);
        self.watermark = self.watermark.max(watermark);
        self.hand_on(self.watermark, SLICE);
        if self.merge.has_released(self.watermark) {
            self.told.refresh(&self.memory, self.watermark);
        }
        self.calm = if round.found_little() && self.young.is_sparse() {
            self.calm.saturating_add(1)
        } else {
            0
        };
        round.follow(self.calm);
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

    /// Closes the session and reads all that it holds.
    fn read_rest(&mut self) {
        self.memory.close();
        barrier();
        let at = now();
        // A short-lived program may have come and gone since the last pass.
        self.register(at);
        self.watch_ends(at);
        self.read_all_of(&|_| true, at);
        self.take_all_young();
        self.merge_young();
    }

    fn finish(&mut self, scan: Option<Duration>) -> Result<Exit, CollectError> {
        self.note_gap();
        self.ticker = None;
        match scan {
            Some(limit) => self.scan(limit),
            None => self.read_rest(),
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

fn describe(exit: Exit) -> String {
    match exit {
        Exit::Status(status) => format!("it ended with status {status}"),
        Exit::Signal(signal) => format!("it was ended by signal {signal}"),
        _ => String::from("how it ended is not known"),
    }
}
