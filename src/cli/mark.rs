//! `unfreed mark`: puts a mark into the running trace, so that growth can be told per message
//! instead of per second.

use clap::Args as ClapArgs;
use unfreed::event::Mark;

use super::Outcome;
use super::fail::Failure;
use super::output::Io;
use super::watch;

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
    watch::mark(&mark, args.to).map(|()| Outcome::Clear)
}
