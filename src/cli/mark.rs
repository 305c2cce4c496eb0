//! `unfreed mark`: puts a mark into the running trace, so that growth can be told per message
//! instead of per second.

use clap::Args as ClapArgs;
use unfreed::collect::mark::{MarkError, list, send};
use unfreed::event::Mark;

use super::Outcome;
use super::fail::{Failure, Told};
use super::output::Io;

/// What the verb is given.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// What happened, in your words ("messages sent")
    #[arg(default_value = "")]
    text: String,
    /// How many of them, since the last mark
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// The pid of the unfreed that is tracing, where there are several
    #[arg(long, value_name = "PID")]
    to: Option<u32>,
}

/// Puts the mark.
pub fn run(args: &Args, _io: &Io) -> Result<Outcome, Failure> {
    let mark = Mark { text: args.text.clone(), count: args.count };
    match send(&mark, args.to) {
        Ok(()) => Ok(Outcome::Clear),
        Err(error) => {
            let advice = advice(&error);
            Err(error).told(|| "cannot put a mark".to_owned()).map_err(|f| f.advise(advice))
        }
    }
}

/// What to do, which differs with what went wrong.
fn advice(error: &MarkError) -> String {
    match error {
        MarkError::NoTrace => {
            "start the program with `unfreed run` or `unfreed record` first".to_owned()
        }
        MarkError::Several { pids } => {
            format!("say which with --to PID, where PID is one of {}", list(pids))
        }
        MarkError::NotThere { others, .. } if others.is_empty() => {
            "no other trace is running either: start the program with `unfreed run` or `unfreed \
             record` first"
                .to_owned()
        }
        MarkError::NotThere { others, .. } => {
            format!("give --to the pid of an unfreed that is tracing: {}", list(others))
        }
        MarkError::NotTaken(_) | MarkError::Io(_) => {
            "put the mark again; if it fails again, see whether the trace still runs".to_owned()
        }
    }
}
