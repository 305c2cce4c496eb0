//! Where a process is handed the session's memory that cannot open it by itself: one that has become
//! another user, or sees another `/proc`, before it executed its program.
//!
//! A socket beside the agent's file: whoever sees the one sees the other, in whichever namespace or
//! as whichever user. The descriptor is handed only to who says the secret, which is in the
//! environment of the traced processes, where the system shows it to nobody but those who may
//! debug them. Whoever says nothing, or something else, is sent away; nobody is waited for.

use std::fmt::Write as _;
use std::fs::{File, Permissions};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The socket's file name.
const NAME: &str = "session";
/// Longest path that a socket's address holds.
const LONGEST: usize = 107;
const SECRET_BYTES: usize = 16;
/// What a process says follows at once on its knocking.
const SPEAKS_WITHIN: Duration = Duration::from_secs(1);
/// Most that may stand at the door without having spoken.
const MOST_WAITING: usize = 64;

/// An open door; closed when dropped.
pub(super) struct Door {
    path: PathBuf,
    secret: String,
    bell: Option<UnixStream>,
    keeper: Option<JoinHandle<()>>,
}

impl Door {
    /// Opens a door in a directory of ours to this memory.
    pub(super) fn open(directory: &Path, memory: &Arc<File>) -> io::Result<Door> {
        let path = directory.join(NAME);
        if path.as_os_str().len() > LONGEST {
            return Err(io::Error::from(io::ErrorKind::InvalidFilename));
        }
        let secret = secret()?;
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o666))?;
        listener.set_nonblocking(true)?;
        let (bell, rung) = UnixStream::pair()?;
        let keeper = {
            let (memory, secret) = (Arc::clone(memory), secret.clone());
            thread::Builder::new()
                .name(String::from("door"))
                .spawn(move || keep(&listener, &rung, secret.as_bytes(), memory.as_raw_fd()))?
        };
        Ok(Door { path, secret, bell: Some(bell), keeper: Some(keeper) })
    }

    /// What has to be said there.
    pub(super) fn secret(&self) -> &str {
        &self.secret
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // The keeper sees the other end of its pair closed.
        self.bell.take();
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

fn secret() -> io::Result<String> {
    let mut bytes = [0u8; SECRET_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// Somebody who has knocked.
struct Caller {
    stream: UnixStream,
    since: Instant,
    said: Vec<u8>,
}

fn keep(listener: &UnixListener, rung: &UnixStream, secret: &[u8], memory: RawFd) {
    // The signals are the main thread's.
    // SAFETY: a full set, for this thread alone.
    unsafe {
        let mut all = std::mem::zeroed::<libc::sigset_t>();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, std::ptr::null_mut());
    }
    let mut callers: Vec<Caller> = Vec::new();
    loop {
        let mut waited = vec![readable(rung.as_raw_fd()), readable(listener.as_raw_fd())];
        waited.extend(callers.iter().map(|caller| readable(caller.stream.as_raw_fd())));
        let limit = if callers.is_empty() { -1 } else { 100 };
        // SAFETY: as many as are told; the descriptors are open while they are waited for.
        let ready = unsafe { libc::poll(waited.as_mut_ptr(), waited.len() as libc::nfds_t, limit) };
        if ready < 0 && io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return;
        }
        if waited[0].revents != 0 {
            return;
        }
        while let Ok((stream, _)) = listener.accept() {
            if stream.set_nonblocking(true).is_ok() {
                callers.push(Caller { stream, since: Instant::now(), said: Vec::new() });
            }
            if callers.len() > MOST_WAITING {
                callers.remove(0);
            }
        }
        callers.retain_mut(|caller| caller.is_to_wait(secret, memory));
    }
}

fn readable(fd: RawFd) -> libc::pollfd {
    libc::pollfd { fd, events: libc::POLLIN, revents: 0 }
}

impl Caller {
    /// Hears what it has to say; hands it the memory, or not. Whether there is still something to hear.
    fn is_to_wait(&mut self, secret: &[u8], memory: RawFd) -> bool {
        let mut room = [0u8; SECRET_BYTES * 2];
        let left = secret.len().saturating_sub(self.said.len()).min(room.len());
        match self.stream.read(&mut room[..left]) {
            Ok(count @ 1..) => self.said.extend_from_slice(&room[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(_) | Err(_) => return false,
        }
        if self.said.len() < secret.len() {
            return self.since.elapsed() < SPEAKS_WITHIN;
        }
        // All of it is looked at, wherever the first difference is.
        let differs = self.said.iter().zip(secret).fold(0, |all, (a, b)| all | (a ^ b));
        if differs == 0 {
            // Where it is gone already nobody misses it.
            let _ = hand(self.stream.as_raw_fd(), memory);
        }
        false
    }
}

/// Sends a descriptor with one byte.
fn hand(socket: RawFd, memory: RawFd) -> io::Result<()> {
    #[repr(C)]
    struct Control {
        header: libc::cmsghdr,
        fd: RawFd,
    }
    let mut byte = 0u8;
    let mut piece = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let mut control = Control {
        header: libc::cmsghdr {
            cmsg_len: std::mem::offset_of!(Control, fd) + size_of::<RawFd>(),
            cmsg_level: libc::SOL_SOCKET,
            cmsg_type: libc::SCM_RIGHTS,
        },
        fd: memory,
    };
    // SAFETY: zeroed is an empty message; all it points to outlives the call and is as long as told.
    let sent = unsafe {
        let mut message = std::mem::zeroed::<libc::msghdr>();
        message.msg_iov = &mut piece;
        message.msg_iovlen = 1;
        message.msg_control = (&raw mut control).cast();
        message.msg_controllen = size_of::<Control>();
        libc::sendmsg(socket, &message, libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT)
    };
    if sent == 1 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::io::Write;

    use super::*;

    fn answer(door: &Door, said: &str) -> Vec<u8> {
        let mut stream = UnixStream::connect(door.path()).unwrap();
        stream.write_all(said.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // Sent away with something unread, it is a reset.
        let _ = stream.read_to_end(&mut answer);
        answer
    }

    #[test]
    fn only_who_knows_the_secret_is_answered() {
        let directory = tempfile::tempdir().unwrap();
        let memory = Arc::new(tempfile::tempfile().unwrap());
        let door = Door::open(directory.path(), &memory).unwrap();
        // One who says nothing stands there meanwhile.
        let _silent = UnixStream::connect(door.path()).unwrap();
        let secret = door.secret().to_owned();
        assert_eq!(secret.len(), SECRET_BYTES * 2);
        let wrong: String = secret.chars().rev().collect();
        assert_ne!(wrong, secret);
        assert_eq!(answer(&door, &wrong), b"");
        assert_eq!(answer(&door, &secret), b"\0");
        let path = door.path().to_owned();
        drop(door);
        assert!(UnixStream::connect(path).is_err());
    }
}
