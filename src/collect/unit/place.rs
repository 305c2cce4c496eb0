//! Where the agent and the session of a traced service lie: a small file system in memory, mounted
//! for this trace and gone with it.
//!
//! ```text
//! DIRECTORY/libunfreed_agent.so   read by everybody, written by nobody
//! DIRECTORY/session               empty; in the service the session itself is mounted over it
//! DIRECTORY/secret/session        the session; only root enters `secret`
//! DIRECTORY/owner                 pid and start of the unfreed that traces, and the unit
//! ```
//!
//! A mount of its own, because `/run` may be mounted noexec and is often too small: a page that
//! finds no room there would end the service with SIGBUS.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::error::UnitError;
use super::leftover::Owner;
use super::properties::UnitName;
use crate::collect::agent::write_agent;

pub(super) const SESSION: &str = "session";
pub(super) const SECRET: &str = "secret";
pub(super) const OWNER: &str = "owner";

/// Where such directories are made: the first that the service may see.
pub(super) const BASES: [&str; 2] = ["/run/unfreed", "/var/lib/unfreed"];

/// Room for the agent and the rest, beside the session.
const ROOM: u64 = 16 << 20;

/// A directory that is unmounted and removed when dropped.
#[derive(Debug)]
pub struct Place {
    directory: PathBuf,
}

impl Place {
    /// Where the place for a service is, below a base.
    pub(super) fn path(base: &str, unit: &UnitName) -> PathBuf {
        Path::new(base).join(unit.plain())
    }

    /// Removes it, as far as it can be. Says whether it is all gone.
    pub(super) fn leave(self) -> bool {
        let directory = self.directory.clone();
        drop(self);
        !directory.exists()
    }

    /// Makes the place and everything in it. Gives it with the session's file, which is empty.
    pub(super) fn create(
        directory: &Path,
        unit: &UnitName,
        session_bytes: u64,
    ) -> Result<(Place, File), UnitError> {
        let failed = |what| UnitError::file(what, directory);
        let builder = |mode| {
            let mut builder = DirBuilder::new();
            builder.mode(mode);
            builder
        };
        if let Some(base) = directory.parent() {
            match builder(0o755).create(base) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(UnitError::file("cannot make", base)(error));
                }
                _ => {}
            }
        }
        match builder(0o755).create(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed("cannot make")(error));
            }
            _ => {}
        }
        // What an earlier trace left to a service that is about to be restarted.
        while unmount(directory, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW).is_ok() {}
        let place = Place { directory: directory.to_owned() };
        let options = std::ffi::CString::new(format!("mode=0755,size={}", session_bytes + ROOM))
            .unwrap_or_default();
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        mount("unfreed", directory, "tmpfs", flags, options.as_c_str())
            .map_err(io::Error::from)
            .map_err(failed("cannot mount a file system in memory on"))?;
        let fill = || -> io::Result<File> {
            fs::write(directory.join(OWNER), Owner::own().line(unit))?;
            write_agent(directory)?;
            // As long as the session, with nothing in it: a command that systemd starts outside of
            // the sandbox (`ExecStartPre=+...`) finds this, and must not run past its end.
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true);
            options.mode(0o000).open(directory.join(SESSION))?.set_len(session_bytes)?;
            let secret = directory.join(SECRET);
            builder(0o700).create(&secret)?;
            let session = options.mode(0o600).open(secret.join(SESSION))?;
            session.set_permissions(Permissions::from_mode(0o666))?;
            Ok(session)
        };
        let session = fill().map_err(failed("cannot fill"))?;
        Ok((place, session))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = remove(&self.directory);
    }
}

/// Removes a place; where a service still has it, all but the agent. Says whether it is all gone.
///
/// The programs that such a service executes look for the agent until the service is restarted, and
/// the loader would complain of each on their standard error. To remove a mount point takes the
/// mount away in all namespaces.
pub(super) fn remove(directory: &Path) -> bool {
    if is_in_use(directory) {
        let secret = directory.join(SECRET);
        give_memory_back(&secret.join(SESSION));
        for file in [secret.join(SESSION), directory.join(SESSION), directory.join(OWNER)] {
            let _ = fs::remove_file(file);
        }
        let _ = fs::remove_dir(secret);
        return false;
    }
    let _ = unmount(directory, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW);
    // Empty now, and only removed if so. The base goes with the last place in it.
    let _ = fs::remove_dir(directory);
    if let Some(base) = directory.parent() {
        let _ = fs::remove_dir(base);
    }
    true
}

/// Whether a process lives in a namespace in which the drop-in was obeyed: there the place is
/// mounted twice, once as everywhere and once more, read-only.
fn is_in_use(directory: &Path) -> bool {
    let Some(directory) = directory.to_str() else { return false };
    let twice = |mounts: String| {
        let here = |line: &&str| line.split(' ').nth(1) == Some(directory);
        mounts.lines().filter(here).count() > 1
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit))
        .filter_map(|entry| fs::read_to_string(entry.path().join("mounts")).ok())
        .any(twice)
}

/// Frees the pages of a session that was closed, but for its header, which says so: the service
/// has it mapped until its restart.
fn give_memory_back(session: &Path) {
    const HEADER: u64 = 4096;
    let Ok(file) = OpenOptions::new().read(true).write(true).open(session) else { return };
    let length = file.metadata().map_or(0, |about| about.len());
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    if length > HEADER {
        let _ = fallocate(&file, flags, HEADER, length - HEADER);
    }
}
