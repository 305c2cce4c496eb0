//! `unfreed analyze`: says what a recorded process never frees.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use clap::Args as ClapArgs;
use unfreed::dump;

use super::Outcome;
use super::conclusion::{Analyst, conclude, tell_notices};
use super::fail::{Failure, Told};
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

/// Folds in what a core says of the live blocks.
fn look_into(core: &Path, recording: &mut Recording) -> Result<(), Failure> {
    let file = File::open(core)
        .told(|| format!("cannot open {}", core.display()))
        .map_err(|failure| failure.advise("check the path, and whether you may read the file"))?;
    let since = u64::try_from(recording.header.started_unix_ns).ok().filter(|since| *since > 0);
    let started = since.map(|since| UNIX_EPOCH + Duration::from_nanos(since));
    dump::scan(file, &mut recording.ledger, started).map(drop).map_err(|error| {
        Failure::new(format!("cannot use the core dump {}: {error}", core.display())).advise(
            "take the core of a process of this trace (`gcore PID`, or the one it left as it ended), \
             with its own memory",
        )
    })
}
