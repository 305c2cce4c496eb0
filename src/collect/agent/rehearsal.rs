//! What preparing a session would do here, tried without a program: `doctor` asks the very code
//! that tracing uses, so that the two cannot disagree. Everything made is gone afterwards.

use std::io;
use std::path::PathBuf;

use super::embedded::AgentFile;
use super::error::CollectError;
use super::memory::SessionMemory;

/// What came of it.
#[derive(Debug)]
pub struct Rehearsal {
    /// The directory in which the agent was put, and programs can be loaded from.
    pub agent: Result<PathBuf, CollectError>,
    /// Whether the memory that agent and collector share could be made.
    pub memory: io::Result<()>,
}

impl Rehearsal {
    /// Tries both.
    pub fn hold() -> Rehearsal {
        let agent = AgentFile::create().map(|file| {
            let path = file.path();
            // The directory is the agent's own; what holds it says where it lies.
            path.ancestors().nth(2).map(PathBuf::from).unwrap_or(path)
        });
        Rehearsal { agent, memory: SessionMemory::create().map(drop) }
    }
}
