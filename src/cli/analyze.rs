//! `unfreed analyze`: says what a recorded process never frees.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::Outcome;
use super::conclusion::{Analyst, conclude, tell_notices};
use super::fail::Failure;
use super::options::{Analysis, Form};
use super::output::Io;
use super::recording::{self, Recording};

/// What the verb is given.
#[derive(Debug, ClapArgs)]
#[command(after_help = super::EXIT_CODES)]
pub struct Args {
    /// A recording; several of one server are read as one case
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    analysis: Analysis,
    #[command(flatten)]
    form: Form,
}

/// Analyses a recording, or several as one case.
pub fn run(args: &Args, io: &Io) -> Result<Outcome, Failure> {
    args.form.check()?;
    let mut analyst = Analyst::prepare(&args.analysis)?;
    let Recording { header, ledger, faults, parts } = recording::read_all(&args.files)?;
    let (report, _) = analyst.report(&header, &ledger, &faults, &parts);
    tell_notices(&analyst.namer, &args.form, io);
    conclude(&report, &args.form, io)
}
