//! A service that is restarted with the agent and given back: everything that changes the system
//! happens here, and is undone by [`Service::finish`], at the latest when dropped.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::dropin::{DropIn, FILE, directory_of};
use super::error::UnitError;
use super::leftover::{lock, remove, traced_by};
use super::place::Place;
use super::properties::{Properties, UnitName};
use super::systemctl::Systemctl;
use crate::collect::agent::{CollectError, Elsewhere};

/// Between two questions how the service is.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// What is asked.
const ASKED: &str = "--property=ActiveState,MainPID,ExecMainPID,ExecMainCode,ExecMainStatus,Type";

/// What the user wishes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// Restart it once more in the end, without the agent.
    pub restart_after: bool,
    /// The administrator puts the drop-in in place and restarts the service.
    pub by_hand: bool,
}

/// What became of the service.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Why it did not start with the agent.
    pub not_started: Option<String>,
    /// The main processes that it had.
    pub main_pids: Vec<u32>,
    /// Whether systemd starts the main process itself, so that it must have been seen.
    pub starts_itself: bool,
    /// Whether it still runs with the agent in it, which is silent.
    pub agent_remains: bool,
    /// What could not be undone, and how to do so by hand.
    pub not_undone: Vec<String>,
}

/// A service about to be traced; its clones are the same service.
#[derive(Clone)]
pub struct Service(Arc<Mutex<Run>>);

struct Run {
    systemctl: Option<Systemctl>,
    unit: UnitName,
    drop_in: DropIn,
    wish: Wish,
    /// It ran before.
    ran: bool,
    place: Option<Place>,
    /// The drop-in, once it is in place.
    installed: Option<PathBuf>,
    /// `systemctl restart`, while it works.
    restarting: Option<Child>,
    /// `systemctl show`, while it works.
    asking: Option<Child>,
    asked: Instant,
    restarted: bool,
    exit: Option<ExitStatus>,
    outcome: Outcome,
    finished: bool,
}

impl Service {
    /// Makes the place for agent and session; the service itself is not touched. Gives the file
    /// that is to be the session, too. Without systemctl, `wish.by_hand` is all that can be done.
    ///
    /// # Errors
    /// Somebody traces it already, or the place cannot be made.
    pub fn prepare(
        systemctl: Option<Systemctl>,
        drop_in: DropIn,
        wish: Wish,
        ran: bool,
    ) -> Result<(Service, File), UnitError> {
        let unit = drop_in.unit.clone();
        let locked = systemctl.map(|_| lock()).transpose()?;
        if let Some(pid) = traced_by(&unit) {
            return Err(UnitError::Busy { unit: unit.as_str().to_owned(), pid });
        }
        let (place, session) = Place::create(&drop_in.directory, &unit, drop_in.session_bytes)?;
        drop(locked);
        let run = Run {
            systemctl,
            unit,
            drop_in,
            wish,
            ran,
            place: Some(place),
            installed: None,
            restarting: None,
            asking: None,
            asked: Instant::now(),
            restarted: false,
            exit: None,
            outcome: Outcome { starts_itself: true, ..Outcome::default() },
            finished: false,
        };
        Ok((Service(Arc::new(Mutex::new(run))), session))
    }

    /// The collector's view of it.
    pub fn watched(&self) -> Box<dyn Elsewhere> {
        Box::new(self.clone())
    }

    /// Undoes everything; what became of the service.
    pub fn finish(&self) -> Outcome {
        let mut run = self.run();
        run.finish();
        run.outcome.clone()
    }

    fn run(&self) -> MutexGuard<'_, Run> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Elsewhere for Service {
    fn start(&mut self) -> Result<(), CollectError> {
        self.run().start().map_err(|error| CollectError::Elsewhere(error.to_string()))
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.run().ended()
    }
}

impl Run {
    fn start(&mut self) -> Result<(), UnitError> {
        let Some(systemctl) = self.systemctl.filter(|_| !self.wish.by_hand) else {
            self.restarted = true;
            return Ok(());
        };
        let directory = directory_of(&self.unit);
        let file = directory.join(FILE);
        let failed = |what| UnitError::file(what, &file);
        fs::create_dir_all(&directory).map_err(failed("cannot make the directory of"))?;
        // Whole or not at all: systemd reads only what ends with `.conf`.
        let aside = directory.join("unfreed.new");
        // From here on there may be something to remove.
        self.installed = Some(file.clone());
        fs::write(&aside, self.drop_in.owned_text(std::process::id()))
            .and_then(|()| fs::rename(&aside, &file))
            .inspect_err(|_| drop(fs::remove_file(&aside)))
            .map_err(failed("cannot write"))?;
        systemctl.run(&["daemon-reload"])?;
        self.restarted = true;
        let child = systemctl.start(&["restart", "--", self.unit.as_str()]);
        self.restarting = Some(child.map_err(UnitError::NoSystemctl)?);
        Ok(())
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        if self.exit.is_some() {
            return self.exit;
        }
        if let Some((status, _, said)) = taken(&mut self.restarting) {
            if !status.success() {
                self.outcome.not_started = Some(said.trim().replace('\n', " "));
                self.exit = Some(status);
                return self.exit;
            }
            self.ask();
        }
        if let Some((_, text, _)) = taken(&mut self.asking) {
            self.take_in(&Properties::parse(&text));
        }
        if self.restarting.is_none() && self.asked.elapsed() >= ASK_EVERY && !self.wish.by_hand {
            self.ask();
        }
        self.exit
    }

    fn ask(&mut self) {
        if self.asking.is_none()
            && let Some(systemctl) = self.systemctl
        {
            self.asked = Instant::now();
            self.asking = systemctl.start(&["show", ASKED, "--", self.unit.as_str()]).ok();
        }
    }

    fn take_in(&mut self, properties: &Properties) {
        self.outcome.starts_itself = properties.text("Type") != "forking";
        for name in ["MainPID", "ExecMainPID"] {
            match properties.number(name).and_then(|pid| u32::try_from(pid).ok()) {
                Some(pid) if pid != 0 && !self.outcome.main_pids.contains(&pid) => {
                    self.outcome.main_pids.push(pid);
                }
                _ => {}
            }
        }
        // Between two starts of a service that systemd restarts it is `activating`.
        if matches!(properties.text("ActiveState"), "inactive" | "failed") {
            let status = properties.number("ExecMainStatus").unwrap_or(0) as i32;
            // 1 is CLD_EXITED; otherwise a signal ended it.
            let exited = properties.number("ExecMainCode").unwrap_or(1) <= 1;
            self.exit = Some(ExitStatus::from_raw(if exited { status << 8 } else { status }));
        }
    }

    fn finish(&mut self) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        for child in [self.restarting.take(), self.asking.take()].into_iter().flatten() {
            end(child);
        }
        let unit = self.unit.as_str().to_owned();
        let not_undone = &mut self.outcome.not_undone;
        let mut undone = |what: Result<(), UnitError>, by_hand: String| {
            if let Err(error) = what {
                not_undone.push(format!("{error}; do it by hand: {by_hand}"));
            }
        };
        if let (Some(file), Some(systemctl)) = (self.installed.take(), self.systemctl) {
            undone(remove(&file), format!("rm {}", file.display()));
            let reload = systemctl.run(&["daemon-reload"]).map(drop);
            undone(reload, "systemctl daemon-reload".into());
            let failed = self.outcome.not_started.is_some();
            if failed && self.ran {
                // It may have been started too often meanwhile.
                let _ = systemctl.run(&["reset-failed", "--", &unit]);
            }
            let again = failed && self.ran || self.wish.restart_after && self.exit.is_none();
            if again && self.restarted {
                let restart = systemctl.run(&["restart", "--", &unit]).map(drop);
                undone(restart, format!("systemctl restart {unit}"));
            }
        }
        self.outcome.agent_remains = self.place.take().is_some_and(|place| !place.leave());
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        self.finish();
        for problem in &self.outcome.not_undone {
            tracing::warn!("{problem}");
        }
    }
}

/// What a child that has ended said: status, standard output, standard error.
fn taken(child: &mut Option<Child>) -> Option<(ExitStatus, String, String)> {
    child.as_mut()?.try_wait().ok().flatten()?;
    let output = child.take()?.wait_with_output().ok()?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Some((output.status, text(output.stdout), text(output.stderr)))
}

/// Ends a child that only waits for systemd's answer.
fn end(mut child: Child) {
    let ended: io::Result<()> = child.kill().and_then(|()| child.wait().map(drop));
    if let Err(error) = ended {
        tracing::debug!("systemctl could not be ended: {error}");
    }
}
