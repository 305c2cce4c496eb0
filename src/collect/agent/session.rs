//! A program run under the agent: prepared, watched, and waited for.

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use unfreed_wire::Telling;

use super::clock::{Clock, utc_offset_minutes};
use super::collector::Collector;
use super::door::Door;
use super::embedded::{AgentFile, has_agent};
use super::error::CollectError;
use super::memory::SessionMemory;
use super::obstacle::obstacle;
use super::sigbus::struck;
use super::signals::{Signals, survive_limits};
use super::target::{Elsewhere, Target, exit, find_program};
use super::translate::{Identify, Translator};
use crate::collect::mark::MarkListener;
use crate::collect::sink::Sink;
use crate::event::{Bytes, Exit};

/// Between two looks at a program that is no longer watched.
const PAUSE: Duration = Duration::from_millis(4);

/// A program that is ready to be run under the agent.
pub struct Session {
    starts: Starts,
    memory: SessionMemory,
    door: Option<Door>,
    marks: Option<MarkListener>,
    clock: Clock,
    started: SystemTime,
    /// Mean bytes from one sampling point to the next.
    sample: Option<Bytes>,
    /// How long the processes may stand still to be scanned, if they are to be.
    scan: Option<Duration>,
    signals: Option<Signals>,
    stop: Stop,
}

/// Ends the watching from elsewhere, as if its time were over.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Ends it; the program runs on.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(in crate::collect) fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Who starts the program.
enum Starts {
    /// We do.
    Here { program: PathBuf, command: Vec<OsString>, stdout: Stdio, agent: AgentFile },
    /// Somebody else does, and tells the agent of the session.
    Elsewhere(Box<dyn Elsewhere>),
}

/// A program that outlived the watching of it.
pub struct Unwatched {
    target: Target,
    signals: Signals,
    // The loader needs it for as long as the program may start others.
    _agent: Option<AgentFile>,
}

impl Session {
    /// Finds the program, makes sure that it can be traced, and prepares everything but itself.
    ///
    /// # Errors
    /// See [`CollectError`]; nothing has been run.
    pub fn prepare(command: &[OsString]) -> Result<Session, CollectError> {
        let name = command.first().map(OsString::as_os_str).unwrap_or_default();
        let program = find_program(name)?;
        if let Some((path, obstacle)) = obstacle(&program) {
            return Err(CollectError::Obstacle { path, obstacle });
        }
        survive_limits();
        let agent = AgentFile::create()?;
        let memory =
            SessionMemory::create().map_err(CollectError::system("cannot make shared memory"))?;
        let door = Door::open(agent.directory(), memory.file())
            .map_err(|error| {
                tracing::warn!("programs that become another user cannot be traced: {error}");
            })
            .ok();
        let marks = listen();
        let (clock, started) = (Clock::start(), SystemTime::now());
        let (command, stdout) = (command.to_vec(), Stdio::inherit());
        let starts = Starts::Here { program, command, stdout, agent };
        let signals = None;
        Ok(Session {
            starts,
            memory,
            door,
            marks,
            clock,
            started,
            sample: None,
            scan: None,
            signals,
            stop: Stop::default(),
        })
    }

    /// Prepares to watch a program that somebody else starts. From now on no signal that asks to
    /// end does so by itself, so that whatever `prepare` makes can be undone. It gives the file to
    /// be the session, new and empty, and who starts the program.
    ///
    /// # Errors
    /// See [`CollectError`]; nothing has been run.
    pub fn elsewhere(
        prepare: impl FnOnce() -> Result<(File, Box<dyn Elsewhere>), CollectError>,
    ) -> Result<Session, CollectError> {
        if !has_agent() {
            return Err(CollectError::NoAgent);
        }
        let signals = Some(Signals::take_over());
        let (file, elsewhere) = prepare()?;
        let memory = SessionMemory::on(file)
            .map_err(CollectError::system("cannot make the session's memory"))?;
        let marks = listen();
        let (clock, started) = (Clock::start(), SystemTime::now());
        let starts = Starts::Elsewhere(elsewhere);
        let (door, sample, scan, stop) = (None, None, None, Stop::default());
        Ok(Session { starts, memory, door, marks, clock, started, sample, scan, signals, stop })
    }

    /// Samples: on average one of every so many bytes allocated; 0 sees every allocation.
    pub fn sample(mut self, mean: Bytes) -> Session {
        self.sample = (mean.0 > 0).then_some(mean);
        if mean.0 > 0 {
            self.memory.set_telling(Telling::Sample, mean.0);
        }
        self
    }

    /// Once the watching ends while processes still run, looks which of their blocks are still referenced;
    /// for that all of them together stand still for no longer than this.
    pub fn scan(mut self, limit: Option<Duration>) -> Session {
        self.scan = limit;
        self
    }

    /// Sends what the program writes to standard output elsewhere; else it goes to ours.
    pub fn stdout(mut self, to: impl Into<Stdio>) -> Session {
        if let Starts::Here { stdout, .. } = &mut self.starts {
            *stdout = to.into();
        }
        self
    }

    /// Has every allocation and free told by itself; else blocks that die young are only counted.
    pub fn every_event(mut self, each: bool) -> Session {
        if each {
            self.memory.set_telling(Telling::Everything, 0);
        }
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

    /// Runs the program and hands on every event until it, and every traced process it started,
    /// has ended, or `duration` is over; then the program, if it still runs, is what remains.
    ///
    /// # Errors
    /// See [`CollectError`]. What was handed on before stays true.
    pub fn watch(
        self,
        duration: Option<Duration>,
        identify: Identify<'_>,
        sink: &mut dyn Sink,
    ) -> Result<(Exit, Unwatched), CollectError> {
        let Session { starts, memory, door, marks, clock, sample, scan, signals, stop, .. } = self;
        let signals = signals.unwrap_or_else(Signals::take_over);
        let (target, agent) = match starts {
            Starts::Here { program, command, stdout, agent } => {
                let (path, variable) = (agent.path(), memory.variable(door.as_ref()));
                (Target::start(&program, &command, stdout, &path, &variable)?, Some(agent))
            }
            Starts::Elsewhere(mut elsewhere) => {
                elsewhere.start()?;
                (Target::Elsewhere(elsewhere), None)
            }
        };
        let translator = Translator::new(clock, sample, identify, sink);
        let mut collector = Collector::new(translator, memory, target, marks)
            .map_err(CollectError::system("cannot start a thread"))?;
        let exit = collector.run(&signals, duration, scan, &stop);
        drop(door);
        if struck() {
            return Err(CollectError::CutShort);
        }
        Ok((exit?, Unwatched { target: collector.into_target(), signals, _agent: agent }))
    }
}

fn listen() -> Option<MarkListener> {
    MarkListener::open()
        .map_err(|error| tracing::warn!("`unfreed mark` will not reach this trace: {error}"))
        .ok()
}

impl Unwatched {
    /// Waits until the program has ended, passing signals on.
    pub fn wait(mut self) -> Exit {
        loop {
            if let Some(status) = self.target.ended() {
                return exit(status);
            }
            for signal in self.signals.take().0 {
                self.target.signal(signal);
            }
            std::thread::sleep(PAUSE);
        }
    }
}
