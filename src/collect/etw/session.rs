//! A capture: two sessions of Windows, the process or processes, and the collector between them.
//!
//! The session of processes and images begins first, so that a program that we start is seen from its beginning; that of heaps needs
//! its number, and both are listened to before it runs. What a session holds back comes within a second; what it loses is
//! asked for as often and told. Nothing waits without an end: a session that cannot be heard is an error at once, one
//! that delivers nothing is one in the end.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, SystemTime};

use super::collector::{Clock, Collector, Ended, Identify, Lane, Traced};
use super::error::{ALREADY_EXISTS, Which};
use super::ffi::{self, Interrupts, Seen};
use super::host::Host;
use super::intake::{Intake, WAITING};
use super::listener::Listener;
use super::log::{About, Log};
use super::order::Batch;
use super::paths::Drives;
use super::properties::{self, Buffers, KERNEL_LOGGER};
use super::suspended::{Running, Suspended};
use super::undo::{self, Undo, filetime};
use super::watching::Watching;
use super::{EtwError, flag, own};
use crate::collect::sink::Sink;
use crate::event::{Exit, Mark};

/// Whose heaps.
#[derive(Clone, Debug)]
pub enum Target {
    /// A program that is started.
    Run(Vec<OsString>),
    /// Processes that run, by number.
    Attach(Vec<u32>),
    /// Processes that start later, by file name.
    Await(Vec<String>),
}

/// Acts on a capture from elsewhere.
#[derive(Clone, Debug)]
pub struct Control {
    pub(super) stop: Arc<AtomicBool>,
    pub(super) end: Arc<AtomicBool>,
    marks: SyncSender<Mark>,
}

impl Control {
    /// Ends the watching; the processes run on.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Ends the program that was started.
    pub fn end_program(&self) {
        self.end.store(true, Ordering::Relaxed);
    }

    /// Puts a mark into the trace.
    ///
    /// # Errors
    /// Too many wait already.
    pub fn mark(&self, mark: Mark) -> Result<(), String> {
        self.marks.try_send(mark).map_err(|error| error.to_string())
    }
}

/// A capture that is about to begin.
pub struct Session {
    target: Target,
    host: Host,
    clock: Clock,
    started: SystemTime,
    settings: Vec<String>,
    log: Option<PathBuf>,
    /// Where the program's output goes, if not to our console.
    output: Option<File>,
    control: Control,
    marks: Receiver<Mark>,
}

/// How a capture ended.
#[derive(Debug)]
pub struct Watched {
    /// What came of it.
    pub ended: Ended,
    /// How the program ended that was started.
    pub exit: Exit,
    /// It, if it still runs.
    pub running: Option<Running>,
}

impl Session {
    /// Makes ready for a capture; nothing is started yet. What an earlier run left is undone first.
    ///
    /// # Errors
    /// This Windows is too old, or there is no such process, or sessions cannot be started or not be heard.
    pub fn prepare(target: Target) -> Result<Session, EtwError> {
        let host = Host::read();
        host.check()?;
        if let Target::Attach(pids) = &target
            && let Some(pid) = pids.iter().find(|pid| Seen::open(**pid).is_none())
        {
            return Err(EtwError::NoSuch(pid.to_string()));
        }
        let repaired = undo::repair(&undo::directory());
        for failed in &repaired.failed {
            tracing::warn!("an earlier run left something that cannot be undone: {failed}");
        }
        rehearse(&host)?;
        let clock = Clock { first: ffi::now(), hertz: ffi::hertz() };
        let (marks_in, marks) = sync_channel(64);
        let control = Control { stop: Arc::default(), end: Arc::default(), marks: marks_in };
        Ok(Session {
            target,
            host,
            clock,
            started: SystemTime::now(),
            settings: Vec::new(),
            log: None,
            output: None,
            control,
            marks,
        })
    }

    /// Settings to be read on this machine, as the catalogue names them.
    #[must_use]
    pub fn settings(mut self, names: Vec<String>) -> Session {
        self.settings = names;
        self
    }

    /// Writes a log (`.etl`) of all that is delivered.
    #[must_use]
    pub fn log(mut self, path: PathBuf) -> Session {
        self.log = Some(path);
        self
    }

    /// Sends what the program writes to a file.
    #[must_use]
    pub fn output(mut self, to: File) -> Session {
        self.output = Some(to);
        self
    }

    /// What acts on it from elsewhere.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// When time 0 of the events is.
    pub fn started(&self) -> SystemTime {
        self.started
    }

    /// Minutes east of UTC on this machine.
    pub fn utc_offset_minutes(&self) -> i32 {
        self.host.utc_offset_minutes
    }

    /// Starts everything and hands on every event until the processes have ended, `duration` is over, or somebody asks for
    /// the end.
    ///
    /// # Errors
    /// See [`EtwError`]. What was handed on before stays true; all that was changed is undone.
    pub fn watch(
        self,
        duration: Option<Duration>,
        identify: Identify<'_>,
        sink: &mut dyn Sink,
    ) -> Result<Watched, EtwError> {
        let Session { target, host, clock, started, settings, log, output, control, marks } = self;
        // They are given back last: until then nothing ends us before everything is put back.
        let _interrupts = Interrupts::take();
        let (heap_name, system_name) = undo::names(host.has_one_kernel_logger());
        let programs: Vec<String> = match &target {
            Target::Await(names) => names.iter().filter_map(|name| flag::program(name)).collect(),
            _ => Vec::new(),
        };
        let sessions = vec![heap_name.clone(), system_name.clone()];
        let mut undo = begin_undo(&host, sessions, &programs)?;
        let (to, from) = sync_channel(WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        let system = begin_system(&host, &system_name, &mut undo, &to, &dropped)?;
        let (pids, suspended) = match &target {
            Target::Run(command) => {
                let suspended = Suspended::create(command, output)?;
                (vec![suspended.pid()], Some(suspended))
            }
            Target::Attach(pids) => (pids.clone(), None),
            Target::Await(_) => (Vec::new(), None),
        };
        let block = properties::heap(&heap_name, &pids, Buffers::HEAP)?;
        let heap = begin(Which::Heap, Lane::Heap, &heap_name, &block, &mut undo, (&to, &dropped))?;
        drop(to);
        let traced = Traced {
            pids: pids.iter().copied().collect(),
            names: programs.iter().map(|name| name.to_lowercase()).collect(),
        };
        let drives = Drives::of(ffi::drives());
        let log = log.map(|path| open_log(&path, &host, clock, started)).transpose()?;
        let mut collector = Collector::new(clock, traced, drives, log, identify, sink);
        if suspended.is_none() {
            list(&mut collector, &pids);
        }
        host.say(&mut collector, &settings);
        let running = suspended.map(Suspended::resume).transpose()?;
        let watch = Watching {
            collector,
            from: Intake(from),
            marks,
            control,
            sessions: [heap, system],
            running,
            seen: Vec::new(),
            waits: matches!(target, Target::Await(_)),
            told: 0,
            lost: (0, 0),
            dropped,
            undo,
        };
        watch.run(duration)
    }
}

fn open_log(
    path: &Path,
    host: &Host,
    clock: Clock,
    started: SystemTime,
) -> Result<Log<File>, EtwError> {
    let about = About {
        session: "unfreed".to_owned(),
        file: path.display().to_string(),
        version: (host.version.0 as u8, host.version.1 as u8),
        build: host.build,
        processors: host.processors,
        mhz: host.mhz,
        hertz: clock.hertz,
        first: clock.first,
        started: filetime(started),
        booted: undo::booted(),
        utc_offset_minutes: host.utc_offset_minutes,
    };
    let log = File::create(path).and_then(|file| Log::new(file, about));
    log.map_err(|cause| EtwError::System { what: "cannot write the log", cause })
}

/// Starts a session, listens to it and stops it: so one knows before anything is begun.
fn rehearse(host: &Host) -> Result<(), EtwError> {
    let (_, name) = undo::names(host.has_one_kernel_logger());
    let (to, _) = sync_channel(WAITING);
    begin_system(host, &name, &mut begin_undo(host, vec![name.clone()], &[])?, &to, &Arc::default())
        .map(drop)
}

/// Notes what will be changed, and changes the flags of `programs`.
fn begin_undo(host: &Host, sessions: Vec<String>, programs: &[String]) -> Result<Undo, EtwError> {
    let shared = host.has_one_kernel_logger();
    if shared && sessions.iter().any(|name| name == KERNEL_LOGGER && undo::runs_session(name)) {
        // Before anything is noted that would have it stopped.
        return Err(EtwError::Refused { which: Which::System, code: ALREADY_EXISTS });
    }
    Undo::begin(&undo::directory(), sessions, programs)
}

/// Begins the session of processes and images.
fn begin_system(
    host: &Host,
    name: &str,
    undo: &mut Undo,
    to: &SyncSender<(Lane, Batch)>,
    lost: &Arc<AtomicU64>,
) -> Result<Listener, EtwError> {
    let block = properties::system(name, host.has_one_kernel_logger(), Buffers::SYSTEM)?;
    begin(Which::System, Lane::System, name, &block, undo, (to, lost))
}

/// Begins a session; one that is refused is not ours.
fn begin(
    which: Which,
    lane: Lane,
    name: &str,
    block: &[u8],
    undo: &mut Undo,
    (to, lost): (&SyncSender<(Lane, Batch)>, &Arc<AtomicU64>),
) -> Result<Listener, EtwError> {
    let listener = Listener::start(which, lane, name, block, to, lost);
    if matches!(listener, Err(EtwError::Refused { .. })) {
        undo.not_ours(name);
    }
    listener
}

/// Lists what processes that run have mapped already. Windows says so itself as its session begins; twice does no harm.
fn list(collector: &mut Collector<'_>, pids: &[u32]) {
    let names = ffi::processes();
    for pid in pids {
        let name = names.iter().find(|(other, _)| other == pid).map_or("", |(_, name)| name);
        let time = ffi::now();
        let mut batch = Batch::default();
        let stamp = own::Stamp { pid: *pid, time };
        batch.put(time, 0, |out| own::process(stamp, name, out));
        let Some(seen) = Seen::open(*pid) else { continue };
        for listed in seen.modules() {
            batch
                .put(time, 0, |out| own::image(stamp, listed.base, listed.size, &listed.path, out));
        }
        collector.put(Lane::Own, batch);
    }
}
