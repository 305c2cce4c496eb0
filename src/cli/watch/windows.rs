//! Watching on Windows: sessions of event tracing. What only Linux can do is an error that says so.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use unfreed::collect::etw::session::{self, Session, Target};
use unfreed::collect::etw::{EtwError, ffi, flag};
use unfreed::collect::sink::Sink;
use unfreed::event::{Event, Exit, Mark, What};
use unfreed::fixes::Catalogue;
use unfreed::ledger::Ledger;
use unfreed::names::{PackageIndex, identify};
use unfreed::read::Fault;
use unfreed::read::trace::{Clock, Header};
use unfreed::report::text::page::words;

use super::super::Outcome;
use super::super::catalogue;
use super::super::fail::{Failure, Told};
use super::super::options::{Analysis, Capture, Form};
use super::super::output::Io;
use super::Whom;

/// A program about to be watched.
pub struct Watch {
    session: Session,
    /// Who is told of processes as they are seen.
    tell: Option<Io>,
}

/// A program that was watched.
pub struct Watched(session::Watched);

/// What acts on the watching from elsewhere.
#[derive(Clone)]
pub struct Control(session::Control);

fn only_on_linux(what: &str) -> Failure {
    Failure::new(format!("{what} is for Linux"))
        .advise("leave it out; what can be captured on Windows is in docs/windows.md")
}

fn cannot_trace(error: EtwError) -> Failure {
    let advice = error.advice();
    let failure = Failure::new(format!("cannot trace: {error}"));
    match advice {
        Some(advice) => failure.advise(advice),
        None => failure,
    }
}

/// Who makes memory grow is found on Linux.
pub fn triage(
    _: &Whom,
    _: Option<Duration>,
    _: &Analysis,
    _: &Form,
    _: &Io,
) -> Result<Outcome, Failure> {
    Err(only_on_linux("--triage"))
}

/// A mark from another console does not reach a trace here.
pub fn mark(_: &Mark, _: Option<u32>) -> Result<(), Failure> {
    Err(Failure::new("`unfreed mark` does not reach a running trace on Windows").advise(
        "watch with `unfreed top`, and put marks in there with `m`; from another console that is done on Linux only",
    ))
}

/// A console that is closed is noted as Ctrl-C is.
pub fn survive_hangup() {}

impl Watch {
    /// What the options ask for.
    pub fn of(capture: &Capture, io: &Io) -> Result<Option<Watch>, Failure> {
        if capture.service.unit.is_some() {
            return Err(only_on_linux("--unit (a systemd service)"));
        }
        if capture.sample > 0 {
            return Err(only_on_linux("--sample"));
        }
        if capture.scan {
            return Err(only_on_linux("--scan"));
        }
        if capture.attach.is_empty() {
            return Watch::prepare(&capture.command).map(Some);
        }
        Watch::attach(&Whom::of(&capture.attach), Some(*io)).map(Some)
    }

    /// Makes everything ready; the program does not run yet.
    pub fn prepare(command: &[OsString]) -> Result<Watch, Failure> {
        Watch::on(Target::Run(command.to_vec()), None)
    }

    /// Makes everything ready to attach to running processes, or to wait for those to come.
    pub fn attach(whom: &Whom, tell: Option<Io>) -> Result<Watch, Failure> {
        if !whom.units.is_empty() || !whom.groups.is_empty() {
            return Err(only_on_linux("--unit, --cgroup"));
        }
        if whom.sample > 0 {
            return Err(only_on_linux("--sample"));
        }
        if !whom.wait {
            let mut pids = Vec::new();
            for who in &whom.who {
                pids.extend(running(who).map_err(cannot_trace)?);
            }
            pids.sort_unstable();
            pids.dedup();
            return Watch::on(Target::Attach(pids), tell);
        }
        let names = whom.who.iter().map(|who| {
            let number = who.parse::<u32>().is_ok();
            flag::program(who).filter(|_| !number).ok_or_else(|| {
                Failure::new(format!("{who} is no file name of a program to wait for"))
                    .advise("give a name as in `--wait store.exe`")
            })
        });
        let names = names.collect::<Result<Vec<_>, _>>()?;
        if let Some(io) = tell {
            io.tell(&[words(format!(
                "Waiting for processes {} that start from now on.",
                names.join(", ")
            ))]);
        }
        Watch::on(Target::Await(names), tell)
    }

    fn on(target: Target, tell: Option<Io>) -> Result<Watch, Failure> {
        let settings = settings(&catalogue::open(&[])?);
        let session = Session::prepare(target).map_err(cannot_trace)?.settings(settings);
        Ok(Watch { session, tell })
    }

    /// Writes a log of Windows' own kind, too.
    pub fn log(self, path: PathBuf) -> Result<Watch, Failure> {
        Ok(Watch { session: self.session.log(path), ..self })
    }

    /// Which blocks are still referenced is looked at on Linux only.
    pub fn scan(self, _: Option<Duration>) -> Watch {
        self
    }

    /// Sends what the program writes to a file; else it goes to our console.
    pub fn stdout(self, to: File) -> Watch {
        Watch { session: self.session.output(to), ..self }
    }

    /// Keeps what the program writes off the screen: in a file, or nowhere.
    pub fn aside(self, to: Option<&Path>) -> Result<Watch, Failure> {
        let path = to.unwrap_or(Path::new("NUL"));
        let file = File::create(path).told(|| format!("cannot write {}", path.display()))?;
        Ok(self.stdout(file))
    }

    /// Ctrl-C ends the watching; what was found is written all the same.
    pub fn warn_before_end(&self) {}

    /// What acts on it from elsewhere.
    pub fn control(&self) -> Control {
        Control(self.session.control())
    }

    /// What a trace of it says of itself.
    pub fn header(&self) -> Header {
        let since = self.session.started().duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = "QueryPerformanceCounter".to_owned();
        Header {
            unfreed: env!("CARGO_PKG_VERSION").to_owned(),
            source: "etw".to_owned(),
            started_unix_ns: i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
            utc_offset_minutes: self.session.utc_offset_minutes(),
            clock: Clock { name, hertz: Some(ffi::hertz()) },
        }
    }

    /// Runs it, folds its events into a ledger, if one is given, and hands them out.
    pub fn run(
        self,
        duration: Option<Duration>,
        ledger: Option<&mut Ledger>,
        each: &mut dyn FnMut(&Event),
    ) -> Result<Watched, Failure> {
        let packages = PackageIndex::load(Path::new("/"));
        let mut identify = |path: &Path| identify(path, &packages);
        let mut takers = Takers { ledger, tell: self.tell, each };
        let watched = self.session.watch(duration, &mut identify, &mut takers);
        watched.map(Watched).map_err(cannot_trace)
    }
}

/// The processes that somebody means by a number or a name.
fn running(who: &str) -> Result<Vec<u32>, EtwError> {
    if let Ok(pid) = who.parse() {
        return Ok(vec![pid]);
    }
    let name = flag::program(who).unwrap_or_default().to_lowercase();
    let all = ffi::processes().into_iter();
    let pids: Vec<u32> =
        all.filter(|(_, other)| other.to_lowercase() == name).map(|(pid, _)| pid).collect();
    if pids.is_empty() { Err(EtwError::NoSuch(who.to_owned())) } else { Ok(pids) }
}

/// The settings that fixes of the catalogue ask for.
fn settings(catalogue: &Catalogue) -> Vec<String> {
    let mut names: Vec<String> =
        catalogue.entries().flat_map(|entry| entry.setting_names()).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

/// Everybody who takes the events.
struct Takers<'a> {
    ledger: Option<&'a mut Ledger>,
    tell: Option<Io>,
    each: &'a mut dyn FnMut(&Event),
}

impl Sink for Takers<'_> {
    fn take(&mut self, event: &Event) -> io::Result<()> {
        if let (Some(io), What::Process(process)) = (self.tell, &event.what) {
            let text = format!("Attached to {} (process {}).", process.name, process.pid);
            io.tell(&[words(text)]);
        }
        if let Some(ledger) = &mut self.ledger {
            ledger.apply(event);
        }
        (self.each)(event);
        Ok(())
    }
}

impl Watched {
    /// What could not be read of what was delivered.
    pub fn faults(&self) -> Vec<Fault> {
        self.0.ended.faults.clone()
    }

    /// Waits for the program, if it still runs; then says how to exit.
    pub fn conclude(
        self,
        concluded: Result<Outcome, Failure>,
        as_target: bool,
    ) -> Result<Outcome, Failure> {
        let exit = match self.0.running {
            Some(running) => running.wait(),
            None => self.0.exit,
        };
        match exit {
            Exit::Status(status) if as_target && concluded.is_ok() => {
                Ok(Outcome::AsTarget((status & 0xff) as u8))
            }
            _ => concluded,
        }
    }
}

impl Control {
    /// Whether Ctrl-C was pressed since the watching began.
    pub fn asked_to_end(&self) -> bool {
        ffi::interrupted()
    }

    /// Ends the watching; the program runs on.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// Ends the program.
    pub fn end_program(&self) -> io::Result<()> {
        self.0.end_program();
        Ok(())
    }

    /// Puts a mark into the trace.
    pub fn mark(&self, mark: &Mark) -> Result<(), String> {
        self.0.mark(mark.clone())
    }
}
