//! `unfreed top`: a program, or a recording played again, on a live screen. Three threads: this one watches or reads, one
//! folds and judges, one shows. What is judged is what `run` and `analyze` judge; the screen never holds up the program.

mod feed;
mod folding;
mod processor;
mod replay;
mod screen;
mod terminal;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::Args as ClapArgs;
use unfreed::dashboard::{Played, Setting};
use unfreed::read::trace::Header;
use unfreed::report::model::Report;
use unfreed::report::text::page::words;

use self::feed::{Feed, Told as Fed};
use self::folding::{Folding, Judging};
use self::replay::{Flow, Speed};
use self::screen::Screen;
use self::terminal::Taken;
use super::Outcome;
use super::conclusion::{Analyst, conclude, tell_notices};
use super::fail::{Failure, Told};
use super::made::made_with;
use super::options::{Analysis, Capture, Form, ServiceOptions};
use super::output::{Io, shown};
use super::progress::silence_if;
use super::quantity;
use super::recorder::Recorder;
use super::recording::Opened;
use super::watch::{Control, Watch, Whom, survive_hangup};

/// What the verb is given.
#[derive(Debug, ClapArgs)]
#[command(after_help = super::EXIT_CODES)]
pub struct Args {
    /// A recording to be played again, of any kind that `analyze` reads; several of one server are one case
    #[arg(required_unless_present_any = ["command", "attach"], conflicts_with = "command", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How fast to play a recording: 1, 10, max
    #[arg(long, value_name = "TIMES", default_value = "max")]
    speed: Speed,
    /// Attach to running processes instead, by number or by name (may be given several times); needs root
    #[arg(long, value_name = "PID|NAME", conflicts_with_all = ["files", "command", "program_output", "sample"])]
    attach: Vec<String>,
    /// Write the trace of the program to FILE meanwhile; recording goes on if the terminal goes away
    #[arg(short = 'o', long = "record", value_name = "FILE", conflicts_with = "files")]
    record: Option<PathBuf>,
    /// Put what the program writes into FILE; else nobody sees it
    #[arg(long, value_name = "FILE", conflicts_with = "files")]
    program_output: Option<PathBuf>,
    /// Stop watching after TIME (30s, 5m, 1h30m); the program runs on
    #[arg(long, value_name = "TIME", value_parser = quantity::duration, conflicts_with = "files")]
    duration: Option<Duration>,
    /// Sample: see on average one of every BYTES allocated (512KiB, 1M); 0 sees every allocation
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = quantity::sampling)]
    sample: u64,
    #[command(flatten)]
    analysis: Analysis,
    #[command(flatten)]
    form: Form,
    /// The program and its arguments
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// Shows a program or a recording; then, where a file was given for it, writes the result.
pub fn run(args: &Args, io: &Io) -> Result<Outcome, Failure> {
    args.form.check()?;
    // Bars would tear the screen.
    silence_if(true);
    let analyst = Analyst::prepare(&args.analysis)?;
    if args.files.is_empty() { live(args, analyst, io) } else { replayed(args, analyst, io) }
}

fn replayed(args: &Args, analyst: Analyst, io: &Io) -> Result<Outcome, Failure> {
    let mut opened = Opened::open(&args.files)?;
    let names: Vec<String> = args.files.iter().map(|path| path.display().to_string()).collect();
    let setting = setting(args, names.join(", "), Played::Replay, io);
    let taken = Taken::take(None, false)?;
    let asked = taken.asked_to_end();
    let flow = Arc::new(Flow::default());
    let judging = judging(args, analyst, opened.header().clone(), io);
    let watching = Shown::start(judging, setting, flow.clone(), None, taken, move || asked.get())?;
    let mut feed = watching.feed.clone();
    let read = replay::play(&mut opened, args.speed, &flow, &mut feed);
    let ended = match &read {
        Ok(faults) => Fed::Ended {
            header: Box::new(opened.header().clone()),
            faults: faults.clone(),
            parts: opened.parts(),
            files: again(&args.files),
        },
        Err(_) => {
            // There is nothing to look at: the reason is told at once.
            flow.leave();
            Fed::Broken
        }
    };
    feed.end(ended);
    let (analyst, report) = watching.finish(feed)?;
    read?;
    result(args, &analyst, report, io)
}

fn live(args: &Args, analyst: Analyst, io: &Io) -> Result<Outcome, Failure> {
    let capture = Capture {
        duration: args.duration,
        sample: args.sample,
        every_event: false,
        scan: false,
        scan_limit: Duration::from_secs(1),
        target_status: false,
        service: ServiceOptions::default(),
        attach: Vec::new(),
        command: args.command.clone(),
    };
    if args.record.is_some() {
        survive_hangup();
    }
    let watch = match args.attach.is_empty() {
        true => Watch::of(&capture, io)?,
        // Who is attached to is on the screen.
        false => Some(Watch::attach(&Whom::of(&args.attach), None)?),
    };
    let Some(watch) = watch else { return Ok(Outcome::Clear) };
    let watch = watch.aside(args.program_output.as_deref())?;
    let header = watch.header();
    let mut recorder =
        args.record.as_deref().map(|path| Recorder::create(path, &header)).transpose()?;
    let command = args.command.iter().map(|word| word.to_string_lossy().into_owned());
    let title: Vec<_> = args.attach.iter().cloned().chain(command).collect();
    let setting = setting(args, title.join(" "), Played::Live, io);
    let taken = Taken::take(args.program_output.as_deref(), args.record.is_some())?;
    let (flow, control) = (Arc::new(Flow::default()), watch.control());
    let (ours, theirs) = (taken.asked_to_end(), control.clone());
    let asked = move || ours.get() || theirs.asked_to_end();
    let judging = judging(args, analyst, header.clone(), io);
    let watching = Shown::start(judging, setting, flow.clone(), Some(control), taken, asked)?;
    let mut feed = watching.feed.clone();
    let watched = watch.run(args.duration, None, &mut |event| {
        if let Some(recorder) = &mut recorder {
            recorder.take(event);
        }
        feed.take(event);
    });
    let recorded = recorder.map(|recorder| recorder.finish(io)).transpose();
    feed.end(match &watched {
        Ok(watched) => Fed::Ended {
            header: Box::new(header),
            faults: watched.faults(),
            parts: Vec::new(),
            files: if recorded.is_ok() { again(args.record.as_slice()) } else { Vec::new() },
        },
        Err(_) => {
            flow.leave();
            Fed::Broken
        }
    });
    let (analyst, report) = watching.finish(feed)?;
    let watched = watched?;
    recorded?;
    let concluded = result(args, &analyst, report, io);
    if let (Some(path), false) = (&args.record, args.form.quiet) {
        io.tell(&[words("Recorded "), shown(path)]);
        io.tell(&[words("Next: unfreed analyze "), shown(path)]);
    }
    watched.conclude(concluded, false)
}

/// The command that writes a case bundle of what is shown, or of the program anew where nothing is recorded.
fn case(args: &Args) -> Vec<String> {
    let recordings: Vec<&PathBuf> = args.files.iter().chain(&args.record).collect();
    let paths = recordings.iter().map(|path| path.display().to_string());
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    if recordings.is_empty() && !args.attach.is_empty() {
        let attach = words(&["attach", "--report", "case.zip"]);
        return attach.into_iter().chain(args.attach.iter().cloned()).collect();
    }
    if recordings.is_empty() {
        let command = args.command.iter().map(|word| word.to_string_lossy().into_owned());
        return words(&["run", "--report", "case.zip", "--"]).into_iter().chain(command).collect();
    }
    words(&["report"]).into_iter().chain(paths).chain(words(&["-o", "case.zip"])).collect()
}

/// The recordings, if all can be read once more; a pipe cannot.
fn again(files: &[PathBuf]) -> Vec<PathBuf> {
    if files.iter().all(|path| path.is_file()) { files.to_vec() } else { Vec::new() }
}

fn judging(args: &Args, analyst: Analyst, header: Header, io: &Io) -> Judging {
    let made = made_with(&case(args));
    Judging { analyst, header, made, analysis: args.analysis.clone(), io: *io }
}

fn setting(args: &Args, title: String, played: Played, io: &Io) -> Setting {
    Setting {
        title,
        played,
        recording: args.record.as_ref().map(|path| path.display().to_string()),
        color: io.color() && !args.form.no_color,
    }
}

/// The screen showed it; a file gets it only where one was asked for.
fn result(args: &Args, analyst: &Analyst, report: Report, io: &Io) -> Result<Outcome, Failure> {
    tell_notices(&analyst.namer, &args.form, io);
    if args.form.output.is_some() || args.form.json {
        return conclude(&report, &args.form, io);
    }
    Ok(if report.suspects.is_empty() { Outcome::Clear } else { Outcome::Suspects })
}

/// The two threads that fold and show.
struct Shown {
    feed: Feed,
    folding: thread::JoinHandle<(Analyst, Report)>,
    screen: thread::JoinHandle<()>,
}

impl Shown {
    fn start(
        judging: Judging,
        setting: Setting,
        flow: Arc<Flow>,
        control: Option<Control>,
        taken: Taken,
        asked: impl Fn() -> bool + Send + 'static,
    ) -> Result<Shown, Failure> {
        let doing = || "cannot start a thread".to_owned();
        let (feed, fed) = Feed::new();
        let (commands, commanded) = mpsc::channel();
        let (inputs, input) = mpsc::channel();
        let folding = Folding::new(judging, inputs.clone());
        let ends = EndsScreen(flow.clone());
        let folding = thread::Builder::new()
            .name("fold".to_owned())
            .spawn(move || {
                let _guard = ends;
                folding.run(&fed, &commanded)
            })
            .told(doing)?;
        let screen = Screen { setting, flow, control, commands, inputs, input };
        let screen = thread::Builder::new()
            .name("screen".to_owned())
            .spawn(move || screen.run(taken, &asked))
            .told(doing)?;
        Ok(Shown { feed, folding, screen })
    }

    /// Waits until the user has seen enough.
    fn finish(self, feed: Feed) -> Result<(Analyst, Report), Failure> {
        drop(feed);
        let Shown { feed, folding, screen } = self;
        drop(feed);
        let broke = |_| Failure::new("the dashboard broke: this is a fault of unfreed");
        screen.join().map_err(broke)?;
        folding.join().map_err(broke)
    }
}

/// A panic of the thread that holds it ends the screen: nobody would feed that any more.
struct EndsScreen(Arc<Flow>);

impl Drop for EndsScreen {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.leave();
        }
    }
}
