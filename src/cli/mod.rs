//! The command line: what can be asked, one file per verb. A verb takes its parsed arguments and
//! an [`Io`](output::Io), and gives an [`Outcome`] or an error that says what happened, where, and
//! what to do. Only `main` turns these into an exit code.

mod analyze;
mod aside;
mod attach;
mod bundle;
mod catalogue;
mod changelogs;
mod conclusion;
mod core_dump;
mod demo;
mod diff;
mod doctor;
mod export;
mod fail;
mod fixes;
mod made;
mod mark;
mod options;
mod output;
mod progress;
mod quantity;
mod record;
mod recorder;
mod recording;
mod report;
mod reporting;
mod run;
mod top;
mod watch;

use clap::{Parser, Subcommand};

pub use fail::Failure;
pub use output::Io;

/// What the exit code of a verb that gives a report says, and what it does not say.
const EXIT_CODES: &str = "\
Exit codes: 0 done, no suspect; 1 done, at least one suspect; 2 it could not do what was asked.
0 also stands for \"No verdict\": a trace in which no leak could have been seen. Scripts should look \
at `conclusive` in the JSON (true: nothing was found; false: nothing could be seen), or at \
`smallest_detectable_bytes_per_s`.";

/// Finds what a messaging process never frees, names the module and the version to blame,
/// and the fix that is already published.
#[derive(Debug, Parser)]
#[command(name = "unfreed", version, max_term_width = 100, propagate_version = true)]
#[command(after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start a program, watch its allocations, say what it never frees
    Run(run::Args),
    /// Attach to running processes with eBPF, watch their allocations, say what they never free
    Attach(attach::Args),
    /// Start a program (or attach to one) and record its allocations to a file, to be analysed later or elsewhere
    Record(record::Args),
    /// Watch a program, or a recording played again, on a live screen
    Top(top::Args),
    /// Say what a recorded process never frees
    Analyze(analyze::Args),
    /// Write what a recording says to a file: HTML, Markdown, JSON, or a case bundle for support
    Report(report::Args),
    /// Hold two traces against each other: is the fix working?
    Diff(diff::Args),
    /// Write a trace in another tool's form
    Export(export::Args),
    /// The catalogue of published fixes
    Fixes(fixes::Args),
    /// Put a mark into the running trace ("1,000 messages sent")
    Mark(mark::Args),
    /// What can be captured here, and what to do about what cannot
    Doctor(doctor::Args),
    /// The whole tour on an embedded example, no privileges
    Demo(demo::Args),
}

/// The exit code of what could not be done.
pub const FAILED: u8 = 2;

/// How a verb ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done; nothing to worry about.
    Clear,
    /// Done; at least one suspect.
    Suspects,
    /// Exit as the target did.
    #[cfg_attr(
        not(any(target_os = "linux", windows)),
        expect(dead_code, reason = "nothing is run there")
    )]
    AsTarget(u8),
}

impl Outcome {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Outcome::Clear => 0,
            Outcome::Suspects => 1,
            Outcome::AsTarget(code) => code,
        }
    }
}

impl Cli {
    /// Does what was asked.
    pub fn run(&self, io: &Io) -> Result<Outcome, Failure> {
        match &self.verb {
            Verb::Run(args) => run::run(args, io),
            Verb::Attach(args) => attach::run(args, io),
            Verb::Record(args) => record::run(args, io),
            Verb::Top(args) => top::run(args, io),
            Verb::Analyze(args) => analyze::run(args, io),
            Verb::Report(args) => report::run(args, io),
            Verb::Diff(args) => diff::run(args, io),
            Verb::Export(args) => export::run(args, io),
            Verb::Fixes(args) => fixes::run(args, io),
            Verb::Demo(args) => demo::run(args, io),
            Verb::Mark(args) => mark::run(args, io),
            Verb::Doctor(args) => doctor::run(args, io),
        }
    }
}
