//! The command line: what can be asked, one file per verb. A verb takes its parsed arguments and
//! an [`Io`](output::Io), and gives an [`Outcome`] or an error that says what happened, where, and
//! what to do. Only `main` turns these into an exit code.

mod doctor;
mod fail;
mod mark;
mod options;
mod output;
mod quantity;

use clap::{Parser, Subcommand};

pub use fail::Failure;
pub use output::Io;

/// Finds what a messaging process never frees, names the module and the version to blame,
/// and the fix that is already published.
#[derive(Debug, Parser)]
#[command(name = "unfreed", version, max_term_width = 100, propagate_version = true)]
#[command(after_help = "Exit codes: 0 done, no suspect; 1 done, at least one suspect; 2 it could \
                        not do what was asked.")]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Put a mark into the running trace ("1,000 messages sent")
    Mark(mark::Args),
    /// What can be captured here, and what to do about what cannot
    Doctor(doctor::Args),
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
            Verb::Mark(args) => mark::run(args, io),
            Verb::Doctor(args) => doctor::run(args, io),
        }
    }
}
