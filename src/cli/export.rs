//! `unfreed export`: writes a trace in another tool's form. Only the table of sites has verdicts.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use unfreed::export::{self, ExportError, Exported};
use unfreed::names::{Namer, Store, StoreOptions};
use unfreed::report::text::page::{Ink, words};
use unfreed::report::text::units::{bytes, counted};
use unfreed::verdict::judge;

use super::Outcome;
use super::aside::Aside;
use super::fail::{Failure, Told};
use super::output::{self, Io, shown};
use super::progress::silence_if;
use super::recording::{self, Recording};

/// What the verb is given.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// A trace, or another recording that unfreed reads
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The form to write
    #[arg(long = "as", value_name = "FORM")]
    form: Form,
    /// The file to write; stdout if not given
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The process to write, where the trace has several
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Look for symbols in PATH too (may be given several times)
    #[arg(long, value_name = "PATH")]
    symbols: Vec<PathBuf>,
    /// Say nothing when done
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A data file for heaptrack_print and heaptrack_gui, not compressed
    Heaptrack,
    /// A profile for pprof, Pyroscope or speedscope, gzip'd: blocks and bytes, allocated and in use
    Pprof,
    /// Collapsed stacks with their live bytes, for flame graphs
    Collapsed,
    /// A table of the sites with their verdicts, for a spreadsheet
    Csv,
}

/// Exports a recording.
pub fn run(args: &Args, io: &Io) -> Result<Outcome, Failure> {
    silence_if(args.quiet);
    let path = args.output.as_deref();
    match path {
        Some(path) => output::check(path)?,
        None if io::stdout().is_terminal() => {
            return Err(Failure::new("the result is not for a terminal")
                .advise("name a file (-o FILE), or give it to another program (| ...)"));
        }
        None => {}
    }
    let mut aside = Aside::create(path)?;
    let (exported, faults) = write(args, &mut BufWriter::new(aside.file()))?;
    aside.deliver()?;
    tell(args, &exported, faults, io);
    Ok(Outcome::Clear)
}

/// Writes the form asked for; says what came of it, and how much could not be read.
fn write(args: &Args, out: &mut dyn Write) -> Result<(Exported, usize), Failure> {
    let doing = || format!("cannot export {}", args.file.display());
    let mut namer = Namer::new(Store::new(StoreOptions::from_environment(args.symbols.clone())));
    if args.form == Form::Heaptrack {
        let mut source = recording::open_part(&args.file)?.source;
        let mut spool = tempfile::tempfile().told(doing)?;
        let exported = export::heaptrack(source.as_mut(), args.pid, &mut namer, &mut spool, out);
        return Ok((exported.map_err(|error| failed(&error, doing()))?, source.faults().len()));
    }
    let Recording { header, ledger, faults, .. } = recording::read(&args.file)?;
    let exported = match args.form {
        Form::Heaptrack | Form::Pprof => export::pprof(&ledger, &header, args.pid, &mut namer, out),
        Form::Collapsed => export::collapsed(&ledger, args.pid, &mut namer, out),
        Form::Csv => export::csv(&ledger, &judge(&ledger), args.pid, &mut namer, out),
    };
    Ok((exported.map_err(|error| failed(&error, doing()))?, faults.len()))
}

fn failed(error: &ExportError, doing: String) -> Failure {
    let advice = match error {
        // Some evidence has no number for a process.
        ExportError::Several(first, second) => match first.pid.max(second.pid) {
            0 => Some("pprof, collapsed and csv hold several processes".to_owned()),
            _ if first.pid == 0 => Some(format!("choose one: --pid {}", second.pid)),
            _ => Some(format!("choose one: --pid {}", first.pid)),
        },
        ExportError::NoProcess(_) => Some("`unfreed analyze FILE` lists the processes".to_owned()),
        ExportError::Read(_) | ExportError::Write(_) => None,
    };
    let failure = Failure::new(format!("{doing}: {error}"));
    advice.into_iter().fold(failure, Failure::advise)
}

/// Says what was written, and what of it is not the whole truth.
fn tell(args: &Args, exported: &Exported, faults: usize, io: &Io) {
    let warn = |text: String| io.tell(&[words(text).ink(Ink::Warning)]);
    if exported.lost > 0 {
        warn(format!(
            "The trace lost {}: the file lacks them.",
            counted(exported.lost, "event", "events")
        ));
    }
    if faults > 0 {
        warn("Not all of the trace could be read; `unfreed analyze` says what.".to_owned());
    }
    if exported.sampled {
        let sample = match args.form {
            Form::Heaptrack => "the file has the sample, which is a small part.",
            _ => "the numbers are estimates.",
        };
        warn(format!("The process was sampled: {sample}"));
    }
    if exported.listed {
        let what = match args.form {
            Form::Heaptrack => "the file lacks them, and pprof, collapsed and csv have them.",
            Form::Csv => "their allocations are empty.",
            Form::Pprof | Form::Collapsed => "their allocations are 0.",
        };
        warn(format!("Of some blocks only snapshots tell, that they lived: {what}"));
    }
    if args.quiet {
        return;
    }
    let live = format!(
        "{} ({}) live at the end",
        counted(exported.live_blocks, "block", "blocks"),
        bytes(exported.live_bytes)
    );
    let what = match (exported.listed, exported.allocations) {
        (true, 0) => live,
        (_, all) => format!("{}, {live}", counted(all, "allocation", "allocations")),
    };
    match args.output.as_deref() {
        Some(path) => io.tell(&[words("Wrote "), shown(path), words(": "), words(what)]),
        None => io.tell(&[words("Wrote "), words(what)]),
    }
}
