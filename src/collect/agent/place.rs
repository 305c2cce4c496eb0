//! A place for programs and libraries that this binary carries: a directory of their own that is
//! gone when dropped, on a file system that lets them be executed.
//!
//! For as long as its maker lives it is locked; what a killed maker left behind is removed by the
//! next, see `stale`.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, StatVfsMountFlags, flock, statvfs};
use tempfile::TempDir;

use super::error::CollectError;
use super::stale::remove_stale;

/// How the directories' names begin.
pub(super) const PREFIX: &str = "unfreed-";
/// The file in it that its maker holds locked.
pub(super) const LOCK: &str = "lock";

/// A directory with what was put there.
#[derive(Debug)]
pub struct ProgramDirectory {
    directory: TempDir,
    _lock: File,
}

impl ProgramDirectory {
    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Makes a new directory, which only its owner may enter, in the first place that takes programs,
/// and has it filled. Where filling fails (a full disk) the next place is tried. Removes what
/// killed predecessors left there.
///
/// # Errors
/// [`CollectError::NoDirectory`] where no place is left.
pub fn program_directory(
    fill: impl Fn(&Path) -> io::Result<()>,
) -> Result<ProgramDirectory, CollectError> {
    let places = [
        std::env::temp_dir(),
        PathBuf::from("/tmp"),
        PathBuf::from("/var/tmp"),
        PathBuf::from("/dev/shm"),
        PathBuf::from("/run"),
    ];
    for place in places.iter().filter(|place| takes_programs(place)) {
        remove_stale(place);
        let only_owner = Permissions::from_mode(0o700);
        let made =
            tempfile::Builder::new().prefix(PREFIX).permissions(only_owner).tempdir_in(place);
        if let Ok(directory) = made
            && let Ok(lock) = lock(directory.path())
            && fill(directory.path()).is_ok()
        {
            return Ok(ProgramDirectory { directory, _lock: lock });
        }
    }
    let tried: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
    Err(CollectError::NoDirectory { tried: tried.join(", ") })
}

/// The loader separates the names of libraries by colons and spaces, and takes a relative one for
/// relative to wherever the program is then.
fn takes_programs(place: &Path) -> bool {
    let separators = place.as_os_str().as_bytes().iter().any(|byte| matches!(byte, b':' | b' '));
    !separators
        && place.is_absolute()
        && statvfs(place).is_ok_and(|about| !about.f_flag.contains(StatVfsMountFlags::NOEXEC))
}

/// Locked under another name first: from when it can be found on, it is.
fn lock(directory: &Path) -> io::Result<File> {
    let unfinished = directory.join("lock.new");
    let file = File::create_new(&unfinished)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    fs::rename(&unfinished, directory.join(LOCK))?;
    Ok(file)
}
