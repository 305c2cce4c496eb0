//! `unfreed demo`: the whole tour on an example, without privileges: a program that leaks is
//! traced, judged, and its fix is shown; then the fixed one, and the difference.

use clap::Args as ClapArgs;

use super::Outcome;
use super::fail::Failure;
use super::options::Form;
use super::output::Io;

/// What the verb is given.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    form: Form,
}

/// Shows the tour.
pub fn run(args: &Args, io: &Io) -> Result<Outcome, Failure> {
    let _ = (args.form.style(io), io);
    Err(Failure::new("the demo is not wired into this build"))
}
