//! systemd, asked by its own program: `systemctl`.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::error::UnitError;
use super::leftover::DROP_INS;
use super::properties::{Properties, UnitName};

/// `systemctl`, of the system's manager.
#[derive(Clone, Copy, Debug)]
pub struct Systemctl(());

impl Systemctl {
    /// Makes sure that there is a systemd to talk to.
    ///
    /// # Errors
    /// systemd does not run this machine, or `systemctl` is not there.
    pub fn find() -> Result<Systemctl, UnitError> {
        let systemctl = Systemctl(());
        systemctl.run(&["--version"])?;
        // What systemd itself calls the sign that it runs.
        if !Path::new(DROP_INS).is_dir() {
            return Err(UnitError::NotBooted);
        }
        Ok(systemctl)
    }

    /// What there is to know of a service.
    ///
    /// # Errors
    /// systemd does not answer.
    pub fn show(&self, unit: &UnitName) -> Result<Properties, UnitError> {
        self.run(&["show", "--no-pager", "--", unit.as_str()]).map(|text| Properties::parse(&text))
    }

    /// Runs it to its end; gives what it wrote.
    pub(super) fn run(&self, arguments: &[&str]) -> Result<String, UnitError> {
        let output = command(arguments).output().map_err(UnitError::NoSystemctl)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', " ");
        let said = if said.is_empty() { output.status.to_string() } else { said };
        Err(UnitError::Failed { what: arguments.join(" "), said })
    }

    /// Starts it; what it writes is kept for whoever waits for it.
    pub(super) fn start(&self, arguments: &[&str]) -> io::Result<Child> {
        command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    }
}

fn command<S: AsRef<OsStr>>(arguments: &[S]) -> Command {
    let mut command = Command::new("systemctl");
    // Ctrl-C means us; what we ask of systemd is to be done.
    command.args(arguments).stdin(Stdio::null()).process_group(0);
    command.env("LC_ALL", "C").env("SYSTEMD_COLORS", "0");
    command
}
