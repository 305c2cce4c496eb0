//! A program that is started by us: created suspended, so that everything listens before it does anything, and then resumed. If
//! that never comes, it is ended again.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::windows::process::CommandExt;
use std::process::{Child, Command, ExitStatus};

use super::{EtwError, ffi};
use crate::event::Exit;

/// `CREATE_SUSPENDED`
const SUSPENDED: u32 = 4;

/// A program that has not begun.
#[derive(Debug)]
pub struct Suspended(Option<Child>);

/// A program that runs.
#[derive(Debug)]
pub struct Running(Child);

impl Suspended {
    /// Creates it. What it writes goes to `output`, or to our console.
    ///
    /// # Errors
    /// There is no such program, or it cannot be run.
    pub fn create(command: &[OsString], output: Option<File>) -> Result<Suspended, EtwError> {
        let (program, arguments) = command.split_first().ok_or_else(|| EtwError::NotStarted {
            program: String::new(),
            cause: io::ErrorKind::InvalidInput.into(),
        })?;
        let failed =
            |cause| EtwError::NotStarted { program: program.to_string_lossy().into_owned(), cause };
        let mut start = Command::new(program);
        start.args(arguments).creation_flags(SUSPENDED);
        if let Some(output) = output {
            start.stderr(output.try_clone().map_err(failed)?).stdout(output);
        }
        Ok(Suspended(Some(start.spawn().map_err(failed)?)))
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.0.as_ref().map_or(0, Child::id)
    }

    /// Lets it begin.
    ///
    /// # Errors
    /// It has no thread that could be resumed; it is ended.
    pub fn resume(mut self) -> Result<Running, EtwError> {
        match self.0.take_if(|child| ffi::resume(child.id())) {
            Some(child) => Ok(Running(child)),
            None => Err(EtwError::System {
                what: "cannot let the program begin",
                cause: io::Error::last_os_error(),
            }),
        }
    }
}

impl Drop for Suspended {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // It may be gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Running {
    /// How it ended; `None` while it runs.
    pub fn ended(&mut self) -> Option<Exit> {
        self.0.try_wait().map_or(Some(Exit::Unknown), |status| status.map(exit))
    }

    /// Ends it.
    pub fn end(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
    }

    /// Waits until it has ended.
    pub fn wait(mut self) -> Exit {
        self.0.wait().map_or(Exit::Unknown, exit)
    }
}

fn exit(status: ExitStatus) -> Exit {
    status.code().map_or(Exit::Unknown, Exit::Status)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn command(line: &[&str]) -> Vec<OsString> {
        line.iter().map(OsString::from).collect()
    }

    #[test]
    fn nothing_runs_before_it_is_resumed() {
        let place = tempfile::tempdir().unwrap();
        let made = place.path().join("made");
        let line = format!("mkdir {}", made.display());
        let suspended = Suspended::create(&command(&["cmd", "/c", &line]), None).unwrap();
        let seen = ffi::Seen::open(suspended.pid()).unwrap();
        // Whoever does not run cannot be waited for: it is as it was after others had their turn.
        for _ in 0..100 {
            std::thread::yield_now();
        }
        assert_eq!((seen.ended(), made.exists()), (None, false));
        let exit = suspended.resume().unwrap().wait();
        assert_eq!((exit, made.exists(), seen.ended()), (Exit::Status(0), true, Some(0)));
    }

    #[test]
    fn one_that_is_never_resumed_is_ended() {
        let suspended = Suspended::create(&command(&["cmd", "/c", "exit 7"]), None).unwrap();
        let seen = ffi::Seen::open(suspended.pid()).unwrap();
        drop(suspended);
        assert!(seen.ended().is_some_and(|status| status != 7));
    }

    #[test]
    fn a_program_that_is_not_there() {
        let error = Suspended::create(&command(&["no such program"]), None).unwrap_err();
        assert!(matches!(error, EtwError::NotStarted { .. }), "{error}");
    }
}
