//! `unfreed report`: what a recording says, as a file for people, tickets or programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args as ClapArgs;
use unfreed::report::flame::flame;
use unfreed::report::html::{self, Made};
use unfreed::report::text::page::words;
use unfreed::report::{json, markdown};

use super::Outcome;
use super::bundle::{self, Wanted};
use super::conclusion::{Analyst, tell_notices};
use super::diff::{Side, held_against};
use super::fail::{Failure, Told};
use super::made::made;
use super::options::{Analysis, Form};
use super::output::{self, Io, deliver, shown};
use super::progress::silence_if;
use super::recording;

/// What the verb is given.
#[derive(Debug, ClapArgs)]
#[command(after_help = super::EXIT_CODES)]
pub struct Args {
    /// A recording; several of one server are read as one case
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The report to write; its ending says what it is: .html, .md or .json, or .zip for a case bundle
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Hold an earlier recording against it: is the fix working?
    #[arg(long, value_name = "BEFORE")]
    baseline: Option<PathBuf>,
    /// In a case bundle: put tokens for the names of users, hosts and paths, for arguments and mail addresses;
    /// the key to them is written beside the case
    #[arg(long, conflicts_with = "with_originals")]
    redact: bool,
    /// In a case bundle: include the recordings as they are
    #[arg(long)]
    with_originals: bool,
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
pub enum Kind {
    /// A page for people.
    Html,
    /// Text for a ticket.
    Markdown,
    /// Data for programs.
    Json,
    /// All of that and the trace, for support.
    Case,
}

impl Kind {
    /// What a file's name says it is to be.
    pub fn of(path: &Path) -> Result<Kind, Failure> {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        match ending.to_ascii_lowercase().as_str() {
            "html" | "htm" => Ok(Kind::Html),
            "md" | "markdown" => Ok(Kind::Markdown),
            "json" => Ok(Kind::Json),
            "zip" => Ok(Kind::Case),
            _ => Err(Failure::new(format!("{} says not what it is to be", path.display()))
                .advise("let its name end in .html, .md, .json or .zip")),
        }
    }
}

/// Writes a report.
pub fn run(args: &Args, io: &Io) -> Result<Outcome, Failure> {
    silence_if(args.quiet);
    let kind = Kind::of(&args.output)?;
    output::check(&args.output)?;
    if args.redact {
        bundle::key_beside(&args.output)?;
    }
    let mut analyst = Analyst::prepare(&args.analysis)?;
    let clear = match kind {
        Kind::Case => {
            let wanted = Wanted {
                files: &args.files,
                baseline: args.baseline.as_deref(),
                output: &args.output,
                redact: args.redact,
                with_originals: args.with_originals,
                live: false,
                quiet: args.quiet,
            };
            bundle::write(&wanted, &mut analyst, io)?
        }
        _ if args.redact || args.with_originals => {
            return Err(Failure::new("only a case bundle can be redacted or have originals in it")
                .advise("let the name of the report end in .zip"));
        }
        kind => {
            let mut after = Side::of(recording::read_all(&args.files)?, &mut analyst);
            if let Some(before) = &args.baseline {
                let before = Side::read(before, &mut analyst)?;
                after.report.baseline = Some(held_against(&before, &after, &mut analyst.namer));
            }
            let rendered = render(kind, &after, &made(&args.output), &mut analyst)?;
            deliver(rendered.as_bytes(), Some(&args.output))?;
            after.report.suspects.is_empty()
        }
    };
    let form = Form { verbose: args.verbose, ..Form::default() };
    tell_notices(&analyst.namer, &form, io);
    if !args.quiet {
        io.tell(&[words("Wrote "), shown(&args.output), words(".")]);
    }
    if args.open {
        open(&args.output)?;
    }
    Ok(if clear { Outcome::Clear } else { Outcome::Suspects })
}

/// Renders a report in one of the forms that are one file.
pub fn render(
    kind: Kind,
    side: &Side,
    made: &Made,
    analyst: &mut Analyst,
) -> Result<String, Failure> {
    let Side { recording, report, assessment } = side;
    Ok(match kind {
        Kind::Html => {
            let suspects = assessment.suspects(analyst.min_confidence);
            let suspects = suspects.iter().map(|judged| (judged.process, judged.stack));
            let flame = flame(&recording.ledger, &mut analyst.namer, suspects);
            html::render(report, &flame, made)
        }
        Kind::Markdown => markdown::render(report, made),
        Kind::Json | Kind::Case => {
            json::render(report).told(|| "cannot write the report as JSON".to_owned())?
        }
    })
}

fn open(path: &Path) -> Result<(), Failure> {
    // A name may begin as an option does.
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    #[cfg(windows)]
    let mut command = Command::new("explorer");
    #[cfg(not(windows))]
    let mut command = Command::new("xdg-open");
    let started =
        command.arg(whole).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    started
        .map(drop)
        .told(|| format!("wrote {}, but cannot show it", path.display()))
        .map_err(|failure| failure.advise("open the file by hand"))
}
