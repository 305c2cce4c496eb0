//! Options that several verbs share.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use unfreed::report::text::style::{Detail, Style};

use super::fail::Failure;
use super::output::{self, Io};
use super::quantity;

/// How the result is to come out.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Result")]
pub struct Form {
    /// Write JSON (documented in docs/json-schema.md)
    #[arg(long)]
    pub json: bool,
    /// Write the result to FILE instead of stdout
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// No colour, as NO_COLOR does
    #[arg(long)]
    pub no_color: bool,
    /// Say less
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more: every number, reason, stack and file
    #[arg(short, long)]
    pub verbose: bool,
}

impl Form {
    /// Refuses a result file that could not be written, before there is a result.
    pub fn check(&self) -> Result<(), Failure> {
        self.output.as_deref().map_or(Ok(()), output::check)
    }

    /// How texts are to look.
    pub fn style(&self, io: &Io) -> Style {
        let detail = match (self.quiet, self.verbose) {
            (true, _) => Detail::Brief,
            (_, true) => Detail::Full,
            _ => Detail::Normal,
        };
        io.style(self.output.is_some(), self.no_color, detail)
    }
}

/// How events become a verdict.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Analysis")]
pub struct Analysis {
    /// Take in the fixes in DIR too (may be given several times)
    #[arg(long, value_name = "DIR")]
    pub fixes: Vec<PathBuf>,
    /// Look for backported fixes in the changelog FILE of a package, where it is not installed here: `PACKAGE=FILE` (may be
    /// given several times)
    #[arg(long, value_name = "[PACKAGE=]FILE")]
    pub changelog: Vec<PathBuf>,
    /// Look for symbols in PATH too: a debug directory, a symbol store, a file, or a symbol path of Windows
    /// (srv*CACHE*https://...) (may be given several times)
    #[arg(long, value_name = "PATH")]
    pub symbols: Vec<PathBuf>,
    /// Ask the symbol servers that _NT_SYMBOL_PATH names; those of --symbols always are
    #[arg(long)]
    pub download_symbols: bool,
    /// The least confidence, 0 to 1, at which a site is a suspect
    #[arg(long, value_name = "SHARE", value_parser = quantity::share)]
    pub min_confidence: Option<f64>,
}

/// How a program is watched.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Capture")]
pub struct Capture {
    /// Stop watching after TIME (30s, 5m, 1h30m); the program runs on
    #[arg(long, value_name = "TIME", value_parser = quantity::duration)]
    pub duration: Option<Duration>,
    /// Sample: see on average one of every BYTES allocated (512KiB, 1M), and estimate the whole; 0
    /// sees every allocation
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = quantity::sampling)]
    pub sample: u64,
    /// Tell every allocation and free by itself, also of blocks that die young (much slower)
    #[arg(long, conflicts_with = "sample")]
    pub every_event: bool,
    /// At the end of the watching, while the program runs, look which blocks are still referenced: it stands
    /// still for that
    #[arg(long)]
    pub scan: bool,
    /// How long all processes together may stand still to be scanned
    #[arg(long, value_name = "TIME", requires = "scan", default_value = "1s", value_parser = quantity::duration)]
    pub scan_limit: Duration,
    /// Exit as the program did, not by what was found
    #[arg(long, conflicts_with = "unit")]
    pub target_status: bool,
    #[command(flatten)]
    pub service: ServiceOptions,
    /// Attach to a running process instead of starting a program (may be given several times); needs root
    #[arg(
        long,
        value_name = "PID|NAME",
        conflicts_with_all = ["unit", "every_event", "target_status"]
    )]
    pub attach: Vec<String>,
    /// The program and its arguments
    #[arg(
        required_unless_present_any = ["unit", "attach"],
        conflicts_with_all = ["unit", "attach"],
        last = true,
        value_name = "CMD"
    )]
    pub command: Vec<std::ffi::OsString>,
}

/// A systemd service instead of a program.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "A systemd service")]
pub struct ServiceOptions {
    /// Restart the service NAME under unfreed, by a drop-in that is removed in the end
    #[arg(long, value_name = "NAME")]
    pub unit: Option<String>,
    /// Only show what would be done: the drop-in on stdout
    #[arg(long, requires = "unit")]
    pub print: bool,
    /// Restart the service again in the end, so that nothing of unfreed stays in it
    #[arg(long, requires = "unit")]
    pub restart_after: bool,
    /// Put no drop-in in place and restart nothing: you do both by hand
    #[arg(long, requires = "unit", conflicts_with_all = ["print", "restart_after"])]
    pub by_hand: bool,
    /// Remove what an unfreed that was killed left of tracing services
    #[arg(long, requires = "unit", conflicts_with_all = ["print", "restart_after", "by_hand"])]
    pub undo: bool,
}
