//! What is said beside the records: losses, marks, sizes, modules, epochs.

use std::fs;
use std::time::Duration;

use super::Collector;
use crate::collect::agent::clock::{Stamp, now};
use crate::collect::agent::record::{Origin, Payload, Record};
use crate::collect::ebpf::layout::Slot;
use crate::event::{Lost, Metric};

/// Shortest time between two epochs. It grows with the trace, so that there are never too many.
const EPOCH: Duration = Duration::from_millis(100);
const EPOCHS: u32 = 2048;
pub(super) const MODULES_EVERY: Duration = Duration::from_secs(1);
const ALIVE_EVERY: Duration = Duration::from_millis(20);

impl Collector<'_> {
    pub(super) fn say_losses(&mut self, damaged: u64) {
        let slots: Vec<Slot> = self.targets.keys().copied().collect();
        for slot in slots {
            self.say_losses_of(slot);
        }
        let lost = self.losses.of(Slot(0));
        let others = lost.others - self.nobody.others + damaged;
        self.nobody = lost;
        self.say_lost(Origin::EVERYBODY, Lost::Events, others);
    }

    pub(super) fn say_losses_of(&mut self, slot: Slot) {
        let lost = self.losses.of(slot);
        let Some(target) = self.targets.get_mut(&slot) else { return };
        let before = std::mem::replace(&mut target.told, lost);
        if before == lost {
            return;
        }
        let origin = Origin { process: self.images[slot.0 as usize], tid: 0 };
        let allocations = lost.allocations - before.allocations;
        let unseen = lost.missed_returns - before.missed_returns;
        self.say_lost(origin, Lost::Allocations, allocations + unseen);
        self.say_lost(origin, Lost::Frees, lost.frees - before.frees);
        self.say_lost(origin, Lost::Stacks, lost.stacks - before.stacks);
        self.say_lost(origin, Lost::Events, lost.others - before.others);
    }

    pub(super) fn say_lost(&mut self, origin: Origin, what: Lost, count: u64) {
        if count > 0 {
            self.out.push(Record {
                stamp: Stamp(0),
                origin,
                payload: Payload::Lost { what, count },
            });
        }
    }

    /// What the collector itself has to say: marks, ends, samples, epochs.
    pub(super) fn say(&mut self) {
        let elapsed = self.began.elapsed();
        if let Some(listener) = &self.marks {
            let out = &mut self.out;
            listener.poll(|mark| {
                let payload = Payload::Mark(Box::new(mark));
                out.push(Record { stamp: now(), origin: Origin { process: 0, tid: 0 }, payload });
            });
        }
        if elapsed >= self.alive_due {
            self.alive_due = elapsed + ALIVE_EVERY;
            let known = self.slots.keys().chain(&self.expected).chain(&self.refused);
            let pids: Vec<u32> = known.copied().collect();
            for pid in pids {
                self.ended(pid);
            }
        }
        self.look_for_allocators();
        if elapsed >= self.modules_due {
            self.modules_due = elapsed + MODULES_EVERY;
            for slot in self.targets.keys().copied().collect::<Vec<_>>() {
                self.look_at(slot);
            }
        }
        if elapsed >= self.epoch_due && self.image_count > 0 {
            self.epoch_due = elapsed + EPOCH.max(elapsed / EPOCHS);
            let stamp = now();
            for (slot, target) in &self.targets {
                let origin = Origin { process: self.images[slot.0 as usize], tid: 0 };
                for (metric, value) in sizes(target.pid) {
                    self.out.push(Record {
                        stamp,
                        origin,
                        payload: Payload::Sample { metric, value },
                    });
                }
            }
            let origin = Origin { process: 0, tid: 0 };
            self.out.push(Record { stamp, origin, payload: Payload::Epoch });
        }
    }
}

/// How large a process is, by what `/proc/PID/status` says.
fn sizes(pid: u32) -> Vec<(Metric, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    let mut sizes = Vec::new();
    if let Some(resident) = kib("VmRSS:") {
        sizes.push((Metric::Rss, resident << 10));
    }
    // Not shared with anybody, and nobody's file: resident or in swap.
    if let Some(private) = kib("RssAnon:") {
        sizes.push((Metric::PrivateBytes, (private + kib("VmSwap:").unwrap_or(0)) << 10));
    }
    sizes
}
