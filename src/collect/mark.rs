//! Marks: how `unfreed mark` reaches the unfreed that is tracing.
//!
//! The tracing side listens on a socket in a directory that only its user can enter, named after
//! its own pid. A mark is one line of JSON; the answer is one line that says it is in the trace.

use std::fs::{self, DirBuilder};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::event::Mark;

/// Longest line either side accepts.
const LONGEST: u64 = 64 << 10;
/// How long either side waits for the other.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Serialize, Deserialize)]
struct Message {
    text: String,
    count: Option<u64>,
}

/// The tracing side.
pub struct MarkListener {
    listener: UnixListener,
    path: PathBuf,
}

impl MarkListener {
    /// Listens under this process's pid.
    ///
    /// # Errors
    /// The directory cannot be made or is somebody else's, or the socket cannot be bound.
    pub fn open() -> io::Result<MarkListener> {
        let directory = directory();
        // Only the last part is ours to make: a place that is not there is not to appear.
        match DirBuilder::new().mode(0o700).create(&directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let about = fs::symlink_metadata(&directory)?;
        if !about.is_dir() || about.uid() != own_user() || about.mode() & 0o077 != 0 {
            return Err(io::Error::other(format!(
                "{} is not a directory that only you can enter",
                directory.display()
            )));
        }
        let path = socket(&directory, std::process::id());
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        listener.set_nonblocking(true)?;
        Ok(MarkListener { listener, path })
    }

    /// Takes the marks that have come; each is acknowledged when `accept` has returned.
    pub fn poll(&self, mut accept: impl FnMut(Mark)) {
        while let Ok((stream, _)) = self.listener.accept() {
            if let Err(error) = answer(stream, &mut accept) {
                tracing::warn!("a mark could not be read: {error}");
            }
        }
    }
}

fn answer(mut stream: UnixStream, accept: &mut impl FnMut(Mark)) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(Read::by_ref(&mut stream).take(LONGEST)).read_line(&mut line)?;
    // Somebody only looked whether we listen.
    if line.trim_end().is_empty() {
        return Ok(());
    }
    match serde_json::from_str::<Message>(&line) {
        Ok(Message { text, count }) => {
            accept(Mark { text, count });
            stream.write_all(b"marked\n")
        }
        Err(error) => writeln!(stream, "not a mark: {error}"),
    }
}

impl Drop for MarkListener {
    fn drop(&mut self) {
        // Best effort: a socket left behind is recognised by nobody answering.
        let _ = fs::remove_file(&self.path);
    }
}

/// Why a mark is in no trace.
#[derive(Debug, Error)]
pub enum MarkError {
    /// Nobody listens.
    #[error("no trace is running that this user could mark")]
    NoTrace,
    /// Several listen, and none was named.
    #[error("several traces are running, of the unfreed with pid {}", list(.pids))]
    Several {
        /// Their pids, in order.
        pids: Vec<u32>,
    },
    /// The one that was named does not listen, others may.
    #[error("no unfreed with pid {pid} is tracing: {cause}")]
    NotThere {
        /// Its pid.
        pid: u32,
        /// The pids of those that listen, in order.
        others: Vec<u32>,
        /// What connecting says.
        cause: io::Error,
    },
    /// It listens, and did not take the mark.
    #[error("the mark was not taken: {0}")]
    NotTaken(String),
    /// The connection broke.
    #[error("the mark may not have arrived: {0}")]
    Io(#[from] io::Error),
}

/// Pids, as a sentence has them.
pub fn list(pids: &[u32]) -> String {
    pids.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

/// Sends a mark to the tracing unfreed with this pid, or to the only one there is.
///
/// # Errors
/// There is none, there are several and none was named, or it did not take the mark.
pub fn send(mark: &Mark, to: Option<u32>) -> Result<(), MarkError> {
    let directory = directory();
    let pid = match (to, to.is_none().then(|| listening(&directory)).as_deref()) {
        (Some(pid), _) | (None, Some(&[pid])) => pid,
        (None, None | Some([])) => return Err(MarkError::NoTrace),
        (None, Some(several)) => return Err(MarkError::Several { pids: several.to_vec() }),
    };
    let mut stream = UnixStream::connect(socket(&directory, pid))
        .map_err(|cause| MarkError::NotThere { pid, others: listening(&directory), cause })?;
    stream.set_read_timeout(Some(PATIENCE * 2))?;
    let message = Message { text: mark.text.clone(), count: mark.count };
    let mut line = serde_json::to_string(&message).map_err(io::Error::from)?;
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    let mut reply = String::new();
    BufReader::new(stream.take(LONGEST)).read_line(&mut reply)?;
    if reply.trim_end() == "marked" {
        return Ok(());
    }
    Err(MarkError::NotTaken(reply.trim_end().to_owned()))
}

/// The pids under which somebody listens, in order.
fn listening(directory: &Path) -> Vec<u32> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut pids: Vec<u32> = entries
        .map(|entry| entry.path())
        .filter(|path| UnixStream::connect(path).is_ok())
        .filter_map(|path| path.file_stem()?.to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    pids
}

fn socket(directory: &Path, pid: u32) -> PathBuf {
    directory.join(format!("{pid}.sock"))
}

fn directory() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR").filter(|value| !value.is_empty()) {
        Some(runtime) => PathBuf::from(runtime).join("unfreed"),
        None => std::env::temp_dir().join(format!("unfreed-{}", own_user())),
    }
}

fn own_user() -> u32 {
    // SAFETY: asks for a number.
    unsafe { libc::geteuid() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn who_only_asks_whether_anybody_listens_sets_no_mark_and_no_fault() {
        for line in ["", "\n"] {
            let (mut there, here) = UnixStream::pair().unwrap();
            there.write_all(line.as_bytes()).unwrap();
            drop(there);
            answer(here, &mut |mark| panic!("{mark:?}")).unwrap();
        }
    }
}
