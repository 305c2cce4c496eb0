//! The program being run: started with the agent preloaded, and otherwise as without us.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use super::embedded::AGENT_NAME;
use super::error::CollectError;
use super::signals::{as_without_us, blocked};
use crate::event::Exit;

/// Somebody else who starts the program to be traced, with the agent in its environment: systemd,
/// say. The collector waits for whoever registers.
pub trait Elsewhere {
    /// Has the program started.
    ///
    /// # Errors
    /// It could not be; the text says why.
    fn start(&mut self) -> Result<(), CollectError>;

    /// How the program ended, once it has for good. Asked often, so it must not wait.
    fn ended(&mut self) -> Option<ExitStatus>;
}

/// A running target.
pub(super) enum Target {
    /// Our own child.
    Child { child: Child, exit: Option<ExitStatus> },
    /// Somebody else's.
    Elsewhere(Box<dyn Elsewhere>),
}

/// What the program is to preload: the agent, then what the user preloads, so that an allocator among that is what we call,
/// and is traced. Where we are traced ourselves there is another agent: it would find our session in the program's
/// environment, and tell each allocation there a second time.
fn preloaded(agent: &Path, others: &OsStr) -> OsString {
    let separator = |byte: &u8| matches!(byte, b':' | b' ');
    let others = others.as_bytes().split(separator).map(|path| Path::new(OsStr::from_bytes(path)));
    let others = others.filter(|path| path.file_name().is_some_and(|name| name != AGENT_NAME));
    let paths = std::iter::once(agent).chain(others).map(Path::as_os_str);
    paths.collect::<Vec<_>>().join(OsStr::new(":"))
}

impl Target {
    /// Starts `command`, its standard input and error ours, in our process group.
    pub(super) fn start(
        program: &Path,
        command: &[OsString],
        stdout: Stdio,
        agent: &Path,
        session: &OsStr,
    ) -> Result<Target, CollectError> {
        let (name, arguments) = command.split_first().ok_or_else(|| CollectError::NotFound {
            command: String::from("no command"),
            cause: io::Error::from(io::ErrorKind::InvalidInput),
        })?;
        let preload = preloaded(agent, &std::env::var_os("LD_PRELOAD").unwrap_or_default());
        let mut command = Command::new(program);
        command
            .arg0(name)
            .args(arguments)
            .stdout(stdout)
            .env("LD_PRELOAD", preload)
            .env(unfreed_wire::SESSION_VARIABLE, session);
        let blocked = blocked();
        // SAFETY: the closure makes a few system calls and nothing else.
        unsafe {
            command.pre_exec(move || {
                as_without_us(&blocked);
                Ok(())
            });
        }
        let child = command.spawn().map_err(|cause| CollectError::NotFound {
            command: program.display().to_string(),
            cause,
        })?;
        Ok(Target::Child { child, exit: None })
    }

    /// Its number, if it is our child; else 0, which is nobody's.
    pub(super) fn pid(&self) -> u32 {
        match self {
            Target::Child { child, .. } => child.id(),
            Target::Elsewhere(_) => 0,
        }
    }

    /// Whether a signal to us that asks to end means the watching alone.
    pub(super) fn is_elsewhere(&self) -> bool {
        matches!(self, Target::Elsewhere(_))
    }

    /// How it ended, once it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        match self {
            Target::Child { child, exit } => {
                if exit.is_none() {
                    *exit = child.try_wait().ok().flatten();
                }
                *exit
            }
            Target::Elsewhere(elsewhere) => elsewhere.ended(),
        }
    }

    /// Sends it a signal, unless it has ended or is not ours to signal.
    pub(super) fn signal(&mut self, signal: libc::c_int) {
        if self.ended().is_some() {
            return;
        }
        if let Target::Child { child, .. } = self
            && let Ok(pid) = libc::pid_t::try_from(child.id())
        {
            // SAFETY: our own child, not yet waited for, so the pid is still its own.
            unsafe { libc::kill(pid, signal) };
        }
    }
}

/// As the event vocabulary says it.
pub(super) fn exit(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Status(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Unknown,
    }
}

/// Finds a program the way a shell does.
pub(super) fn find_program(name: &OsStr) -> Result<PathBuf, CollectError> {
    let not_found = |kind| CollectError::NotFound {
        command: name.to_string_lossy().into_owned(),
        cause: io::Error::from(kind),
    };
    if name.as_bytes().contains(&b'/') {
        let path = PathBuf::from(name);
        return path.metadata().map(|_| path.clone()).map_err(|cause| CollectError::NotFound {
            command: path.display().to_string(),
            cause,
        });
    }
    let places = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&places)
        .map(|place| place.join(name))
        .find(|path| is_executable(path))
        .ok_or_else(|| not_found(io::ErrorKind::NotFound))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}
