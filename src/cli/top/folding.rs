//! The thread that folds and judges. It judges at epoch marks only, at most once a second and for at most half a hundredth
//! of a processor's time; how far the trace is it says once a second all the same, so that the screen shows how old a judgement is.
//! After the last event it judges once more, and what it says then is what `analyze` says.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::{Duration, Instant};

use unfreed::dashboard::{Input, OwnCost, Phase, Progress, Snapshot};
use unfreed::event::{Event, What};
use unfreed::ledger::Ledger;
use unfreed::read::Fault;
use unfreed::read::case::PartSeen;
use unfreed::read::trace::Header;
use unfreed::report::flame::{Flame, flame};
use unfreed::report::html::{self, Made};
use unfreed::report::model::Report;
use unfreed::verdict::Assessment;

use super::super::bundle::{self, Wanted};
use super::super::conclusion::Analyst;
use super::super::fail::Failure;
use super::super::options::Analysis;
use super::super::output::{Io, deliver};
use super::feed::{Fed, Told};
use super::processor;

/// At least so long between two judgements.
const PAUSE: Duration = Duration::from_secs(1);
/// And so many times as long as the last one took of a processor.
const SHARE: u32 = 199;
/// How soon a command is seen while nothing is told.
const LOOK: Duration = Duration::from_millis(50);

/// What the screen asks of this thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Collect stacks with each judgement, or do not.
    Stacks(bool),
    /// Write the case of what was recorded, or while there is none the report of this moment.
    Write,
}

/// What judging takes besides the events.
pub struct Judging {
    /// Who judges.
    pub analyst: Analyst,
    /// What the recording says of itself, as far as it is known by now.
    pub header: Header,
    /// What a report says of how it came about.
    pub made: Made,
    /// What the user wants of whoever judges.
    pub analysis: Analysis,
    /// Where messages would go, if any were told.
    pub io: Io,
}

/// The folding.
pub struct Folding {
    judging: Judging,
    ledger: Ledger,
    faults: Vec<Fault>,
    parts: Vec<PartSeen>,
    /// What a case can be made of, once it is whole.
    files: Vec<PathBuf>,
    events: u64,
    phase: Phase,
    stacks: bool,
    due: Instant,
    /// When to say how far the trace is, if nothing is judged before.
    saying: Instant,
    began: Instant,
    /// Processor time that judging took so far.
    judging_took: Duration,
    screen: Sender<Input>,
    /// Whether anybody looks.
    watched: bool,
}

impl Folding {
    /// Nothing folded yet.
    pub fn new(judging: Judging, screen: Sender<Input>) -> Folding {
        Folding {
            judging,
            ledger: Ledger::default(),
            faults: Vec::new(),
            parts: Vec::new(),
            files: Vec::new(),
            events: 0,
            phase: Phase::Running,
            stacks: false,
            due: Instant::now(),
            saying: Instant::now(),
            began: Instant::now(),
            judging_took: Duration::ZERO,
            screen,
            watched: true,
        }
    }

    /// Folds to the end, then serves the screen for as long as it is there; gives the report of all.
    pub fn run(mut self, fed: &Fed, commands: &Receiver<Command>) -> (Analyst, Report) {
        while self.phase == Phase::Running {
            match fed.told.recv_timeout(LOOK) {
                Ok(Told::Events(events)) => {
                    self.fold(&events);
                    fed.spare.give_back(events);
                }
                Ok(Told::Ended { header, faults, parts, files }) => {
                    (self.judging.header, self.faults) = (*header, faults);
                    (self.parts, self.files) = (parts, files);
                    self.phase = Phase::Ended;
                }
                Ok(Told::Broken) | Err(RecvTimeoutError::Disconnected) => self.phase = Phase::Ended,
                Err(RecvTimeoutError::Timeout) => {}
            }
            loop {
                match commands.try_recv() {
                    Ok(command) => self.obey(command),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => {
                        self.watched = false;
                        break;
                    }
                }
            }
        }
        self.judge();
        while let Ok(command) = commands.recv() {
            self.obey(command);
        }
        let (report, _) = self.report();
        (self.judging.analyst, report)
    }

    fn fold(&mut self, events: &[Event]) {
        for event in events {
            self.ledger.apply(event);
            self.events += 1;
            if event.what == What::Epoch && self.watched {
                self.epoch(Instant::now());
            }
        }
    }

    fn epoch(&mut self, now: Instant) {
        if now >= self.due {
            self.judge();
        } else if now >= self.saying {
            self.saying = now + PAUSE;
            self.show(Input::Progress(Progress::of(&self.ledger, self.events)));
        }
    }

    fn report(&mut self) -> (Report, Assessment) {
        let Judging { analyst, header, .. } = &mut self.judging;
        analyst.report(header, &self.ledger, &self.faults, &self.parts)
    }

    fn flame(&mut self, assessment: &Assessment) -> Flame {
        let suspects = assessment.suspects(self.judging.analyst.min_confidence);
        let suspects = suspects.iter().map(|judged| (judged.process, judged.stack));
        flame(&self.ledger, &mut self.judging.analyst.namer, suspects)
    }

    /// Judges, and shows it.
    fn judge(&mut self) {
        let (began, took) = (Instant::now(), processor::thread());
        let (report, assessment) = self.report();
        let mut snapshot = Snapshot::of(&self.ledger, report, self.events);
        snapshot.flame = self.stacks.then(|| self.flame(&assessment));
        let cost = processor::thread().saturating_sub(took);
        self.judging_took += cost;
        (snapshot.phase, snapshot.judged_in_s) = (self.phase, began.elapsed().as_secs_f64());
        snapshot.own = self.own_cost();
        let now = Instant::now();
        (self.due, self.saying) = (now + PAUSE.max(cost * SHARE), now + PAUSE);
        self.show(Input::Snapshot(Arc::new(snapshot)));
    }

    /// Of what began too lately nothing can be said.
    fn own_cost(&self) -> Option<OwnCost> {
        let lasted = self.began.elapsed();
        let share = |took: Duration| took.as_secs_f64() / lasted.as_secs_f64();
        let all = processor::process().filter(|_| lasted >= PAUSE)?;
        Some(OwnCost { all: share(all), judging: share(self.judging_took) })
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Stacks(wanted) => {
                self.stacks = wanted;
                // Between two epochs a judgement would not be of what is recorded up to one.
                self.due = Instant::now();
                if wanted && self.phase == Phase::Ended {
                    self.judge();
                }
            }
            Command::Write => {
                let told = match self.write() {
                    Ok(path) => format!("Wrote {}.", path.display()),
                    Err(failure) => failure.what().to_owned(),
                };
                self.show(Input::Notice(told));
            }
        }
    }

    /// Writes a case or a report into a new file here.
    fn write(&mut self) -> Result<PathBuf, Failure> {
        if !self.files.is_empty() {
            return self.write_case();
        }
        let path = free_name("report", "html")?;
        let (report, assessment) = self.report();
        let flame = self.flame(&assessment);
        let page = html::render(&report, &flame, &self.judging.made);
        deliver(page.as_bytes(), Some(&path))?;
        Ok(path)
    }

    fn write_case(&mut self) -> Result<PathBuf, Failure> {
        let path = free_name("case", "zip")?;
        let wanted = Wanted {
            files: &self.files,
            baseline: None,
            output: &path,
            redact: false,
            with_originals: false,
            live: false,
            quiet: true,
        };
        // One of its own: ours would learn names from the case, and then name otherwise than `analyze`.
        let mut analyst = Analyst::prepare(&self.judging.analysis)?;
        bundle::write(&wanted, &mut analyst, &self.judging.io)?;
        Ok(path)
    }

    fn show(&mut self, input: Input) {
        self.watched = self.watched && self.screen.send(input).is_ok();
    }
}

/// The first name that no file has yet.
fn free_name(kind: &str, ending: &str) -> Result<PathBuf, Failure> {
    (1..10_000)
        .map(|n| PathBuf::from(format!("unfreed-{kind}-{n}.{ending}")))
        .find(|path| !path.exists())
        .ok_or_else(|| Failure::new(format!("No name is free for a {kind} here.")))
}
