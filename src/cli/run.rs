//! `unfreed run`: starts a program, watches its allocations, says what it never frees.

use std::time::Duration;

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
    if !args.capture.attach.is_empty() {
        return Err(Failure::new("`unfreed run` starts a program").advise(
            "attach with `unfreed attach PID|NAME`, or `unfreed record --attach PID|NAME -o FILE`",
        ));
    }
    args.report.check()?;
    let analyst = Analyst::prepare(&args.analysis)?;
    let Some(watch) = Watch::of(&args.capture, io)? else { return Ok(Outcome::Clear) };
    let asked = Asked {
        duration: args.capture.duration,
        target_status: args.capture.target_status,
        form: &args.form,
        report: &args.report,
    };
    watch_and_report(watch, &asked, analyst, io)
}

/// What is asked of a watch.
pub struct Asked<'a> {
    /// How long.
    pub duration: Option<Duration>,
    /// Whether to exit as the program did.
    pub target_status: bool,
    /// How the result is to look.
    pub form: &'a Form,
    /// The report file, if any.
    pub report: &'a ReportOptions,
}

/// Watches, judges and reports.
pub fn watch_and_report(
    watch: Watch,
    asked: &Asked<'_>,
    mut analyst: Analyst,
    io: &Io,
) -> Result<Outcome, Failure> {
    silence_if(asked.form.quiet);
    let header = watch.header();
    let mut reporting = asked.report.begin(&header)?;
    let mut ledger = Ledger::default();
    watch.warn_before_end();
    let watched = watch.run(asked.duration, Some(&mut ledger), &mut |event| {
        if let Some(reporting) = &mut reporting {
            reporting.event(event);
        }
    })?;
    let recording = Recording { header, ledger, faults: watched.faults(), parts: Vec::new() };
    let side = Side::of(recording, &mut analyst);
    tell_notices(&analyst.namer, asked.form, io);
    let concluded = conclude(&side.report, asked.form, io).and_then(|outcome| {
        let written = reporting
            .map_or(Ok(()), |report| report.write(&side, &mut analyst, asked.form.quiet, io));
        written.map(|()| outcome)
    });
    watched.conclude(concluded, asked.target_status)
}
