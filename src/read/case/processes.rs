//! Which process of one recording is which of another. A pid and a name that agree make them one; a recording that knows
//! no pid (UMDH) is joined by its name if the case has one process of that name, and where it knows no name either, with the
//! one process that is known by no pid; a name is compared as Windows does,
//! without its case and without `.exe`.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use crate::event::{Exit, Process, ProcessId};

/// The processes of a case.
#[derive(Debug, Default)]
pub(super) struct Processes {
    known: Vec<Known>,
    /// By recording and its own number.
    of: FxHashMap<(usize, ProcessId), usize>,
    /// By name, what recordings say at their beginning.
    announced: FxHashMap<String, Announced>,
}

/// Processes of one name that recordings begin with.
#[derive(Debug, Default)]
struct Announced {
    pids: BTreeSet<u32>,
    of: BTreeSet<(usize, ProcessId)>,
}

impl Announced {
    /// Whether a recording knows several of the name.
    fn is_crowded(&self, part: usize) -> bool {
        self.of.range((part, ProcessId(0))..=(part, ProcessId::EVERY)).nth(1).is_some()
    }
}

/// One process of the case.
#[derive(Debug)]
struct Known {
    pid: u32,
    name: String,
    told: Process,
    /// Recordings that tell of it.
    parts: Vec<usize>,
    /// It still ran when one of them ended.
    outlived: bool,
    /// It ended for good: whoever has its pid later is another.
    ended: bool,
    /// The recording whose list of blocks is believed.
    blocks: Option<usize>,
}

/// What became of a process that a recording told of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Joined {
    /// The case did not know it, or knew less of it: this is to be said.
    Said(ProcessId, Process),
    /// The case knew all of it.
    Known(ProcessId),
}

impl Processes {
    /// A recording will tell of a process. Who has no number is joined by name, and that must not depend on who is told first.
    pub fn announce(&mut self, part: usize, id: ProcessId, process: &Process) {
        let announced = self.announced.entry(plain(&process.name)).or_default();
        announced.of.insert((part, id));
        if process.pid != 0 {
            announced.pids.insert(process.pid);
        }
    }

    /// A recording tells of a process.
    pub fn begin(&mut self, part: usize, id: ProcessId, process: &Process) -> Joined {
        let name = plain(&process.name);
        let at = match self.of.get(&(part, id)) {
            Some(at) => *at,
            None => self.find(part, process, &name).unwrap_or_else(|| {
                self.known.push(Known {
                    pid: process.pid,
                    name: name.clone(),
                    told: Process::default(),
                    parts: Vec::new(),
                    outlived: false,
                    ended: false,
                    blocks: None,
                });
                self.known.len() - 1
            }),
        };
        self.of.insert((part, id), at);
        let known = &mut self.known[at];
        if !known.parts.contains(&part) {
            known.parts.push(part);
        }
        let merged = merged(&known.told, process);
        let to = ProcessId(at as u32);
        if merged == known.told {
            return Joined::Known(to);
        }
        (known.pid, known.name) = (merged.pid, plain(&merged.name));
        known.told = merged.clone();
        Joined::Said(to, merged)
    }

    /// The case's number for a recording's process; one that was never told of is a process of its own.
    pub fn id(&mut self, part: usize, id: ProcessId) -> ProcessId {
        if id == ProcessId::EVERY {
            return id;
        }
        match self.of.get(&(part, id)) {
            Some(at) => ProcessId(*at as u32),
            None => match self.begin(part, id, &Process::default()) {
                Joined::Said(to, _) | Joined::Known(to) => to,
            },
        }
    }

    /// The case's number for a recording's process if it has one, else its own: nothing depends on it.
    pub fn id_if_known(&self, part: usize, id: ProcessId) -> ProcessId {
        self.of.get(&(part, id)).map_or(id, |at| ProcessId(*at as u32))
    }

    /// Whether a recording's list of this process's blocks is the one that is believed: the first.
    pub fn lists_blocks(&mut self, part: usize, id: ProcessId) -> bool {
        match self.known.get_mut(id.0 as usize) {
            Some(known) => *known.blocks.get_or_insert(part) == part,
            None => true,
        }
    }

    /// Whether anything is known of who a process is.
    pub fn is_known(&self, id: ProcessId) -> bool {
        self.known.get(id.0 as usize).is_some_and(|of| of.pid != 0 || !of.name.is_empty())
    }

    /// A recording says that a process ended, or that it ends itself. Whether the case may say so: of what still runs it
    /// cannot know before the last recording's end.
    pub fn end(&mut self, id: ProcessId, exit: Exit) -> bool {
        let Some(known) = self.known.get_mut(id.0 as usize) else { return true };
        if exit == Exit::StillRunning {
            known.outlived = true;
            return false;
        }
        !std::mem::replace(&mut known.ended, true)
    }

    /// The processes that still ran when the last recording of them ended; each is handed out once.
    pub fn outlived(&mut self) -> Vec<ProcessId> {
        let known = self.known.iter_mut().enumerate();
        let left = known.filter_map(|(at, known)| {
            let outlived = std::mem::take(&mut known.outlived);
            (outlived && !known.ended).then_some(ProcessId(at as u32))
        });
        left.collect()
    }

    fn find(&self, part: usize, process: &Process, name: &str) -> Option<usize> {
        // One recording knows its own processes apart.
        let open = |at: &usize| {
            let known = &self.known[*at];
            !known.ended && !known.parts.contains(&part)
        };
        let all = || (0..self.known.len()).filter(open);
        if process.pid != 0 {
            let same = |at: &usize| {
                let known = &self.known[*at];
                known.pid == process.pid
                    && (known.name == name || known.name.is_empty() || name.is_empty())
            };
            if let Some(at) = all().rfind(same) {
                return Some(at);
            }
        }
        let announced = self.announced.get(name);
        let crowded = |part: usize| announced.is_some_and(|of| of.is_crowded(part));
        let several = announced.is_some_and(|of| of.pids.len() > 1);
        let may = |at: &usize| {
            let known = &self.known[*at];
            let one_has_no_pid = known.pid == 0 || process.pid == 0;
            known.name == name
                && !name.is_empty()
                && (one_has_no_pid && (!several || known.pid == process.pid))
                && !crowded(part)
                && !known.parts.iter().any(|part| crowded(*part))
        };
        // Logs of one process that know neither its pid nor, one of them, its name.
        let unknown = |at: &usize| {
            let known = &self.known[*at];
            known.pid == 0 && process.pid == 0 && (known.name.is_empty() || name.is_empty())
        };
        only(all().filter(may)).or_else(|| only(all().filter(unknown)))
    }
}

/// The only one, if there is one.
fn only(mut all: impl Iterator<Item = usize>) -> Option<usize> {
    let first = all.next();
    first.filter(|_| all.next().is_none())
}

/// What two recordings say of a process, the first counting for more.
fn merged(known: &Process, new: &Process) -> Process {
    let mut merged = known.clone();
    if merged.pid == 0 {
        merged.pid = new.pid;
    }
    if merged.parent == 0 {
        merged.parent = new.parent;
    }
    if merged.name.is_empty() {
        merged.name.clone_from(&new.name);
    }
    if merged.command.is_empty() {
        merged.command.clone_from(&new.command);
    }
    merged.from_start |= new.from_start;
    merged.sampled = merged.sampled.or(new.sampled);
    merged
}

fn plain(name: &str) -> String {
    let lower = name.to_lowercase();
    lower.strip_suffix(".exe").map_or(lower.clone(), str::to_owned)
}
