//! What traced processes are about to execute, as they note it: a program that does not register
//! after that is not traced, and is named however short it lived.
//!
//! A note is settled when its process registers anew, or when the attempt has failed. One that
//! stays is held against the process's end, or against the time that any program needs to begin.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{Duration, Instant};

use unfreed_wire::{Execution, ExecutionState, Preload};

use crate::collect::agent::memory::SessionMemory;
use crate::collect::agent::obstacle::{obstacle, privileged_for_anybody};

/// A program that was executed must have reported by then.
pub(super) const REPORTS_WITHIN: Duration = Duration::from_secs(3);
/// Of the same program, not traced for the same reason, so many processes are told of one by one.
const TOLD_EACH: u64 = 8;

/// Where nothing speaks against its being traced.
const UNKNOWN: &str = "the agent did not report from it";

/// A point in the order of all attempts and beginnings of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(pub(super) u64);

/// A note that is not settled yet.
#[derive(Clone, Debug)]
pub(super) struct Executes {
    /// As the process itself counts.
    pid: u32,
    moment: Moment,
    program: PathBuf,
    preload: Preload,
    since: Instant,
    /// The process was found to have ended, after which all it registered has been looked at.
    ended: bool,
}

/// The notes of all processes.
#[derive(Default)]
pub(super) struct Executions {
    waiting: Vec<Executes>,
    /// Attempts that failed before it was read that they were made.
    failed: Vec<(u32, Moment)>,
    told: HashMap<(PathBuf, String), u64>,
    missed: u32,
}

impl Executions {
    /// Reads what has been noted since.
    pub(super) fn read(&mut self, memory: &SessionMemory) {
        for note in memory.executions() {
            let state = note.state.load(Acquire);
            let (about, failed) = (ExecutionState::About as u32, ExecutionState::Failed as u32);
            if state != about && state != failed {
                continue;
            }
            let (pid, moment) = (note.pid.load(Relaxed), Moment(note.moment.load(Relaxed)));
            if state == about {
                let preload = Preload::from_u32(note.preload.load(Relaxed));
                let (program, since) = (program(note), Instant::now());
                self.waiting.push(Executes { pid, moment, program, preload, since, ended: false });
            } else {
                self.failed.push((pid, moment));
            }
            note.state.store(ExecutionState::Free as u32, Release);
        }
        self.missed = memory.executions().next().map_or(0, |first| first.missed.load(Relaxed));
        let waiting = &mut self.waiting;
        self.failed.retain(|(pid, moment)| {
            let found = waiting.iter().position(|it| it.pid == *pid && it.moment == *moment);
            found.map(|index| waiting.swap_remove(index)).is_none()
        });
        // Hostile input, or notes that found no room: nobody will ever ask for them.
        const MOST: usize = 4096;
        self.failed.drain(..self.failed.len().saturating_sub(MOST));
        self.waiting.drain(..self.waiting.len().saturating_sub(MOST));
    }

    /// An image of this process began then: what it was to execute before, it has.
    /// It is known by one number to itself and by another to us, and either may have been noted.
    pub(super) fn settle(&mut self, pids: [u32; 2], began: Moment) {
        self.waiting.retain(|it| it.pid == 0 || !pids.contains(&it.pid) || it.moment > began);
    }

    /// What this process was to execute and certainly did not report from; its image before began
    /// at `began`. `ended` says whether it has ended, `wait` is set where that is still too early
    /// to say.
    pub(super) fn overdue(
        &mut self,
        pid: u32,
        began: Moment,
        ended: bool,
        wait: &mut bool,
    ) -> Option<Executes> {
        let index = self.waiting.iter().position(|it| it.pid == pid && it.moment >= began)?;
        let it = &mut self.waiting[index];
        if it.ended || it.since.elapsed() >= REPORTS_WITHIN {
            return Some(self.waiting.swap_remove(index));
        }
        // What it registered may have come after we last looked.
        it.ended = ended;
        *wait = ended;
        None
    }

    /// Whether a process, for all that is known alive, may be about to register as what it executes.
    pub(super) fn are_awaited(&self, is_alive: impl Fn(u32) -> bool) -> bool {
        self.waiting.iter().any(|it| it.since.elapsed() < REPORTS_WITHIN && is_alive(it.pid))
    }

    /// Those of processes that never registered at all, or not since, where it is certain: at the
    /// end of the watching it is so of all.
    pub(super) fn overdue_elsewhere(&mut self, at_end: bool) -> Vec<Executes> {
        let (overdue, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|it| at_end || it.since.elapsed() >= REPORTS_WITHIN);
        self.waiting = waiting;
        overdue
    }

    /// Whether one more process of a program is to be told of by itself.
    pub(super) fn is_to_tell(&mut self, program: &Path, why: &str) -> bool {
        let count = self.told.entry((program.to_owned(), why.to_owned())).or_default();
        *count += 1;
        *count <= TOLD_EACH
    }

    /// The programs of which more processes were not traced than were told of, and how many more.
    pub(super) fn more(&self) -> Vec<(PathBuf, String, u64)> {
        let mut more: Vec<_> = self
            .told
            .iter()
            .filter(|(_, count)| **count > TOLD_EACH)
            .map(|((program, why), count)| (program.clone(), why.clone(), count - TOLD_EACH))
            .collect();
        more.sort();
        more
    }

    /// Whether it may be that it failed and this could not be noted: nothing else speaks for it.
    pub(super) fn is_doubtful(&self, executes: &Executes, why: &str) -> bool {
        self.missed > 0 && executes.preload == Preload::Asked && why == UNKNOWN
    }

    /// How many attempts could not be noted: among them may be programs that were not traced.
    pub(super) fn missed(&self) -> u32 {
        self.missed
    }
}

impl Executes {
    /// As the process counts itself.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// The program as it was named.
    pub(super) fn program(&self) -> PathBuf {
        if self.program.as_os_str().is_empty() {
            return PathBuf::from("a program that was not named");
        }
        self.program.clone()
    }

    /// Why the agent did not report from it.
    pub(super) fn why(&self, program: &Path) -> String {
        let reason = match self.preload {
            Preload::Invisible => {
                "the agent's file is not to be seen from where it runs (a chroot, a mount namespace), \
                 or not by the user that it runs as"
            }
            Preload::Declined => "LD_PRELOAD is set to nothing in its environment",
            Preload::TooLarge => "its environment is too large to put the agent into",
            Preload::Shared => {
                "it was started by system or popen in a process with threads whose environment had \
                 been cleaned"
            }
            Preload::Asked | Preload::NotKnown => return why_silent(program),
        };
        String::from(reason)
    }
}

/// Why nothing came from a program, by what it is.
pub(super) fn why_silent(program: &Path) -> String {
    obstacle(program)
        .map(|(_, obstacle)| obstacle)
        .or_else(|| privileged_for_anybody(program))
        .map_or_else(|| String::from(UNKNOWN), |obstacle| obstacle.to_string())
}

fn program(note: &Execution) -> PathBuf {
    let bytes: Vec<u8> =
        note.program.iter().flat_map(|word| word.load(Relaxed).to_le_bytes()).collect();
    let path = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    PathBuf::from(OsStr::from_bytes(path))
}
