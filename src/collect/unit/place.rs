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
        builder(0o755).create(directory).map_err(failed("cannot make"))?;
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
            options.mode(0).open(directory.join(SESSION))?.set_len(session_bytes)?;
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
        remove(&self.directory);
    }
}

/// Unmounts and removes a place. What still uses it (the service, until its next restart) keeps
/// what it has.
pub(super) fn remove(directory: &Path) {
    let _ = unmount(directory, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW);
    // Empty now, and only removed if so. The base goes with the last place in it.
    let _ = fs::remove_dir(directory);
    if let Some(base) = directory.parent() {
        let _ = fs::remove_dir(base);
    }
}
