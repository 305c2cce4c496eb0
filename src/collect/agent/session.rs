//! A program run under the agent: prepared, watched, and waited for.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use super::clock::{Clock, utc_offset_minutes};
use super::collector::Collector;
use super::embedded::AgentFile;
use super::error::CollectError;
use super::memory::SessionMemory;
use super::obstacle::obstacle;
use super::signals::Signals;
use super::target::{Target, exit, find_program};
use super::translate::{Identify, Sink, Translator};
use crate::collect::mark::MarkListener;
use crate::event::{Bytes, Exit};

/// Between two looks at a program that is no longer watched.
const PAUSE: Duration = Duration::from_millis(4);

/// A program that is ready to be run under the agent.
pub struct Session {
    program: PathBuf,
    command: Vec<OsString>,
    stdout: Stdio,
    agent: AgentFile,
    memory: SessionMemory,
    marks: Option<MarkListener>,
    clock: Clock,
    started: SystemTime,
    /// Mean bytes from one sampling point to the next.
    sample: Option<Bytes>,
}

/// A program that outlived the watching of it.
pub struct Unwatched {
    target: Target,
    signals: Signals,
    // The loader needs it for as long as the program may start others.
    _agent: AgentFile,
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
        let measuring = Clock::measure()?;
        let agent = AgentFile::create()?;
        let memory =
            SessionMemory::create().map_err(CollectError::system("cannot make shared memory"))?;
        let marks = MarkListener::open()
            .map_err(|error| tracing::warn!("`unfreed mark` will not reach this trace: {error}"))
            .ok();
        let (clock, started) = (measuring.finish(), SystemTime::now());
        let command = command.to_vec();
        let stdout = Stdio::inherit();
        let sample = None;
        Ok(Session { program, command, stdout, agent, memory, marks, clock, started, sample })
    }

    /// Samples: on average one of every so many bytes allocated; 0 sees every allocation. Asked for
    /// before anything is written anywhere.
    ///
    /// # Errors
    /// [`CollectError::CannotSample`], for as long as the agent cannot.
    pub fn sample(mut self, mean: Bytes) -> Result<Session, CollectError> {
        self.sample = (mean.0 > 0).then_some(mean);
        match self.sample {
            Some(_) => Err(CollectError::CannotSample),
            None => Ok(self),
        }
    }

    /// Sends what the program writes to standard output elsewhere; else it goes to ours.
    pub fn stdout(mut self, to: impl Into<Stdio>) -> Session {
        self.stdout = to.into();
        self
    }

    /// When time 0 of the events is.
    pub fn started(&self) -> SystemTime {
        self.started
    }

    /// Minutes east of UTC on this machine.
    pub fn utc_offset_minutes(&self) -> i32 {
        utc_offset_minutes(self.started)
    }

    /// Ticks per second of the clock that the events' times were made from.
    pub fn hertz(&self) -> u64 {
        self.clock.hertz()
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
        sink: Sink<'_>,
    ) -> Result<(Exit, Unwatched), CollectError> {
        let signals = Signals::take_over();
        let Session { program, command, stdout, agent, memory, marks, clock, .. } = self;
        let (agent_path, variable) = (agent.path(), memory.variable());
        let target = Target::start(&program, &command, stdout, &agent_path, &variable)?;
        let translator = Translator::new(clock, identify, sink);
        let mut collector = Collector::new(translator, memory, target, marks);
        let exit = collector.run(&signals, duration)?;
        Ok((exit, Unwatched { target: collector.into_target(), signals, _agent: agent }))
    }
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
