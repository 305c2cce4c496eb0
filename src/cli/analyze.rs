//! `unfreed analyze`: says what a recorded process never frees.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::Outcome;
use super::conclusion::{Analyst, conclude, tell_notices};
use super::fail::Failure;
use super::options::{Analysis, Form};
use super::output::Io;
use super::recording;

/// What the verb is given.
#[derive(Debug, ClapArgs)]
#[command(after_help = super::EXIT_CODES)]
pub struct Args {
    /// A trace, as `unfreed record` writes it; a data file of heaptrack; a minidump. Compressed (gzip, zstd) or not
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    analysis: Analysis,
    #[command(flatten)]
    form: Form,
}

/// Analyses a recording.
pub fn run(args: &Args, io: &Io) -> Result<Outcome, Failure> {
    let [file] = args.files.as_slice() else {
        return Err(Failure::new("analyze reads one file at a time, and was given several")
            .advise("analyse each by itself; `unfreed diff BEFORE AFTER` compares two"));
    };
    args.form.check()?;
    let mut analyst = Analyst::prepare(&args.analysis)?;
    let recording = recording::read(file)?;
    let (report, _) = analyst.report(&recording.header, &recording.ledger, &recording.faults);
    tell_notices(&analyst.namer, &args.form, io);
    conclude(&report, &args.form, io)
}
