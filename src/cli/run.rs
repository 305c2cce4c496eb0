//! `unfreed run`: starts a program, watches its allocations, says what it never frees.

use clap::Args as ClapArgs;
use unfreed::ledger::Ledger;

use super::Outcome;
use super::conclusion::{Analyst, conclude, tell_notices};
use super::fail::Failure;
use super::options::{Analysis, Capture, Form};
use super::output::Io;
use super::watch::Watch;

/// What the verb is given.
#[derive(Debug, ClapArgs)]
#[command(after_help = super::EXIT_CODES)]
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
    args.form.check()?;
    if !args.capture.attach.is_empty() {
        return Err(Failure::new("`unfreed run` starts a program").advise(
            "attach with `unfreed attach PID|NAME`, or `unfreed record --attach PID|NAME -o FILE`",
        ));
    }
    let mut analyst = Analyst::prepare(&args.analysis)?;
    let Some(watch) = Watch::of(&args.capture, io)? else { return Ok(Outcome::Clear) };
    let header = watch.header();
    let mut ledger = Ledger::default();
    let watched = watch.run(args.capture.duration, Some(&mut ledger), &mut |_| {})?;
    let (report, _) = analyst.report(&header, &ledger, &[], &[]);
    tell_notices(&analyst.namer, &args.form, io);
    watched.conclude(conclude(&report, &args.form, io), args.capture.target_status)
}
