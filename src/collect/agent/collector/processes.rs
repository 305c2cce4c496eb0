//! The traced processes: who has registered, who has ended, who turned into something that cannot be
//! traced, and what that means for their writers.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::time::Instant;

use rustc_hash::FxHashSet;
use unfreed_wire::{Process, ProcessState, Refusal};

use super::Collector;
use super::executions::Moment;
use super::executions::{REPORTS_WITHIN, why_silent};
use super::rings::STANDSTILL;
use crate::collect::agent::clock::{Stamp, now};
use crate::collect::agent::obstacle::obstacle;
use crate::collect::agent::procfs::{self, Said};
use crate::collect::agent::record::{Payload, ProcessBegan};
use crate::collect::agent::target::exit;
use crate::event::{Exit, Fact, FactKind};

/// What the collector remembers of a process.
pub(super) struct Traced {
    pub(super) pid: u32,
    /// As it counts itself, in a pid namespace perhaps.
    own_pid: u32,
    pub(super) began: Stamp,
    /// When its image began, among what all processes executed.
    moment: Moment,
    /// It said that it cannot be traced.
    refused: bool,
    /// Its image began by exec.
    executed: bool,
    name: String,
    program: String,
    pub(super) ended: bool,
    pub(super) lost: [u64; 4],
    /// Another program that it was seen to execute, which has not reported.
    executes: Option<(Instant, PathBuf)>,
}

/// A process that ran and was not traced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Untraced {
    pub(super) pid: u32,
    pub(super) program: PathBuf,
    pub(super) why: String,
}

/// An entry of the table of processes, as it was found.
struct Registered {
    index: u32,
    own_pid: u32,
    pid_namespace: u64,
    forked_from: Option<u32>,
    stamp: Stamp,
    moment: Moment,
    /// Why it is not traced, if so.
    refusal: Option<Refusal>,
    program: Option<PathBuf>,
    /// It never got so far as to say anything.
    died: bool,
}

impl Collector<'_> {
    /// Takes note of processes that have registered since. Gives the stamp up to which none can
    /// be missing.
    pub(super) fn register(&mut self, at: Stamp) -> Stamp {
        let mut whole = at;
        let mut new = Vec::new();
        // Often: there is room for a few.
        self.executions.read(&self.memory);
        for (index, entry) in self.memory.processes().skip(self.processes.len()) {
            let registered = read(index, entry);
            if registered.died {
                // It is registering. If it ended over that, the others do not wait for ever.
                let since = *self.registering_since.get_or_insert_with(Instant::now);
                if since.elapsed() < STANDSTILL {
                    whole = self.watermark;
                    break;
                }
            }
            self.registering_since = None;
            new.push(registered);
        }
        for registered in new {
            self.take_note(registered);
        }
        whole
    }

    fn take_note(&mut self, registered: Registered) {
        let Registered { index, own_pid, forked_from, stamp, moment, refusal, .. } = registered;
        let (program, died) = (registered.program, registered.died);
        let pid = match registered.pid_namespace {
            _ if died => own_pid,
            namespace => {
                let parent = forked_from.map(|n| self.processes.get(n as usize));
                let forked_by = parent.map(|parent| parent.map_or(0, |parent| parent.pid));
                let said = Said { own_pid, namespace, forked_by };
                procfs::locate(said, self.memory.inode())
            }
        };
        if forked_from.is_none() && !died {
            self.executions.settle([own_pid, pid], moment);
        }
        let before = self.processes.iter().rposition(|other| other.pid == pid && !other.ended);
        if let Some(replaced) = before.filter(|_| !died && pid != 0) {
            self.processes[replaced].ended = true;
            self.ending.push((replaced as u32, Exit::Replaced));
        }
        let mut process = procfs::describe(pid, program);
        process.forked_from = forked_from;
        if let Some(parent) = forked_from.and_then(|n| self.processes.get(n as usize)) {
            // Which may have ended since, so that the system names another.
            process.parent = parent.pid;
            // A child is its parent's image, whatever it has executed since.
            process.name = parent.name.clone();
            process.program = parent.program.clone();
        }
        let why = why_untraced(&process, refusal);
        self.processes.push(Traced {
            pid,
            own_pid,
            began: stamp,
            moment,
            refused: why.is_some(),
            executed: forked_from.is_none() && !died,
            name: process.name.clone(),
            program: process.program.clone(),
            ended: died || why.is_some(),
            lost: [0; 4],
            executes: None,
        });
        if let Some(why) = why {
            let program = PathBuf::from(&process.program);
            self.say_untraced(Untraced { pid, program, why });
        } else if !died {
            let first = self.processes.iter().filter(|process| !process.ended).count() == 1;
            self.control(stamp, index, Payload::ProcessBegan(Box::new(process)));
            // A child has its parent's.
            if forked_from.is_none() {
                self.note_modules(index as usize, stamp);
            }
            if first && !std::mem::replace(&mut self.facts_said, true) {
                self.say_facts(stamp, index);
            }
        }
    }

    /// Looks which processes have ended.
    pub(super) fn watch_ends(&mut self, at: Stamp) {
        self.read_executions();
        let target = (self.target.pid(), self.target.ended());
        for index in 0..self.processes.len() {
            if self.processes[index].ended {
                continue;
            }
            let process = &mut self.processes[index];
            let ended = match target {
                (pid, status) if pid == process.pid => status.map(exit),
                _ => (!procfs::is_alive(process.pid)).then_some(Exit::Unknown),
            };
            process.look_what_it_executes(self.memory.inode());
            let (own_pid, began) = (process.own_pid, process.moment);
            let mut wait = false;
            // One that cannot be found may well be there.
            let gone = ended.is_some() && process.pid != 0;
            let noted = self.executions.overdue(own_pid, began, gone, &mut wait);
            if wait {
                continue;
            }
            let inode = self.memory.inode();
            let process = &mut self.processes[index];
            let seen = process
                .executes
                .take_if(|(since, _)| ended.is_some() || since.elapsed() >= REPORTS_WITHIN);
            let pid = process.pid;
            let executes = match (noted, seen) {
                // The same program again, with the agent or without; or an attempt of which it is
                // not known how it ended.
                (Some(_), None) if ended.is_none() && !has_lost_agent(pid, inode) => None,
                (Some(noted), seen) => {
                    let program = seen.map_or_else(|| noted.program(), |(_, program)| program);
                    let why = noted.why(&program);
                    (!self.executions.is_doubtful(&noted, &why)).then_some((program, why))
                }
                (None, seen) => seen.map(|(_, program)| {
                    let why = why_silent(&program);
                    (program, why)
                }),
            };
            if ended.is_none() && executes.is_none() {
                continue;
            }
            process.ended = true;
            let exit =
                if executes.is_some() { Exit::Replaced } else { ended.unwrap_or(Exit::Unknown) };
            self.ending.push((index as u32, exit));
            if let Some((program, why)) = executes {
                self.say_untraced(Untraced { pid, program, why });
            }
        }
        self.settle_ended(at);
        self.say_executions(false);
        self.release_threads_gone();
    }

    /// Takes note of what processes are about to execute.
    fn read_executions(&mut self) {
        self.executions.read(&self.memory);
        // A note may be read after the image that it was about has registered.
        const LATELY: usize = 256;
        for process in self.processes.iter().rev().take(LATELY) {
            if process.executed {
                self.executions.settle([process.own_pid, process.pid], process.moment);
            }
        }
    }

    /// Says what was executed, by processes that are not being watched, and did not report.
    pub(super) fn say_executions(&mut self, at_end: bool) {
        if at_end {
            self.read_executions();
        }
        for executes in self.executions.overdue_elsewhere(at_end) {
            let pid = executes.pid();
            let inode = self.memory.inode();
            let watched = |process: &&Traced| process.own_pid == pid && !process.ended;
            if let Some(process) = self.processes.iter().find(watched)
                && procfs::has_mapped(process.pid, inode) == Some(true)
            {
                // It goes on as what it was.
                continue;
            }
            let program = executes.program();
            let why = executes.why(&program);
            if !self.executions.is_doubtful(&executes, &why) {
                self.say_untraced(Untraced { pid, program, why });
            }
        }
        if at_end {
            for (program, why, count) in self.executions.more() {
                let processes = if count == 1 { "process" } else { "processes" };
                let subject = format!("{} ({count} more {processes})", program.display());
                self.say_not_traced(subject, why);
            }
            let missed = self.executions.missed();
            if missed > 0 {
                tracing::warn!(
                    "{missed} executions of programs could not be noted: any that was not traced and \
                     lived for a moment was not noticed"
                );
            }
        }
    }

    /// Whether of everything that ran nothing was traced.
    pub(super) fn nothing_traced(&self) -> bool {
        let mut whole = self.processes.iter().filter(|process| process.began != Stamp(0));
        whole.all(|process| process.refused)
    }

    /// What such a process does is not seen, and that must be said beside every conclusion.
    fn say_untraced(&mut self, untraced: Untraced) {
        let Untraced { pid, program, why } = &untraced;
        if self.executions.is_to_tell(program, why) {
            self.say_not_traced(format!("{} (process {pid})", program.display()), why.clone());
        } else if *pid != self.target.pid() {
            return;
        }
        self.untraced.push(untraced);
    }

    /// Tells all that is known of the processes that were found to have ended, and then their ends:
    /// together, as it takes a look at the whole table of young blocks.
    fn settle_ended(&mut self, at: Stamp) {
        let ending = std::mem::take(&mut self.ending);
        if ending.is_empty() {
            return;
        }
        let of: FxHashSet<u32> = ending.iter().map(|(process, _)| *process).collect();
        self.read_all_of(&|process| of.contains(&process), at);
        self.take_young_of(&|process| of.contains(&process));
        self.merge_young();
        // By the coarse clock a process may have done its last after the next image began.
        let last = now();
        self.tell_tallies(last, |process| of.contains(&process));
        for (process, exit) in ending {
            self.control(last, process, Payload::ProcessEnded(exit));
        }
    }

    fn say_not_traced(&mut self, subject: String, why: String) {
        tracing::warn!("{subject} is not traced: {why}");
        let fact = Fact { kind: FactKind::NotTraced, subject, value: Some(why) };
        self.control(now(), 0, Payload::Fact(Box::new(fact)));
    }
}

/// Whether a process certainly has the session's memory no more.
fn has_lost_agent(pid: u32, inode: u64) -> bool {
    procfs::has_mapped(pid, inode) == Some(false)
}

impl Traced {
    /// Whether it has registered only to say that it is not traced, or died over that.
    pub(super) fn is_untraced(&self) -> bool {
        self.refused || self.began == Stamp(0)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The path of its program.
    pub(super) fn program(&self) -> &str {
        &self.program
    }

    /// Looks whether it now executes a program that the agent has not reported from: a static
    /// one, say.
    fn look_what_it_executes(&mut self, inode: u64) {
        let Some(executes) = procfs::program(self.pid) else { return };
        let same = self.program.is_empty() || executes == Path::new(&self.program);
        // Or the file was renamed or removed, or is seen from another root: the agent is still there.
        if same || procfs::has_mapped(self.pid, inode) == Some(true) {
            self.executes = None;
        } else if self.executes.as_ref().is_none_or(|(_, known)| *known != executes) {
            self.executes = Some((Instant::now(), executes));
        }
    }
}

fn read(index: u32, entry: &Process) -> Registered {
    let state = entry.state.load(Acquire);
    let refused = state == ProcessState::Refused as u32;
    Registered {
        index,
        own_pid: entry.pid.load(Relaxed),
        pid_namespace: entry.pid_namespace.load(Relaxed),
        forked_from: entry.forked_from.load(Relaxed).checked_sub(1),
        stamp: Stamp(entry.began.load(Relaxed)),
        moment: Moment(entry.moment.load(Relaxed)),
        refusal: refused.then(|| Refusal::from_u32(entry.refusal.load(Relaxed))),
        program: program(entry),
        died: state == ProcessState::Free as u32,
    }
}

/// Why a process that registered is not traced all the same, if so.
fn why_untraced(process: &ProcessBegan, refusal: Option<Refusal>) -> Option<String> {
    if let Some(refusal) = refusal {
        return Some(String::from(reason(refusal)));
    }
    // The agent is in it, but its own malloc may be hidden from everybody else.
    let own_image = process.forked_from.is_none() && !process.program.is_empty();
    let (_, found) = own_image.then(|| obstacle(Path::new(&process.program))).flatten()?;
    Some(found.to_string())
}

fn reason(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NoFindObject => {
            "its C library is neither glibc 2.35 or later nor a musl that the agent knows"
        }
        Refusal::NoAllocator => "its malloc could not be found",
        Refusal::AddressSpace => {
            "it limits its address space or its memory (RLIMIT_AS, RLIMIT_DATA) to less than it and the \
             trace need"
        }
        Refusal::OwnAllocator => {
            "another malloc, its own or an earlier preloaded one, comes before the agent's"
        }
        Refusal::None => "the agent gave no reason",
    }
}

/// The path of a process's program, as it said itself.
fn program(entry: &Process) -> Option<PathBuf> {
    let bytes: Vec<u8> =
        entry.program.iter().flat_map(|word| word.load(Relaxed).to_le_bytes()).collect();
    let path = bytes.split(|byte| *byte == 0).next().filter(|path| !path.is_empty())?;
    Some(PathBuf::from(OsStr::from_bytes(path)))
}
