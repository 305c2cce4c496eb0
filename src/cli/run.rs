//! `unfreed run`: starts a program, watches its allocations, says what it never frees.

use clap::Args as ClapArgs;
use unfreed::collect::{RunOptions, Session};
use unfreed::event::Exit;
use unfreed::ledger::Ledger;

use super::Outcome;
use super::conclusion::{conclude, namer, report, tell_notices};
use super::fail::{Failure, Told};
use super::options::{Analysis, Capture, Form};
use super::output::Io;

/// What the verb is given.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    capture: Capture,
    #[command(flatten)]
    analysis: Analysis,
    #[command(flatten)]
    form: Form,
}

/// Runs a program and reports.
pub fn run(args: &Args, io: &Io) -> Result<Outcome, Failure> {
    let session = start(&args.capture)?;
    let header = session.header();
    let mut ledger = Ledger::default();
    let exit = session
        .watch(&mut |event| ledger.apply(event))
        .told(|| "watching the program failed".to_owned())?;
    let mut namer = namer(&args.analysis);
    let (report, _) = report(&header, &ledger, &[], &args.analysis, &mut namer)?;
    tell_notices(&namer, &args.form, io);
    let outcome = conclude(&report, &args.form, io)?;
    Ok(if args.capture.target_status { as_target(exit) } else { outcome })
}

/// Starts the program under the agent.
pub fn start(capture: &Capture) -> Result<Session, Failure> {
    let options = RunOptions {
        command: capture.command.clone(),
        duration: capture.duration,
        sample: capture.sample,
    };
    let program = capture.command.first().map(|first| first.to_string_lossy().into_owned());
    Session::start(&options)
        .told(|| format!("cannot trace {}", program.unwrap_or_default()))
        .map_err(|failure| failure.advise("`unfreed doctor -- CMD` says what stands in the way"))
}

/// Exits as the target did, as a shell tells it.
pub fn as_target(exit: Exit) -> Outcome {
    let code = match exit {
        Exit::Status(status) => status,
        Exit::Signal(signal) => 128 + signal,
        Exit::Unknown | Exit::Replaced | Exit::StillRunning => 0,
    };
    // The low eight bits, as the system has them.
    Outcome::AsTarget((code & 0xff) as u8)
}
