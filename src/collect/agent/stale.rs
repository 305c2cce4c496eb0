//! Directories that a killed predecessor left behind.
//!
//! One is removed only if it is ours, not a link, and provably nobody's: its maker held a lock, which
//! the system takes away when the maker ends, and no process that we can look at has anything
//! from there mapped. A program that goes on without its recorder would else start others without
//! their agent. Whatever is not certain stays.

use std::fs::{self, File, OpenOptions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::place::{LOCK, PREFIX};

/// Removes them from this place. Where that cannot be done they stay.
pub(super) fn remove_stale(place: &Path) {
    let Ok(entries) = fs::read_dir(place) else { return };
    let left: Vec<(PathBuf, File)> = entries
        .flatten()
        .filter(|entry| entry.file_name().as_bytes().starts_with(PREFIX.as_bytes()))
        .map(|entry| entry.path())
        .filter_map(|path| nobody_s(&path).map(|lock| (path, lock)))
        .collect();
    if left.is_empty() {
        return;
    }
    let used = mapped();
    // The lock is held until it is gone: another starter leaves it to us.
    for (path, _lock) in left {
        if !used.iter().any(|map| mentions(map, &path))
            && let Err(error) = fs::remove_dir_all(&path)
        {
            tracing::debug!("{} stays: {error}", path.display());
        }
    }
}

/// The lock of a directory of ours whose maker has ended.
fn nobody_s(path: &Path) -> Option<File> {
    // SAFETY: asks for a number, no effect.
    let own = unsafe { libc::geteuid() };
    let about = fs::symlink_metadata(path).ok()?;
    let others_write = about.mode() & 0o022 != 0;
    if !about.is_dir() || about.uid() != own || others_write {
        return None;
    }
    // Opened for nothing that a pipe would wait for.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let lock = OpenOptions::new().read(true).custom_flags(flags).open(path.join(LOCK)).ok()?;
    let about = lock.metadata().ok()?;
    if !about.is_file() || about.uid() != own {
        return None;
    }
    flock(&lock, FlockOperation::NonBlockingLockExclusive).ok()?;
    Some(lock)
}

/// What every process has mapped, as far as we may know.
fn mapped() -> Vec<Vec<u8>> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    processes
        .flatten()
        .filter(|entry| entry.file_name().as_bytes().iter().all(u8::is_ascii_digit))
        .filter_map(|entry| fs::read(entry.path().join("maps")).ok())
        .collect()
}

fn mentions(map: &[u8], directory: &Path) -> bool {
    let mut inside = directory.as_os_str().as_bytes().to_vec();
    inside.push(b'/');
    map.windows(inside.len()).any(|part| part == inside)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// A directory as its maker leaves it, with its lock no longer held.
    fn left(place: &Path, name: &str) -> PathBuf {
        let path = place.join(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o711)).unwrap();
        fs::write(path.join(LOCK), "").unwrap();
        fs::write(path.join("libunfreed_agent.so"), "x").unwrap();
        path
    }

    #[test]
    fn only_what_is_certainly_nobody_s_is_removed() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path();
        let dead = left(place, "unfreed-dead");
        let alive = left(place, "unfreed-alive");
        let held = File::open(alive.join(LOCK)).unwrap();
        flock(&held, FlockOperation::NonBlockingLockExclusive).unwrap();
        let unfinished = left(place, "unfreed-unfinished");
        fs::remove_file(unfinished.join(LOCK)).unwrap();
        let open = left(place, "unfreed-open");
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        let foreign = left(place, "foreign");
        let target = left(place, "elsewhere");
        let link = place.join("unfreed-link");
        symlink(&target, &link).unwrap();
        let locked_by_link = left(place, "unfreed-locked-by-link");
        fs::remove_file(locked_by_link.join(LOCK)).unwrap();
        symlink(target.join(LOCK), locked_by_link.join(LOCK)).unwrap();

        remove_stale(place);
        assert!(!dead.exists());
        for kept in [&alive, &unfinished, &open, &foreign, &target, &link, &locked_by_link] {
            assert!(kept.exists(), "{}", kept.display());
        }
        drop(held);
        remove_stale(place);
        assert!(!alive.exists());
    }

    #[test]
    fn what_is_mapped_from_there_is_found() {
        let map = b"7f00-7f10 r-xp 00000000 fe:00 12   /tmp/unfreed-abc/libunfreed_agent.so\n";
        assert!(mentions(map, Path::new("/tmp/unfreed-abc")));
        assert!(!mentions(map, Path::new("/tmp/unfreed-ab")));
    }
}
