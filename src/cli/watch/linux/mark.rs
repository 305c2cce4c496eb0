//! Puts a mark into a running trace of another unfreed.

use unfreed::collect::mark::{MarkError, list, send};
use unfreed::event::Mark;

use super::super::super::fail::{Failure, Told};

/// Puts it into the trace of this unfreed, or into the only one there is.
pub fn mark(mark: &Mark, to: Option<u32>) -> Result<(), Failure> {
    let Err(error) = send(mark, to) else { return Ok(()) };
    let advice = advice(&error);
    Err(error).told(|| "cannot put a mark".to_owned()).map_err(|failure| failure.advise(advice))
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
