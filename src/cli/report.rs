//! `unfreed report`: what a recording says, as a file for people, tickets or programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args as ClapArgs;
use unfreed::report::flame::flame;
use unfreed::report::html::{self, Made};
use unfreed::report::model::Report;
use unfreed::report::text::page::words;
use unfreed::report::{json, markdown};
use unfreed::verdict::Assessment;

use super::Outcome;
use super::conclusion::{Analyst, tell_notices};
use super::fail::{Failure, Told};
use super::options::{Analysis, Form};
use super::output::{self, Io, deliver, shown};
use super::recording::{self, Recording};

/// What the verb is given.
#[derive(Debug, ClapArgs)]
#[command(after_help = super::EXIT_CODES)]
pub struct Args {
    /// A recording; several of one server are read as one case
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The report to write; its ending says what it is: .html, .md or .json
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Show it then, in whatever this desktop shows such files in
    #[arg(long)]
    open: bool,
    /// Say nothing when done
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Say what may explain missing names
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    analysis: Analysis,
}

/// What kind of file is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Html,
    Markdown,
    Json,
}

impl Kind {
    fn of(path: &Path) -> Result<Kind, Failure> {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        match ending.to_ascii_lowercase().as_str() {
            "html" | "htm" => Ok(Kind::Html),
            "md" | "markdown" => Ok(Kind::Markdown),
            "json" => Ok(Kind::Json),
            _ => Err(Failure::new(format!("{} says not what it is to be", path.display()))
                .advise("let its name end in .html, .md or .json")),
        }
    }
}

/// Writes a report.
pub fn run(args: &Args, io: &Io) -> Result<Outcome, Failure> {
    let kind = Kind::of(&args.output)?;
    output::check(&args.output)?;
    let mut analyst = Analyst::prepare(&args.analysis)?;
    let recording = recording::read_all(&args.files)?;
    let Recording { header, ledger, faults, parts } = &recording;
    let (report, assessment) = analyst.report(header, ledger, faults, parts);
    let rendered = render(kind, &report, &assessment, &recording, &mut analyst)?;
    deliver(rendered.as_bytes(), Some(&args.output))?;
    let form = Form { verbose: args.verbose, ..Form::default() };
    tell_notices(&analyst.namer, &form, io);
    if !args.quiet {
        io.tell(&[words("Wrote "), shown(&args.output), words(".")]);
    }
    if args.open {
        open(&args.output)?;
    }
    Ok(if report.suspects.is_empty() { Outcome::Clear } else { Outcome::Suspects })
}

fn render(
    kind: Kind,
    report: &Report,
    assessment: &Assessment,
    recording: &Recording,
    analyst: &mut Analyst,
) -> Result<String, Failure> {
    Ok(match kind {
        Kind::Html => {
            let suspects = assessment.suspects(analyst.min_confidence);
            let suspects = suspects.iter().map(|judged| (judged.process, judged.stack));
            let flame = flame(&recording.ledger, &mut analyst.namer, suspects);
            html::render(report, &flame, &made())
        }
        Kind::Markdown => markdown::render(report, &made()),
        Kind::Json => json::render(report).told(|| "cannot write the report as JSON".to_owned())?,
    })
}

/// The version, and the command as it was given.
pub(super) fn made() -> Made {
    let argument = |argument: std::ffi::OsString| quoted(&argument.to_string_lossy());
    let arguments: Vec<String> = std::env::args_os().skip(1).map(argument).collect();
    Made {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: format!("unfreed {}", arguments.join(" ")),
    }
}

/// As a shell takes it.
fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,+@%".contains(c);
    match !argument.is_empty() && argument.chars().all(plain) {
        true => argument.to_owned(),
        false => format!("'{}'", argument.replace('\'', r"'\''")),
    }
}

fn open(path: &Path) -> Result<(), Failure> {
    #[cfg(windows)]
    let mut command = Command::new("explorer");
    #[cfg(not(windows))]
    let mut command = Command::new("xdg-open");
    let started =
        command.arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    started
        .map(drop)
        .told(|| format!("wrote {}, but cannot show it", path.display()))
        .map_err(|failure| failure.advise("open the file by hand"))
}
