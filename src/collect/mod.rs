//! Live sources: what watches a running process. `unsafe` and FFI stay in here.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::event::{Event, Exit, Mark};
use crate::read::trace::Header;

/// What to run, and how to watch it.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// Stop watching after this time; the program runs on.
    pub duration: Option<Duration>,
    /// Sample one allocation in so many bytes; 0 sees every allocation.
    pub sample: u64,
}

/// Why a program could not be watched.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// Not wired yet.
    #[error("watching programs is not wired into this build")]
    NotWired,
}

/// What stands in the way of loading an agent into a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It is linked statically: nothing can be loaded into it.
    Static,
}

impl Obstacle {
    /// What to do instead.
    pub fn advice(&self) -> &'static str {
        "Link the program dynamically."
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("linked statically")
    }
}

/// What stands in the way of loading an agent into this program; `None` where nothing does.
pub fn preload_obstacle(_path: &Path) -> Option<Obstacle> {
    None
}

/// A program that was started under the agent.
#[derive(Debug)]
pub struct Session {
    never: std::convert::Infallible,
}

impl Session {
    /// Starts the program.
    pub fn start(_options: &RunOptions) -> Result<Self, CollectError> {
        Err(CollectError::NotWired)
    }

    /// What a trace of this session says of itself.
    pub fn header(&self) -> Header {
        match self.never {}
    }

    /// Hands out events, in time order, until the program ends or the time is over.
    pub fn watch(self, _sink: &mut dyn FnMut(&Event)) -> Result<Exit, CollectError> {
        match self.never {}
    }
}

/// Puts a mark into the running trace.
pub fn mark(_mark: &Mark) -> Result<(), CollectError> {
    Err(CollectError::NotWired)
}
