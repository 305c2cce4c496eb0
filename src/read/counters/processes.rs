//! Which process a row's values are of. Where there is a column with its number, that says it; else an
//! instance is one process until it disappears or its private bytes fall to a fraction, as at a restart.

use std::collections::BTreeMap;

use super::path::Instance;
use crate::event::{Metric, ProcessId};

/// A fall below one in so many of the private bytes is taken for a restart, where nothing says which
/// process it is.
const RESTART: u64 = 4;

/// What tells processes apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// By its number on its computer.
    Pid { host: String, program: String, pid: u32 },
    /// By its instance's name.
    Named { host: String, program: String, number: u32 },
}

/// What is known of a process that was seen in the last row.
#[derive(Debug)]
struct Running {
    id: ProcessId,
    private: Option<u64>,
    seen: u64,
}

/// What is to be said of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Began {
    pub id: ProcessId,
    pub pid: u32,
    pub name: String,
}

/// The processes that run.
#[derive(Debug, Default)]
pub(super) struct Processes {
    running: BTreeMap<Key, Running>,
    next: u32,
    row: u64,
    /// Whether there is more than one computer: names then begin with it.
    pub several_hosts: bool,
}

impl Processes {
    /// Begins a row.
    pub(super) fn row(&mut self) {
        self.row += 1;
    }

    /// The process of an instance, which has these values in this row: and what is to be said first.
    pub(super) fn of(
        &mut self,
        instance: &Instance,
        pid: Option<u32>,
        private: Option<u64>,
    ) -> (ProcessId, [Option<Change>; 2]) {
        let (host, program) = (instance.host.clone(), instance.program.clone());
        let key = match pid {
            Some(pid) => Key::Pid { host, program, pid },
            None => Key::Named { host, program, number: instance.number },
        };
        if let Some(running) = self.running.get_mut(&key) {
            let fell = |old: u64| private.is_some_and(|new| new < old / RESTART);
            if pid.is_some() || !running.private.is_some_and(fell) {
                running.seen = self.row;
                running.private = private.or(running.private);
                return (running.id, [None, None]);
            }
        }
        let id = ProcessId(self.next);
        self.next += 1;
        let running = Running { id, private, seen: self.row };
        let ended = self.running.insert(key, running).map(|old| Change::Ended(old.id));
        let name = match self.several_hosts {
            true => format!("{}\\{}", instance.host, instance.program),
            false => instance.program.clone(),
        };
        let began = Change::Began(Began { id, pid: pid.unwrap_or(0), name });
        (id, [ended, Some(began)])
    }

    /// Those that ran before this row and are not in it.
    pub(super) fn gone(&mut self) -> Vec<ProcessId> {
        let row = self.row;
        let gone =
            self.running.iter().filter(|(_, of)| of.seen < row).map(|(_, of)| of.id).collect();
        self.running.retain(|_, of| of.seen == row);
        gone
    }

    /// Those that still run.
    pub(super) fn still(&self) -> impl Iterator<Item = ProcessId> {
        self.running.values().map(|of| of.id)
    }
}

/// A process came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Began(Began),
    Ended(ProcessId),
}

/// The value that tells of a restart.
pub(super) fn private(values: &[(Metric, u64)]) -> Option<u64> {
    values.iter().find(|(metric, _)| *metric == Metric::PrivateBytes).map(|(_, value)| *value)
}
