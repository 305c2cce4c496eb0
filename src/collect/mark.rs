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
        DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        let about = fs::symlink_metadata(&directory)?;
        if !about.is_dir() || about.uid() != own_user() || about.mode() & 0o077 != 0 {
            return Err(io::Error::other(format!(
                "{} is not a directory that only you can enter",
                directory.display()
            )));
        }
        let path = directory.join(format!("{}.sock", std::process::id()));
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

/// Sends a mark to the tracing unfreed with this pid, or to the only one there is.
///
/// # Errors
/// There is none, there are several and none was named, or it did not take the mark.
pub fn send(mark: &Mark, to: Option<u32>) -> io::Result<()> {
    let directory = directory();
    let path = match to {
        Some(pid) => directory.join(format!("{pid}.sock")),
        None => the_only_one(&directory)?,
    };
    let mut stream = UnixStream::connect(&path).map_err(|error| {
        io::Error::new(error.kind(), format!("nobody is tracing at {}: {error}", path.display()))
    })?;
    stream.set_read_timeout(Some(PATIENCE * 2))?;
    let message = Message { text: mark.text.clone(), count: mark.count };
    let mut line = serde_json::to_string(&message)?;
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    let mut reply = String::new();
    BufReader::new(stream.take(LONGEST)).read_line(&mut reply)?;
    if reply.trim_end() == "marked" {
        return Ok(());
    }
    Err(io::Error::other(format!("the mark was not taken: {}", reply.trim_end())))
}

fn the_only_one(directory: &Path) -> io::Result<PathBuf> {
    let mut listening = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if UnixStream::connect(&path).is_ok() {
            listening.push(path);
        }
    }
    match listening.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(io::Error::new(
            io::ErrorKind::NotFound,
            "no trace is running that this user could mark; start one with `unfreed run` or `unfreed record`",
        )),
        several => {
            let pids: Vec<_> =
                several.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
            Err(io::Error::other(format!(
                "several traces are running; say which with --to: {}",
                pids.join(", ")
            )))
        }
    }
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
