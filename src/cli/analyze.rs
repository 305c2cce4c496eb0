//! `unfreed analyze`: says what a recorded process never frees.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::Outcome;
use super::conclusion::{Analyst, conclude, tell_notices};
use super::core_dump::look_into;
use super::fail::Failure;
use super::options::{Analysis, Form};
use super::output::Io;
use super::progress::silence_if;
use super::recording::{self, Recording};

/// What the verb is given.
#[derive(Debug, ClapArgs)]
#[command(after_help = super::EXIT_CODES)]
pub struct Args {
    /// A recording: a trace, as `unfreed record` writes it, a data file of heaptrack, an event trace log of Windows
    /// (.etl), a log of UMDH or LeakDiag, performance counters as text, a debugger's lists, what memleak of BCC prints, a
    /// minidump; compressed (gzip, zstd) or not. Several of one server are read as one case
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Look in CORE, a core dump of a traced process, which blocks are still referenced
    #[arg(long, value_name = "CORE")]
    core: Option<PathBuf>,
    #[command(flatten)]
    analysis: Analysis,
    #[command(flatten)]
    form: Form,
}

/// Analyses a recording, or several as one case.
pub fn run(args: &Args, io: &Io) -> Result<Outcome, Failure> {
    args.form.check()?;
    silence_if(args.form.quiet);
    let mut analyst = Analyst::prepare(&args.analysis)?;
    let mut recording = recording::read_all(&args.files)?;
    if let Some(core) = &args.core {
        look_into(core, &mut recording)?;
    }
    let Recording { header, ledger, faults, parts } = &recording;
    let (report, _) = analyst.report(header, ledger, faults, parts);
    tell_notices(&analyst.namer, &args.form, io);
    conclude(&report, &args.form, io)
}
