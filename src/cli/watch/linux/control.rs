//! What acts on the watching from elsewhere, as a screen does.

use std::io;

use rustix::process::{Signal, getpid, kill_process};
use unfreed::collect::agent::{Stop, asked_to_end};
use unfreed::collect::mark::send;
use unfreed::event::Mark;

/// What acts on the watching from elsewhere.
#[derive(Clone)]
pub struct Control(pub(super) Stop);

impl Control {
    /// Whether a signal asked to end since the watching began.
    pub fn asked_to_end(&self) -> bool {
        asked_to_end()
    }

    /// Ends the watching; the program runs on.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// Ends the program: the collector passes on what is sent to us.
    pub fn end_program(&self) -> io::Result<()> {
        Ok(kill_process(getpid(), Signal::TERM)?)
    }

    /// Puts a mark into the trace, the way that those of `unfreed mark` go, which may take a while.
    pub fn mark(&self, mark: &Mark) -> Result<(), String> {
        send(mark, Some(std::process::id())).map_err(|error| error.to_string())
    }
}
