//! What the collector itself has to say, between the records of the traced threads: epochs,
//! samples, marks, facts, and what was lost.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use unfreed_wire::{Process, Writer};

use super::Collector;
use super::processes::Traced;
use crate::collect::agent::clock::{Stamp, now};
use crate::collect::agent::merge::{Lane, Merge};
use crate::collect::agent::procfs;
use crate::collect::agent::record::{Origin, Payload, Record};
use crate::event::{Fact, FactKind, Lost, Metric};

/// Shortest time between two epochs. It grows with the trace, so that there are never too many.
const EPOCH: Duration = Duration::from_millis(100);
const EPOCHS: u32 = 2048;
const MODULES_EVERY: Duration = Duration::from_secs(1);
const ALIVE_EVERY: Duration = Duration::from_millis(20);

/// The kinds of loss that are counted, the last of a process only.
pub(super) const KINDS: [Lost; 4] = [Lost::Allocations, Lost::Frees, Lost::Stacks, Lost::Libraries];

/// When the next of each is due.
#[derive(Default)]
pub(super) struct Due {
    epoch: Duration,
    modules: Duration,
    alive: Duration,
}

impl Collector<'_> {
    /// What the collector itself has to say at this moment: epochs, samples, marks, ends, losses.
    pub(super) fn say(&mut self, at: Stamp) {
        let elapsed = self.began.elapsed();
        if elapsed >= self.due.alive {
            self.due.alive = elapsed + ALIVE_EVERY;
            self.watch_ends(at);
        }
        let mut marks = Vec::new();
        if let Some(listener) = &self.marks {
            // Stamped when taken, which is before it is acknowledged.
            listener.poll(|mark| marks.push((now(), mark)));
        }
        for (stamp, mark) in marks {
            self.control(stamp, 0, Payload::Mark(Box::new(mark)));
        }
        if elapsed >= self.due.epoch && !self.processes.is_empty() {
            self.due.epoch = elapsed + EPOCH.max(elapsed / EPOCHS);
            let modules_due = elapsed >= self.due.modules;
            if modules_due {
                self.due.modules = elapsed + MODULES_EVERY;
            }
            for index in 0..self.processes.len() {
                let process = &self.processes[index];
                // Of one that began after this moment nothing can be said before its beginning.
                if process.ended || process.began > at {
                    if process.ended {
                        self.unseen.forget(index as u32);
                    }
                    continue;
                }
                if modules_due {
                    self.note_modules(index, at);
                }
                if let Some(value) = procfs::resident_bytes(self.processes[index].pid) {
                    let payload = Payload::Sample { metric: Metric::Rss, value };
                    self.control(at, index as u32, payload);
                }
            }
            let found = self.unseen.found();
            self.say_unseen(found);
            self.read_tallies();
            // What they count was defined by now, but maybe not yet at the round's beginning.
            let counted = now();
            self.tell_tallies(counted, |_| true);
            self.begin_interval(counted);
            self.control(counted, 0, Payload::Epoch);
        }
        let unregistered = self.memory.unregistered();
        let more = unregistered.saturating_sub(self.unregistered);
        self.unregistered = unregistered;
        // What such a process did is not known: at least one event each.
        let everybody = Origin::EVERYBODY;
        say_lost(&mut self.merge, self.watermark, everybody, Lost::Events, more.into());
        let counted: Vec<[u64; 4]> =
            self.memory.processes().map(|(_, entry)| unclaimed(entry)).collect();
        for (index, lost) in counted.into_iter().enumerate().take(self.processes.len()) {
            let before = std::mem::replace(&mut self.processes[index].lost, lost);
            let origin = Origin { process: index as u32, tid: 0 };
            let since = not_before(self.watermark, self.processes.get(index));
            for n in 0..KINDS.len() {
                say_lost(
                    &mut self.merge,
                    since,
                    origin,
                    KINDS[n],
                    lost[n].saturating_sub(before[n]),
                );
            }
        }
    }

    /// Looks which modules a process has, and has it looked where their calls lead; nobody can once
    /// it has ended.
    pub(super) fn note_modules(&mut self, index: usize, at: Stamp) {
        let process = &self.processes[index];
        let modules = procfs::modules_of(process.pid, process.program());
        if modules.is_empty() {
            return;
        }
        // Most processes are gone before a leak could be told in them, and are not worth the while.
        if self.processes[index].began < at {
            let process = &self.processes[index];
            self.unseen.look(index as u32, process.pid, process.name(), &modules);
        }
        self.control(at, index as u32, Payload::Map(modules));
    }

    /// Says which modules' calls do not pass the agent.
    pub(super) fn say_unseen(&mut self, found: Vec<(u32, Fact)>) {
        for (process, fact) in found {
            let Fact { subject, value, .. } = &fact;
            tracing::warn!("{subject}: {}", value.as_deref().unwrap_or_default());
            self.control(now(), process, Payload::Fact(Box::new(fact)));
        }
    }

    /// Facts of this machine.
    pub(super) fn say_facts(&mut self, stamp: Stamp, process: u32) {
        for (subject, value) in machine_facts() {
            let fact = Fact { kind: FactKind::System, subject, value };
            self.control(stamp, process, Payload::Fact(Box::new(fact)));
        }
    }

    /// Says something in its place among the records.
    pub(super) fn control(&mut self, stamp: Stamp, process: u32, payload: Payload) {
        let origin = Origin { process, tid: 0 };
        self.merge.push(Lane::CONTROL, Record { stamp, origin, payload });
    }
}

/// What is known of this machine: of what, and its value.
pub(in crate::collect) fn machine_facts() -> [(String, Option<String>); 2] {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    [
        (
            "kernel".to_owned(),
            read("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned()),
        ),
        ("distribution".to_owned(), read("/etc/os-release").and_then(|text| pretty_name(&text))),
    ]
}

/// Since when what is found lost now may have been lost: everything that was handed on is older,
/// and everything that is not yet may already suffer from the loss. Said later, it would let a
/// free whose allocation was lost accuse somebody of freeing twice.
pub(super) fn not_before(watermark: Stamp, process: Option<&Traced>) -> Stamp {
    watermark.max(process.map_or(Stamp(0), |process| process.began))
}

/// Says that something was lost, if it was.
pub(super) fn say_lost(merge: &mut Merge, stamp: Stamp, origin: Origin, what: Lost, count: u64) {
    if count > 0 {
        merge.push(Lane::CONTROL, Record { stamp, origin, payload: Payload::Lost { what, count } });
    }
}

/// What a writer has counted as lost, in the order of [`KINDS`].
pub(super) fn losses(writer: &Writer) -> [u64; 3] {
    [
        writer
            .lost_allocations
            .load(Relaxed)
            .saturating_add(writer.reentrant_allocations.load(Relaxed)),
        writer.lost_frees.load(Relaxed).saturating_add(writer.reentrant_frees.load(Relaxed)),
        writer.lost_stacks.load(Relaxed),
    ]
}

/// What a process has counted as lost because no writer was free, and what it never sees.
fn unclaimed(entry: &Process) -> [u64; 4] {
    let libraries = entry.libraries_unseen.load(Relaxed);
    [entry.lost_allocations.load(Relaxed), entry.lost_frees.load(Relaxed), 0, libraries]
}

fn pretty_name(os_release: &str) -> Option<String> {
    let line = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(line.trim_matches('"').to_owned())
}
