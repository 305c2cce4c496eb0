//! A capture that is under way: takes deliveries, looks at the processes, and sees when it is over.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use super::EtwError;
use super::collector::{Collector, Lane, Said};
use super::ffi::{self, Seen};
use super::intake::{Intake, Rest};
use super::listener::{self, Listener};
use super::order::Batch;
use super::session::{Control, Watched};
use super::suspended::Running;
use super::undo::Undo;
use crate::event::{Exit, Fact, FactKind, Mark, Metric, Sample};

/// How often the processes are looked at, and sessions asked for their losses.
const TICK: Duration = Duration::from_secs(1);
/// How long a stopped session may take to deliver the next of the rest.
const REST: Duration = Duration::from_secs(30);

/// A capture that is under way.
pub struct Watching<'a> {
    /// Takes what is delivered.
    pub collector: Collector<'a>,
    /// Where it comes from.
    pub from: Intake<(Lane, Batch)>,
    /// Marks that are put in.
    pub marks: Receiver<Mark>,
    /// Who acts on it from elsewhere.
    pub control: Control,
    /// Those of heaps and of the system.
    pub sessions: [Listener; 2],
    /// The program that was started.
    pub running: Option<Running>,
    /// The processes that are looked at.
    pub seen: Vec<(u32, Seen)>,
    /// Whether others may come.
    pub waits: bool,
    /// Losses told so far.
    pub told: u64,
    /// Events and buffers that the sessions lost, as they said last.
    pub lost: (u32, u32),
    /// Records that were too long to be any.
    pub dropped: Arc<AtomicU64>,
    /// What has to be undone. The last: a session that is stopped must not wait for deliveries that nobody takes.
    pub undo: Undo,
}

impl Watching<'_> {
    /// Watches until the end, and undoes what was changed.
    ///
    /// # Errors
    /// See [`EtwError`].
    pub fn run(mut self, duration: Option<Duration>) -> Result<Watched, EtwError> {
        let (began, exit) = self.follow(duration)?;
        // Whatever becomes of the rest, which takes its time.
        self.undo.put_flags_back();
        // Meanwhile their deliveries are taken, so that neither waits for the other.
        let names = self.sessions.each_ref().map(|session| session.name.clone());
        let stopping = std::thread::spawn(move || names.map(|name| listener::stop(&name)).to_vec());
        let rest = self.from.rest(stopping, REST, &mut |(lane, batch)| {
            self.collector.put(lane, batch);
            self.collector.advance(ffi::now())
        });
        self.tell_rest(&rest?);
        let Watching { collector, running, undo, lost, .. } = self;
        drop(undo);
        let ended = collector.finish(began.elapsed().as_secs(), lost)?;
        let running = running.filter(|_| exit == Exit::StillRunning);
        Ok(Watched { ended, exit, running })
    }

    /// Follows until the end; when it began, and how the program ended.
    fn follow(&mut self, duration: Option<Duration>) -> Result<(Instant, Exit), EtwError> {
        let began = Instant::now();
        let mut next = began;
        loop {
            let more = self.from.take(&mut |(lane, batch)| self.collector.put(lane, batch));
            while let Ok(mark) = self.marks.try_recv() {
                self.collector.say(0, ffi::now(), Said::Mark(&mark));
            }
            self.collector.advance(ffi::now())?;
            if !more || self.sessions.iter().any(Listener::is_over) {
                let why = self.ended();
                self.collector.cut_short(why, ffi::now())?;
                return Ok((began, self.exit()));
            }
            if Instant::now() >= next {
                next = Instant::now() + TICK;
                self.tick();
            }
            if self.control.end.swap(false, Ordering::Relaxed)
                && let Some(running) = &mut self.running
            {
                running.end();
            }
            if let Some(exit) = self.running.as_mut().and_then(Running::ended) {
                return Ok((began, exit));
            }
            let over = duration.is_some_and(|duration| began.elapsed() >= duration);
            let asked = self.control.stop.load(Ordering::Relaxed) || ffi::interrupted();
            if over || asked || (self.running.is_none() && !self.waits && self.all_ended()) {
                return Ok((began, self.exit()));
            }
        }
    }

    /// Looks at the processes' memory and at what the sessions lost.
    fn tick(&mut self) {
        let known: BTreeSet<u32> = self.seen.iter().map(|(pid, _)| *pid).collect();
        let new: Vec<u32> = self.collector.traced().difference(&known).copied().collect();
        for pid in new {
            let Some(seen) = Seen::open(pid) else { continue };
            if seen.is_narrow() {
                say_narrow(&mut self.collector, pid);
            }
            self.seen.push((pid, seen));
        }
        for (pid, seen) in &self.seen {
            if seen.ended().is_some() {
                continue;
            }
            let (private, resident) = seen.memory();
            for (metric, value) in [(Metric::PrivateBytes, private), (Metric::Rss, resident)] {
                let Some(value) = value else { continue };
                let sample = Sample { metric, value };
                self.collector.say(*pid, ffi::now(), Said::Sample(sample));
            }
        }
        let lost = self.sessions.each_ref().map(Listener::lost);
        self.tell_lost(sum(&lost));
    }

    fn tell_lost(&mut self, lost: (u32, u32)) {
        // One that cannot be asked any more has lost nothing less.
        self.lost = (self.lost.0.max(lost.0), self.lost.1.max(lost.1));
        let lost = self.lost;
        let dropped = self.dropped.load(Ordering::Relaxed);
        let all = u64::from(lost.0) + u64::from(lost.1) + dropped;
        self.collector.lost(all.saturating_sub(self.told));
        self.told = self.told.max(all);
    }

    /// Whether those that could be opened have ended: one that cannot be any more is gone.
    fn all_ended(&self) -> bool {
        self.seen.iter().all(|(_, seen)| seen.ended().is_some())
    }

    /// Tells what stopped sessions lost.
    fn tell_rest(&mut self, rest: &Rest) {
        let lost: Vec<_> = rest.stopped.iter().filter_map(|one| one.ok()).collect();
        self.tell_lost(sum(&lost));
        if !rest.is_whole {
            tracing::warn!("a session did not end: what it holds back is lost");
            self.collector.lost(1);
        }
    }

    /// How the program ended, if the watching ends before it.
    fn exit(&self) -> Exit {
        if self.running.is_some() { Exit::StillRunning } else { Exit::Unknown }
    }

    /// Which session ended by itself, and why.
    fn ended(&mut self) -> EtwError {
        let [heap, system] = &mut self.sessions;
        let ended = if heap.is_over() { heap } else { system };
        EtwError::Ended { which: ended.which, code: ended.code() }
    }
}

/// What both sessions lost: events and buffers.
fn sum(lost: &[(u32, u32)]) -> (u32, u32) {
    lost.iter().fold((0, 0), |sum: (u32, u32), one| {
        (sum.0.saturating_add(one.0), sum.1.saturating_add(one.1))
    })
}

/// Says of a process of 32 bits what is not known of it.
fn say_narrow(collector: &mut Collector<'_>, pid: u32) {
    let fact = Fact {
        kind: FactKind::Capture,
        subject: format!("process {pid} has 32 bits on a system of 64"),
        value: Some(
            "what its heaps log is not proven: whatever does not fit is counted as lost".to_owned(),
        ),
    };
    collector.say(0, ffi::now(), Said::Fact(&fact));
}
