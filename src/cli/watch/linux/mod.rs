//! Watching a program on Linux. The trace's header is made here, modules are identified here, and every event goes to whoever
//! asked.

mod control;
mod mark;
mod service;
mod triage;

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use unfreed::collect::agent::{Session, Unwatched, warn_before_end};
use unfreed::collect::ebpf::{Attach, AttachError, Who, Wish};
use unfreed::collect::sink::{Coverage, Living, Sink};
use unfreed::event::{Bytes, Event, Exit, ProcessId, What};
use unfreed::ledger::Ledger;
use unfreed::names::{PackageIndex, identify};
use unfreed::read::Fault;
use unfreed::read::trace::{Clock, Header};
use unfreed::report::text::page::words;

use super::super::Outcome;
use super::super::fail::{Failure, Told};
use super::super::options::Capture;
use super::super::output::Io;
use super::Whom;
use service::TracedService;

pub use control::Control;
pub use mark::mark;
pub use triage::triage;
pub use unfreed::collect::agent::survive_hangup;

/// A program about to be watched.
pub struct Watch {
    source: Source,
    packages: PackageIndex,
    service: Option<TracedService>,
}

/// How it is watched.
enum Source {
    /// Run with the agent.
    Agent(Box<Session>),
    /// Running already. Who is attached to is told, if anybody is to be told.
    Attach(Box<Attach>, Option<Io>),
}

impl Watch {
    /// What the options ask for; nothing where they only ask to show or to undo something, which
    /// is then done.
    pub fn of(capture: &Capture, io: &Io) -> Result<Option<Watch>, Failure> {
        if !capture.attach.is_empty() {
            let whom = Whom { sample: capture.sample, ..Whom::of(&capture.attach) };
            let watch = Watch::attach(&whom, Some(*io))?;
            return Ok(Some(watch.scan(capture.scan.then_some(capture.scan_limit))));
        }
        let Some(unit) = &capture.service.unit else {
            let watch = Watch::prepare(&capture.command)?;
            return Ok(Some(watch.telling(capture)));
        };
        let Some((session, service)) = service::prepare(unit, &capture.service, io)? else {
            return Ok(None);
        };
        let source = Source::Agent(Box::new(session));
        let watch = Watch { source, packages: packages(), service: Some(service) };
        Ok(Some(watch.telling(capture)))
    }

    /// Makes everything ready; the program does not run yet.
    pub fn prepare(command: &[OsString]) -> Result<Watch, Failure> {
        let packages = packages();
        let name = command.first().map(|name| name.to_string_lossy().into_owned());
        let session = Session::prepare(command)
            .told(|| format!("cannot trace {}", name.unwrap_or_default()))?;
        Ok(Watch { source: Source::Agent(Box::new(session)), packages, service: None })
    }

    /// Makes everything ready to attach to running processes; nothing is done to them yet.
    pub fn attach(whom: &Whom, tell: Option<Io>) -> Result<Watch, Failure> {
        let wish = wish(whom, false);
        let awaited = wish.wait.then(|| wish.who.iter().map(Who::text).collect::<Vec<_>>());
        let attach = Attach::prepare(wish).map_err(cannot_attach)?;
        // From here on whoever begins is seen.
        if let (Some(io), Some(who)) = (tell, awaited) {
            io.tell(&[words(format!("Waiting for processes {}.", who.join(", ")))]);
        }
        let source = Source::Attach(Box::new(attach), tell);
        Ok(Watch { source, packages: packages(), service: None })
    }

    /// Which blocks are told one by one: those that do not die young, a sample, or all.
    fn telling(mut self, capture: &Capture) -> Watch {
        self.source = self.source.with_agent(|session| {
            session.every_event(capture.every_event).sample(Bytes(capture.sample))
        });
        self.scan(capture.scan.then_some(capture.scan_limit))
    }

    /// Looks in the end which blocks are still referenced; the processes stand still for it, at most so long.
    pub fn scan(mut self, limit: Option<Duration>) -> Watch {
        self.source = match self.source {
            Source::Agent(session) => Source::Agent(Box::new(session.scan(limit))),
            Source::Attach(attach, tell) => Source::Attach(Box::new(attach.scan(limit)), tell),
        };
        self
    }

    /// A log of Windows' own kind is written there.
    pub fn log(self, path: PathBuf) -> Result<Watch, Failure> {
        let what = format!(
            "{} would be an event trace log, and these are written on Windows",
            path.display()
        );
        Err(Failure::new(what).advise("give the trace another name, as in `-o trace.unfreed`"))
    }

    /// Sends what the program writes to standard output to a file; else it goes to ours.
    pub fn stdout(mut self, to: File) -> Watch {
        self.source = self.source.with_agent(|session| session.stdout(to));
        self
    }

    /// Whoever takes the terminal sees to what the program writes: it goes the way of our own output.
    pub fn aside(self, _: Option<&Path>) -> Result<Watch, Failure> {
        Ok(self)
    }

    /// Whoever attaches ends the watching with Ctrl-C: one more, while what was found is written, is not to lose it. A
    /// program that was started is what Ctrl-C is for.
    pub fn warn_before_end(&self) {
        if matches!(self.source, Source::Attach(..)) {
            warn_before_end();
        }
    }

    /// What acts on the watching from elsewhere.
    pub fn control(&self) -> Control {
        Control(match &self.source {
            Source::Agent(session) => session.stop(),
            Source::Attach(attach, _) => attach.stop(),
        })
    }

    /// What a trace of it says of itself.
    pub fn header(&self) -> Header {
        let (source, started, utc_offset_minutes) = match &self.source {
            Source::Agent(session) => ("agent", session.started(), session.utc_offset_minutes()),
            Source::Attach(attach, _) => ("ebpf", attach.started(), attach.utc_offset_minutes()),
        };
        Header {
            unfreed: env!("CARGO_PKG_VERSION").to_owned(),
            source: source.to_owned(),
            started_unix_ns: unix_nanoseconds(started),
            utc_offset_minutes,
            clock: Clock { name: "monotonic".to_owned(), hertz: None },
        }
    }

    /// Runs it, folds its events into a ledger, if one is given, and hands them out. Without a ledger nobody knows
    /// which blocks live, and none can be looked for.
    pub fn run(
        self,
        duration: Option<Duration>,
        ledger: Option<&mut Ledger>,
        each: &mut dyn FnMut(&Event),
    ) -> Result<Watched, Failure> {
        let Watch { source, packages, service } = self;
        let session = match source {
            Source::Agent(session) => session,
            Source::Attach(attach, tell) => {
                let mut identify = |path: &Path| identify(path, &packages);
                let mut told = 0;
                let mut each = |event: &Event| {
                    tell_attached(event, tell, &mut told);
                    each(event);
                };
                let mut takers = Takers { service, ledger, each: &mut each };
                attach.watch(duration, &mut identify, &mut takers).map_err(cannot_attach)?;
                return Ok(Watched { left: None });
            }
        };
        let mut takers = Takers { service, ledger, each };
        let watched = session.watch(duration, &mut |path| identify(path, &packages), &mut takers);
        if let Some(service) = takers.service {
            // Whatever came of it, the service is given back before anything else.
            return service.give_back(watched.map(drop)).map(|()| Watched { left: None });
        }
        let (exit, unwatched) = watched.told(|| "cannot trace the program".to_owned())?;
        Ok(Watched { left: Some((exit, unwatched)) })
    }
}

impl Source {
    fn with_agent(self, change: impl FnOnce(Session) -> Session) -> Source {
        match self {
            Source::Agent(session) => Source::Agent(Box::new(change(*session))),
            attach @ Source::Attach(..) => attach,
        }
    }
}

/// Processes that are told by name as they are attached to.
const TOLD_MOST: usize = 8;

fn tell_attached(event: &Event, tell: Option<Io>, told: &mut usize) {
    let (Some(io), What::Process(process)) = (tell, &event.what) else { return };
    *told += 1;
    if *told <= TOLD_MOST {
        let text = format!("Attached to {} (process {}).", process.name, process.pid);
        io.tell(&[words(text)]);
    } else if *told == TOLD_MOST + 1 {
        io.tell(&[words("Attached to more.")]);
    }
}

fn wish(whom: &Whom, triage: bool) -> Wish {
    let who = whom.who.iter().map(|text| Who::of(text));
    let units = whom.units.iter().cloned().map(Who::Unit);
    let groups = whom.groups.iter().cloned().map(Who::Cgroup);
    let sample = (whom.sample > 0).then_some(Bytes(whom.sample));
    Wish { who: who.chain(units).chain(groups).collect(), wait: whom.wait, triage, sample }
}

fn cannot_attach(error: AttachError) -> Failure {
    let advice = error.advice();
    let failure = Failure::new(format!("cannot attach: {error}"));
    match advice {
        Some(advice) => failure.advise(advice),
        None => failure,
    }
}

/// Everybody who takes the events.
struct Takers<'a> {
    service: Option<TracedService>,
    ledger: Option<&'a mut Ledger>,
    each: &'a mut dyn FnMut(&Event),
}

impl Sink for Takers<'_> {
    fn take(&mut self, event: &Event) -> io::Result<()> {
        if let Some(service) = &mut self.service {
            service.note(event);
        }
        if let Some(ledger) = &mut self.ledger {
            ledger.apply(event);
        }
        (self.each)(event);
        Ok(())
    }

    /// By the epochs of their birth, as the judge looks at them.
    fn living(&self, process: ProcessId, each: &mut dyn FnMut(Living)) -> Option<Coverage> {
        let ledger = self.ledger.as_deref()?;
        let image = ledger.image(process)?;
        ledger.live_blocks_of(image, &mut |block, born, stack| {
            each(Living { address: block.address, size: block.size, stack, born });
        });
        Some(if ledger.knows_all_blocks(image) { Coverage::Whole } else { Coverage::Part })
    }
}

/// A program that was watched.
pub struct Watched {
    /// What is left of it; nothing of a service, which is not ours to wait for.
    left: Option<(Exit, Unwatched)>,
}

impl Watched {
    /// What could not be read of what was delivered: the agent and the probe tell of their losses in events.
    pub fn faults(&self) -> Vec<Fault> {
        Vec::new()
    }

    /// Waits for the program, if it still runs, as whoever started it must, whatever came of
    /// watching it; then says how to exit.
    pub fn conclude(
        self,
        concluded: Result<Outcome, Failure>,
        as_target: bool,
    ) -> Result<Outcome, Failure> {
        let Some((exit, unwatched)) = self.left else { return concluded };
        let exit = match exit {
            Exit::StillRunning => unwatched.wait(),
            exit => exit,
        };
        if !as_target || concluded.is_err() {
            return concluded;
        }
        // As a shell tells it: the low eight bits, and signals above 128.
        Ok(Outcome::AsTarget(match exit {
            Exit::Status(status) => (status & 0xff) as u8,
            Exit::Signal(signal) => ((128 + signal) & 0xff) as u8,
            Exit::Unknown | Exit::Replaced | Exit::StillRunning => 0,
        }))
    }
}

fn packages() -> PackageIndex {
    let packages = PackageIndex::load(Path::new("/"));
    // Read before the program runs, so that nothing waits for it later.
    packages.owner(Path::new("/bin/sh"));
    packages
}

fn unix_nanoseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
