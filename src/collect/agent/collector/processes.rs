//! The traced processes: who has registered, who has ended, and what that means for their writers.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use unfreed_wire::{Process, ProcessState, Refusal, WriterState};

use super::Collector;
use crate::collect::agent::clock::{Stamp, now};
use crate::collect::agent::memory::WriterIndex;
use crate::collect::agent::procfs;
use crate::collect::agent::record::Payload;
use crate::collect::agent::target::exit;
use crate::event::Exit;

/// What the collector remembers of a process.
pub(super) struct Traced {
    pub(super) pid: u32,
    pub(super) began: Stamp,
    name: String,
    program: String,
    pub(super) ended: bool,
    pub(super) refused: Option<Refusal>,
    pub(super) lost: [u64; 3],
}

impl Collector<'_> {
    /// Takes note of processes that have registered since. Gives the stamp up to which none can
    /// be missing.
    pub(super) fn register(&mut self, at: Stamp) -> Stamp {
        let mut whole = at;
        let mut new = Vec::new();
        for (index, entry) in self.memory.processes().skip(self.processes.len()) {
            let state = entry.state.load(Acquire);
            if state == ProcessState::Free as u32 {
                whole = self.watermark;
                break;
            }
            let refused = state == ProcessState::Refused as u32;
            let refusal = refused.then(|| Refusal::from_u32(entry.refusal.load(Relaxed)));
            let pid = entry.pid.load(Relaxed);
            let forked_from = entry.forked_from.load(Relaxed).checked_sub(1);
            let stamp = Stamp(entry.began.load(Relaxed));
            new.push((index, pid, forked_from, stamp, refusal, program(entry)));
        }
        for (index, pid, forked_from, stamp, refused, program) in new {
            let before = self.processes.iter().rposition(|other| other.pid == pid && !other.ended);
            if let Some(replaced) = before {
                self.processes[replaced].ended = true;
                let payload = Payload::ProcessEnded(Exit::Replaced);
                self.control(stamp, replaced as u32, payload);
            }
            let mut process = procfs::describe(pid, program);
            process.forked_from = forked_from;
            if let Some(parent) = forked_from.and_then(|n| self.processes.get(n as usize)) {
                // A child is its parent's image, whatever it has executed since.
                process.name = parent.name.clone();
                process.program = parent.program.clone();
            }
            let (name, program) = (process.name.clone(), process.program.clone());
            let lost = [0; 3];
            let (began, ended) = (stamp, false);
            self.processes.push(Traced { pid, began, name, program, ended, refused, lost });
            self.control(stamp, index, Payload::ProcessBegan(Box::new(process)));
            if index == 0 {
                self.say_facts(stamp);
            }
        }
        whole
    }

    /// Looks which processes have ended.
    pub(super) fn watch_ends(&mut self, at: Stamp) {
        let target = (self.target.pid(), self.target.ended());
        for index in 0..self.processes.len() {
            let process = &self.processes[index];
            if process.ended {
                continue;
            }
            let ended = match target {
                (pid, status) if pid == process.pid => status.map(exit),
                _ => (!procfs::is_alive(process.pid)).then_some(Exit::Unknown),
            };
            if let Some(exit) = ended {
                self.processes[index].ended = true;
                // What its threads had published by now must come before its end.
                self.read_all_of(index as u32, at);
                self.control(now(), index as u32, Payload::ProcessEnded(exit));
            }
        }
        self.release_threads_gone();
    }

    /// Reads what a process's threads have published.
    pub(super) fn read_all_of(&mut self, process: u32, at: Stamp) {
        for n in 0..self.writers.len() {
            let index = WriterIndex(n as u32);
            let writer = self.memory.writer(index);
            let state = writer.state.load(Acquire);
            if state != WriterState::Free as u32 && writer.process.load(Relaxed) == process {
                self.read(index, state, at, &mut Stamp(u64::MAX));
            }
        }
    }

    /// Gives back the writers of threads that ended without saying so.
    fn release_threads_gone(&mut self) {
        let live = self
            .memory
            .writers()
            .filter(|(_, writer)| writer.state.load(Relaxed) == WriterState::Live as u32)
            .count();
        if live < self.writers.len() / 2 {
            return;
        }
        for (index, process) in self.processes.iter().enumerate() {
            if process.ended {
                continue;
            }
            let threads = procfs::threads(process.pid);
            for (_, writer) in self.memory.writers() {
                let tid = writer.tid.load(Relaxed);
                if writer.process.load(Relaxed) as usize == index
                    && writer.state.load(Acquire) == WriterState::Live as u32
                    && tid != 0
                    && !threads.contains(&tid)
                {
                    writer.state.store(WriterState::Ended as u32, Release);
                }
            }
        }
    }
}

/// The path of a process's program, as it said itself.
fn program(entry: &Process) -> Option<PathBuf> {
    let bytes: Vec<u8> =
        entry.program.iter().flat_map(|word| word.load(Relaxed).to_le_bytes()).collect();
    let path = bytes.split(|byte| *byte == 0).next().filter(|path| !path.is_empty())?;
    Some(PathBuf::from(OsStr::from_bytes(path)))
}
