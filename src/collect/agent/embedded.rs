//! The agent inside this binary, written to where the loader can find it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::error::CollectError;

#[cfg(unfreed_agent)]
const AGENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/libunfreed_agent.so"));

#[cfg(not(unfreed_agent))]
const AGENT: &[u8] = &[];

/// The agent's file name: stacks and module lists show it, and the blame frame skips it.
const NAME: &str = "libunfreed_agent.so";

/// The agent as a file; gone when dropped.
pub(super) struct AgentFile {
    directory: TempDir,
}

impl AgentFile {
    /// Writes the agent into a new directory, in the first place that takes programs.
    pub(super) fn create() -> Result<AgentFile, CollectError> {
        if AGENT.is_empty() {
            return Err(CollectError::NoAgent);
        }
        let places = [
            std::env::temp_dir(),
            PathBuf::from("/tmp"),
            PathBuf::from("/var/tmp"),
            PathBuf::from("/dev/shm"),
            PathBuf::from("/run"),
        ];
        for place in &places {
            if !is_noexec(place)
                && let Ok(file) = AgentFile::create_in(place)
            {
                return Ok(file);
            }
        }
        let tried: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
        Err(CollectError::NoDirectory { tried: tried.join(", ") })
    }

    fn create_in(place: &Path) -> io::Result<AgentFile> {
        let directory = tempfile::Builder::new().prefix("unfreed-").tempdir_in(place)?;
        // A target that gives up its privileges and then executes another program must still be
        // able to read the agent. It holds nothing secret.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755))?;
        let file = AgentFile { directory };
        fs::write(file.path(), AGENT)?;
        fs::set_permissions(file.path(), Permissions::from_mode(0o755))?;
        Ok(file)
    }

    /// Where it lies.
    pub(super) fn path(&self) -> PathBuf {
        self.directory.path().join(NAME)
    }
}

fn is_noexec(place: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let Ok(path) = std::ffi::CString::new(place.as_os_str().as_bytes()) else { return true };
    let mut about = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: a C string and room for the answer; zeroed is a valid statvfs.
    let about = unsafe {
        if libc::statvfs(path.as_ptr(), about.as_mut_ptr()) != 0 {
            return true;
        }
        about.assume_init()
    };
    about.f_flag & libc::ST_NOEXEC != 0
}
