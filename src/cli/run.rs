//! `unfreed run`: starts a program, watches its allocations, says what it never frees.

use clap::Args as ClapArgs;
use unfreed::ledger::Ledger;

use super::Outcome;
use super::conclusion::{Analyst, conclude, tell_notices};
use super::diff::Side;
use super::fail::Failure;
use super::options::{Analysis, Capture, Form};
use super::output::Io;
use super::progress::silence_if;
use super::recording::Recording;
use super::reporting::ReportOptions;
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
    #[command(flatten)]
    report: ReportOptions,
}

/// Runs a program and reports.
pub fn run(args: &Args, io: &Io) -> Result<Outcome, Failure> {
    args.form.check()?;
    silence_if(args.form.quiet);
    args.report.check()?;
    let mut analyst = Analyst::prepare(&args.analysis)?;
    let Some(watch) = Watch::of(&args.capture, io)? else { return Ok(Outcome::Clear) };
    let header = watch.header();
    let mut reporting = args.report.begin(&header)?;
    let mut ledger = Ledger::default();
    let watched = watch.run(args.capture.duration, Some(&mut ledger), &mut |event| {
        if let Some(reporting) = &mut reporting {
            reporting.event(event);
        }
    })?;
    let recording = Recording { header, ledger, faults: Vec::new(), parts: Vec::new() };
    let side = Side::of(recording, &mut analyst);
    tell_notices(&analyst.namer, &args.form, io);
    let concluded = conclude(&side.report, &args.form, io).and_then(|outcome| {
        let written = reporting
            .map_or(Ok(()), |report| report.write(&side, &mut analyst, args.form.quiet, io));
        written.map(|()| outcome)
    });
    watched.conclude(concluded, args.capture.target_status)
}
