//! The agent inside this binary, written to where the loader can find it.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::error::CollectError;
use super::place::{ProgramDirectory, program_directory};

#[cfg(unfreed_agent)]
const AGENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/libunfreed_agent.so"));

#[cfg(not(unfreed_agent))]
const AGENT: &[u8] = &[];

/// The agent's file name: stacks and module lists show it, and the blame frame skips it.
pub const AGENT_NAME: &str = "libunfreed_agent.so";

/// Whether this build has an agent.
pub(super) fn has_agent() -> bool {
    !AGENT.is_empty()
}

/// Writes the agent into a directory. A target that gives up its privileges and then executes
/// another program must still be able to read it. It holds nothing secret, but nobody else may ever
/// write it: it is loaded with the target's privileges.
///
/// # Errors
/// The file is there already, or cannot be written.
pub fn write_agent(directory: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(directory.join(AGENT_NAME))?;
    file.write_all(AGENT)?;
    file.set_permissions(Permissions::from_mode(0o755))
}

/// The agent as a file; gone when dropped.
pub(super) struct AgentFile {
    directory: ProgramDirectory,
}

impl AgentFile {
    /// Writes the agent into a new directory, in the first place that takes programs.
    pub(super) fn create() -> Result<AgentFile, CollectError> {
        if !has_agent() {
            return Err(CollectError::NoAgent);
        }
        let directory = program_directory(|directory| {
            write_agent(directory)?;
            // A target that gives up its privileges and then executes another program must still
            // be able to read the agent.
            fs::set_permissions(directory, Permissions::from_mode(0o711))
        })?;
        Ok(AgentFile { directory })
    }

    /// The directory that holds it, and whatever else the traced programs must see.
    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Where it lies.
    pub(super) fn path(&self) -> PathBuf {
        self.directory.path().join(AGENT_NAME)
    }
}
