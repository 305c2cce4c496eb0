//! `unfreed mark`: puts a mark into the running trace, so that growth can be told per message
//! instead of per second.

use clap::Args as ClapArgs;
use unfreed::collect::mark::send;
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
    send(&mark, args.to).told(|| "cannot put a mark".to_owned()).map_err(|failure| {
        failure.advise("start the program with `unfreed run` or `unfreed record` first")
    })?;
    Ok(Outcome::Clear)
}
