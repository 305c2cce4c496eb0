//! `--unit NAME`: a systemd service is traced instead of a program. What will be done is told
//! first; what stands against it ends the matter before anything is touched.

use std::collections::BTreeSet;
use std::path::PathBuf;

use unfreed::collect::agent::{CollectError, Session};
use unfreed::collect::unit::{
    Cleared, DROP_IN_FILE, Judgement, Numbers, Properties, Service, Systemctl, UnitError, UnitName,
    Wish, clear, directory_of, judge, traced_by,
};
use unfreed::event::{Event, What};
use unfreed::report::text::page::{Ink, words};

use super::super::super::fail::Failure;
use super::super::super::options::ServiceOptions;
use super::super::super::output::{self, Io};

/// A service that is being traced.
pub struct TracedService {
    service: Service,
    unit: UnitName,
    options: ServiceOptions,
    /// The processes that were seen.
    pids: BTreeSet<u32>,
    io: Io,
}

/// Does what the options ask for, up to the moment before the service is restarted. Nothing
/// remains to be watched after `--print` and `--undo`.
pub fn prepare(
    name: &str,
    options: &ServiceOptions,
    io: &Io,
) -> Result<Option<(Session, TracedService)>, Failure> {
    let unit = UnitName::new(name).map_err(failure)?;
    let systemctl = Systemctl::find();
    if options.undo {
        undo(&unit, systemctl.map_err(failure)?, io)?;
        return Ok(None);
    }
    // Showing the drop-in works everywhere: for another machine, and by anybody.
    let systemctl = match systemctl {
        Ok(systemctl) => Some(systemctl),
        Err(error) if !(options.print || options.by_hand) => return Err(failure(error)),
        Err(error) => {
            io.tell(&[words(format!("Nothing is known of {}: {error}.", unit.as_str()))]);
            None
        }
    };
    let properties = match systemctl {
        Some(systemctl) => systemctl.show(&unit).map_err(failure)?,
        None => Properties::default(),
    };
    let unit = settled(unit, &properties, systemctl.is_some())?;
    let files = preloading(&properties);
    let judgement = judge(&unit, &properties, Numbers::now(properties.number("MainPID")), &files);
    tell_plan(&unit, &judgement, options, io);
    if options.print {
        output::deliver(judgement.drop_in.text().as_bytes(), None)?;
        return refused(&unit, &judgement).map(|()| None);
    }
    refused(&unit, &judgement)?;
    if !rustix::process::geteuid().is_root() {
        return Err(failure(UnitError::NotRoot));
    }
    if let Some(systemctl) = &systemctl {
        tell_cleared(&clear(systemctl).map_err(failure)?, io);
    }
    let wish = Wish { restart_after: options.restart_after, by_hand: options.by_hand };
    let ran = matches!(properties.text("ActiveState"), "active" | "activating" | "reloading");
    let mut prepared = None;
    let mut unprepared = None;
    let session =
        Session::elsewhere(|| match Service::prepare(systemctl, judgement.drop_in, wish, ran) {
            Ok((service, file)) => {
                let watched = service.watched();
                prepared = Some(service);
                Ok((file, watched))
            }
            Err(error) => {
                let text = error.to_string();
                unprepared = Some(error);
                Err(CollectError::Elsewhere(text))
            }
        });
    let session = session.map_err(|error| match unprepared {
        Some(error) => failure(error),
        None => Failure::new(format!("cannot trace {}: {error}", unit.as_str())),
    })?;
    let Some(service) = prepared else { return Ok(None) };
    let (options, pids) = (options.clone(), BTreeSet::new());
    Ok(Some((session, TracedService { service, unit, options, pids, io: *io })))
}

impl TracedService {
    /// Takes note of the processes that are seen.
    pub fn note(&mut self, event: &Event) {
        if let What::Process(process) = &event.what {
            self.pids.insert(process.pid);
        }
    }

    /// Undoes everything, and says what came of the service before what came of the watching.
    pub fn give_back(self, watched: Result<(), CollectError>) -> Result<(), Failure> {
        let outcome = self.service.finish();
        let name = self.unit.as_str();
        for problem in &outcome.not_undone {
            self.io.tell(&[words("Not undone: ").ink(Ink::Alarm), words(problem.clone())]);
        }
        if outcome.agent_remains {
            let text = format!(
                "The drop-in is removed. The agent is silent, and gone from {name} with its next restart; until then \
                 its file stays, for the programs that {name} starts."
            );
            self.io.tell(&[words(text)]);
        }
        if let Some(said) = outcome.not_started {
            let what = format!("{name} did not start with the agent: {said}");
            return Err(Failure::new(what).advise(format!(
                "look at `journalctl -u {name}`; the drop-in is removed and the service {}",
                "is as it was before"
            )));
        }
        let unseen = outcome.main_pids.iter().find(|pid| !self.pids.contains(pid)).copied();
        match watched {
            Err(CollectError::NeverReported { .. }) => Err(Failure::new(format!(
                "the agent never reported from {name}, so nothing was seen"
            ))
            .advise(if self.options.by_hand {
                "put the drop-in that `--print` shows in place, run `systemctl daemon-reload`, and restart the \
                 service while unfreed waits"
                    .to_owned()
            } else {
                format!(
                    "look at `journalctl -u {name}` for what the loader says of libunfreed_agent.so; a \
                     security module (AppArmor, SELinux) or file capabilities of its program may forbid it"
                )
            })),
            Err(error) => Err(Failure::new(format!("cannot trace {name}: {error}"))),
            Ok(()) if outcome.starts_itself && let Some(pid) = unseen => Err(Failure::new(format!(
                "the main process of {name} ({pid}) was not traced, only others of it were"
            ))
            .advise("look whether its program clears its environment or has file capabilities")),
            Ok(()) => Ok(()),
        }
    }
}

/// Refuses what is no service that could be restarted; gives the name that systemd itself uses.
fn settled(unit: UnitName, properties: &Properties, asked: bool) -> Result<UnitName, Failure> {
    if !asked {
        return Ok(unit);
    }
    let name = unit.as_str();
    match properties.text("LoadState") {
        "loaded" => {}
        "not-found" => {
            return Err(Failure::new(format!("there is no service {name}"))
                .advise("`systemctl list-units --type=service` lists them"));
        }
        state => {
            return Err(Failure::new(format!("{name} cannot be started: it is {state}"))
                .advise(format!("`systemctl status {name}` says why")));
        }
    }
    if properties.yes("RefuseManualStart") || properties.yes("RefuseManualStop") {
        return Err(Failure::new(format!("{name} refuses to be restarted by hand"))
            .advise("it must be traced by what starts it: `--print` shows the drop-in"));
    }
    // By another of its names systemd would not find the drop-in.
    UnitName::new(properties.text("Id")).map_err(failure)
}

fn refused(unit: &UnitName, judgement: &Judgement) -> Result<(), Failure> {
    let Some(first) = judgement.refusals.first() else { return Ok(()) };
    let all: Vec<&str> = judgement.refusals.iter().map(|refusal| refusal.what.as_str()).collect();
    let what = format!("{} cannot be traced as it is: {}", unit.as_str(), all.join("; "));
    let advice = judgement
        .refusals
        .iter()
        .skip(1)
        .fold(first.advice.clone(), |all, refusal| format!("{all}; {}", refusal.advice));
    Err(Failure::new(what).advise(advice))
}

/// The unit's environment files that set what the drop-in sets.
fn preloading(properties: &Properties) -> Vec<PathBuf> {
    let sets = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().map(str::trim_start).any(|line| line.starts_with("LD_PRELOAD="))
    };
    properties.environment_files().into_iter().filter(sets).collect()
}

fn tell_plan(unit: &UnitName, judgement: &Judgement, options: &ServiceOptions, io: &Io) {
    let name = unit.as_str();
    let file = directory_of(unit).join(DROP_IN_FILE);
    let directory = judgement.drop_in.directory.display();
    let plan = if options.by_hand {
        format!(
            "Agent and session are put in {directory}. Then put the drop-in of `--print` in place, run \
             `systemctl daemon-reload` and restart {name}."
        )
    } else {
        let end = if options.restart_after {
            "and it is restarted once more without"
        } else {
            "and with its next restart the agent is gone"
        };
        format!(
            "{name} will be restarted with the agent, by {} (agent and session in {directory}). In the end the \
             drop-in is removed, {end}.",
            file.display()
        )
    };
    io.tell(&[words(plan)]);
    for note in &judgement.notes {
        io.tell(&[words(note.clone())]);
    }
}

fn undo(unit: &UnitName, systemctl: Systemctl, io: &Io) -> Result<(), Failure> {
    if !rustix::process::geteuid().is_root() {
        return Err(failure(UnitError::NotRoot));
    }
    let cleared = clear(&systemctl).map_err(failure)?;
    tell_cleared(&cleared, io);
    if cleared.is_empty() {
        io.tell(&[words(match traced_by(unit) {
            Some(pid) => format!(
                "{} is being traced by the unfreed with pid {pid}: `kill -INT {pid}` ends that.",
                unit.as_str()
            ),
            None => "There is nothing to undo.".to_owned(),
        })]);
    }
    Ok(())
}

fn tell_cleared(cleared: &Cleared, io: &Io) {
    for path in &cleared.drop_ins {
        io.tell(&[words(format!(
            "Removed {}, left by an unfreed that was killed.",
            path.display()
        ))]);
    }
    for path in &cleared.places {
        io.tell(&[words(format!("Removed {}, which nobody uses any more.", path.display()))]);
    }
    for path in &cleared.kept {
        io.tell(&[words(format!(
            "The agent's file stays in {} until the service that has it is restarted.",
            path.display()
        ))]);
    }
}

fn failure(error: UnitError) -> Failure {
    let failure = Failure::new(&error);
    match error.advice() {
        Some(advice) => failure.advise(advice),
        None => failure,
    }
}
