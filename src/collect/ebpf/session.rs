//! Attaching, from finding the processes to letting go of them.

use std::time::{Duration, SystemTime};

use super::collector::Collector;
use super::error::AttachError;
use super::growth::Grown;
use super::layout::SLOTS;
use super::load::{Links, Probe, Purpose, Sizes};
use super::losses::Losses;
use super::modules::Modules;
use super::obstacle::{self, Kernel};
use super::who::{Who, running};
use crate::collect::agent::clock::{Clock, utc_offset_minutes};
use crate::collect::agent::signals::Signals;
use crate::collect::agent::translate::Translator;
use crate::collect::agent::{Identify, Stop};
use crate::collect::mark::MarkListener;
use crate::collect::sink::Sink;
use crate::event::Bytes;

/// Rows of unwind tables that fit: 64 MiB of them, of which the kernel takes what is written.
const ROWS: u32 = 4 << 20;
/// Bytes of the ring.
const RING: u32 = 16 << 20;
/// Threads that can be told apart, at least.
const THREADS: u32 = 8 << 10;

/// Blocks of a sample that can live at once, at least: 16 GiB of one in 64 KiB.
const SAMPLED: u32 = 256 << 10;

/// What is to be attached to.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Whom.
    pub who: Vec<Who>,
    /// Whether to wait for processes of these names that are not there yet.
    pub wait: bool,
    /// Whether only to see who makes their memory grow: [`Attach::triage`].
    pub triage: bool,
    /// On average one of every so many bytes allocated is told of; `None`: every allocation.
    pub sample: Option<Bytes>,
}

/// Processes about to be attached to.
pub struct Attach {
    wish: Wish,
    pids: Vec<u32>,
    collector: Parts,
    marks: Option<MarkListener>,
    clock: Clock,
    started: SystemTime,
    stop: Stop,
    scan: Option<Duration>,
}

/// What a rehearsal found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsed {
    /// Whether one link holds all places of a file.
    pub multi: bool,
    /// Why there is no triage, if there is none.
    pub no_triage: Option<String>,
    /// Whether processes that filter their system calls are refused.
    pub filters_refused: bool,
    /// The kernel's lockdown, which is one that lets the probe be.
    pub lockdown: Option<String>,
}

/// Loads the probe, with small tables, and lets go of it: so one knows whether this machine can.
///
/// # Errors
/// What stands against it.
pub fn rehearse() -> Result<Rehearsed, AttachError> {
    obstacle::everywhere()?;
    let sizes = Sizes { ring: 1 << 16, rows: 1 << 10, threads: 64, sampled: 64 };
    let purpose = Purpose::Allocations(Links::Few, None);
    let multi = Probe::load(sizes, false, purpose)?.0.is_multi();
    let triage = Probe::load(sizes, false, Purpose::Growth);
    Ok(Rehearsed {
        multi,
        no_triage: triage.err().map(|error| error.to_string()),
        filters_refused: Kernel::here().is_some_and(Kernel::returns_are_filtered),
        lockdown: obstacle::lockdown(),
    })
}

struct Parts {
    probe: Probe,
    ends: super::load::Ends,
}

impl Attach {
    /// Finds the processes and loads the probe. Nothing is done to anybody yet.
    ///
    /// # Errors
    /// See [`AttachError`].
    pub fn prepare(wish: Wish) -> Result<Attach, AttachError> {
        let mut pids = Vec::new();
        for who in &wish.who {
            let found = running(who);
            if found.is_empty() && (!wish.wait || who.is_one()) {
                return Err(AttachError::NoSuch(who.text()));
            }
            pids.extend(found);
        }
        pids.sort_unstable();
        pids.dedup();
        if pids.len() >= SLOTS as usize {
            return Err(AttachError::Unable(format!(
                "{} processes are more than can be traced at once",
                pids.len()
            )));
        }
        obstacle::everywhere()?;
        for pid in &pids {
            match obstacle::of(*pid) {
                // Of many some may have ended meanwhile: they are told of with the rest.
                Err(AttachError::NoSuch(_)) if pids.len() > 1 || wish.wait => {}
                looked => looked?,
            }
        }
        let sizes = Sizes { ring: RING, rows: ROWS, threads: THREADS, sampled: SAMPLED };
        let purpose = match wish.triage {
            true => Purpose::Growth,
            false => Purpose::Allocations(Links::Few, wish.sample),
        };
        let (probe, ends) = Probe::load(sizes, wish.wait, purpose)?;
        if wish.wait {
            // Whoever began while the probe was loaded.
            pids.extend(wish.who.iter().flat_map(running));
            pids.sort_unstable();
            pids.dedup();
        }
        let marks = MarkListener::open()
            .map_err(|error| tracing::warn!("`unfreed mark` will not reach this trace: {error}"))
            .ok();
        let (clock, started) = (Clock::start(), SystemTime::now());
        let collector = Parts { probe, ends };
        Ok(Attach {
            wish,
            pids,
            collector,
            marks,
            clock,
            started,
            stop: Stop::default(),
            scan: None,
        })
    }

    /// At the end of the watching, looks which blocks the memory of those that still run refers to; they stand still for
    /// it, together at most so long.
    #[must_use]
    pub fn scan(mut self, limit: Option<Duration>) -> Attach {
        self.scan = limit;
        self
    }

    /// What ends the watching from elsewhere.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// When time 0 of the events is.
    pub fn started(&self) -> SystemTime {
        self.started
    }

    /// Minutes east of UTC on this machine.
    pub fn utc_offset_minutes(&self) -> i32 {
        utc_offset_minutes(self.started)
    }

    /// Attaches, and hands on every event until all processes have ended (none of them is waited for), `duration` is
    /// over, or a signal or [`Attach::stop`] asks for the end. Then the probes are gone and the processes run on as before.
    ///
    /// # Errors
    /// See [`AttachError`]. What was handed on before stays true.
    pub fn watch(
        self,
        duration: Option<Duration>,
        identify: Identify<'_>,
        sink: &mut dyn Sink,
    ) -> Result<(), AttachError> {
        self.go(duration, identify, sink).map(drop)
    }

    /// The same for who makes the memory of the processes grow. Each part that grew is told to the sink as one block, in the
    /// order in which the result has the parts: so they get their stacks.
    ///
    /// # Errors
    /// See [`AttachError`].
    pub fn triage(
        self,
        duration: Option<Duration>,
        identify: Identify<'_>,
        sink: &mut dyn Sink,
    ) -> Result<Vec<Grown>, AttachError> {
        self.go(duration, identify, sink)
    }

    fn go(
        self,
        duration: Option<Duration>,
        identify: Identify<'_>,
        sink: &mut dyn Sink,
    ) -> Result<Vec<Grown>, AttachError> {
        let Attach {
            wish, pids, collector: Parts { probe, ends }, marks, clock, stop, scan, ..
        } = self;
        let signals = Signals::take_over();
        let translator = Translator::new(clock, wish.sample, identify, sink);
        let modules = Modules::new(&ends.rows, ROWS)?;
        let losses = Losses::new(&ends.losses)?;
        let mut collector =
            Collector::new(translator, probe, ends.ring, modules, losses, marks, wish);
        collector.attach_first(&pids)?;
        collector.run(&signals, &stop, duration, scan)?;
        Ok(collector.grown())
    }
}
