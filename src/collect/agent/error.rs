//! What can go wrong with running a program under the agent.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::Obstacle;

/// Why a program could not be run, or not be traced.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "each message says what it is")]
pub enum CollectError {
    #[error("this build of unfreed has no agent: it traces programs on x86-64 Linux only")]
    NoAgent,
    #[error("cannot find {command} to run: {cause}")]
    NotFound { command: String, cause: io::Error },
    #[error("{path} cannot be traced by preloading: {obstacle}; {advice}", path = path.display(), advice = obstacle.advice())]
    Obstacle { path: PathBuf, obstacle: Obstacle },
    #[error("{what}: {cause}")]
    System { what: &'static str, cause: io::Error },
    #[error(
        "no directory to run programs from: each of {tried} is missing, full or mounted noexec; set TMPDIR to one that is not"
    )]
    NoDirectory { tried: String },
    #[error(
        "the program ran ({exit}) but the agent never reported from it, so nothing was seen: {why}"
    )]
    NeverReported { exit: String, why: String },
    #[error("{program} ran and was not traced: {why}", program = program.display())]
    Untraced { program: PathBuf, why: String },
    #[error(
        "this processor's time stamp counter is not invariant (constant_tsc and nonstop_tsc in /proc/cpuinfo), so events of different threads cannot be ordered"
    )]
    NoInvariantClock,
    #[error("the agent cannot sample yet: it sees every allocation")]
    CannotSample,
    #[error("the events could not be passed on: {0}")]
    Sink(io::Error),
}

impl CollectError {
    pub(super) fn system(what: &'static str) -> impl FnOnce(io::Error) -> CollectError {
        move |cause| CollectError::System { what, cause }
    }
}
