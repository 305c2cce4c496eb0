//! A place for programs and libraries that this binary carries: a directory of their own that is
//! gone when dropped, on a file system that lets them be executed.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{StatVfsMountFlags, statvfs};
use tempfile::TempDir;

use super::error::CollectError;

/// Makes a new directory, which only its owner may enter, in the first place that takes programs,
/// and has it filled. Where filling fails (a full disk) the next place is tried.
///
/// # Errors
/// [`CollectError::NoDirectory`] where no place is left.
pub fn program_directory(fill: impl Fn(&Path) -> io::Result<()>) -> Result<TempDir, CollectError> {
    let places = [
        std::env::temp_dir(),
        PathBuf::from("/tmp"),
        PathBuf::from("/var/tmp"),
        PathBuf::from("/dev/shm"),
        PathBuf::from("/run"),
    ];
    for place in places.iter().filter(|place| takes_programs(place)) {
        let only_owner = Permissions::from_mode(0o700);
        let made =
            tempfile::Builder::new().prefix("unfreed-").permissions(only_owner).tempdir_in(place);
        if let Ok(directory) = made
            && fill(directory.path()).is_ok()
        {
            return Ok(directory);
        }
    }
    let tried: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
    Err(CollectError::NoDirectory { tried: tried.join(", ") })
}

fn takes_programs(place: &Path) -> bool {
    statvfs(place).is_ok_and(|about| !about.f_flag.contains(StatVfsMountFlags::NOEXEC))
}
