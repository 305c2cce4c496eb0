//! Processes that nothing is seen of, all their life or for its beginning: each is told, none is passed over.

use super::Collector;
use super::processes::{ENDED_BEFORE, NO_ALLOCATOR, NO_HEAPS};
use crate::collect::agent::clock::{Stamp, now};
use crate::collect::agent::record::{Origin, Payload, Record};
use crate::collect::ebpf::layout::Slot;
use crate::event::{Fact, FactKind};

/// Processes that could not be traced and are told by name.
const UNTRACED_MOST: usize = 64;

const ENDED_MEANWHILE: &str = "it ended while it was watched, and what it had is gone";

/// The part of a thread's number that records have.
pub(super) const TID: u32 = 0xff_ffff;

/// A process or a thread that had ended when its beginning was read.
#[derive(Debug)]
pub(super) struct Unmet {
    parent: u32,
    began: Stamp,
    /// What it executed.
    name: Option<String>,
}

impl Collector<'_> {
    /// Its end will say whether it was a process at all; meanwhile what it executed may be told.
    pub(super) fn expect_end(&mut self, parent: u32, child: u32, began: Stamp) {
        self.unmet.insert(child, Unmet { parent, began, name: None });
    }

    pub(super) fn met_execution(&mut self, pid: u32, name: &str) {
        if let Some(unmet) = self.unmet.get_mut(&pid) {
            unmet.name = Some(name.to_owned());
        }
    }

    pub(super) fn met_end(&mut self, stamp: Stamp, pid: u32, tid: u32) {
        if pid & TID == tid {
            if let Some(unmet) = self.unmet.remove(&pid) {
                self.say_unmet(pid, &unmet, Some(stamp));
            }
        } else {
            // Only a thread.
            self.unmet.retain(|number, _| number & TID != tid);
        }
    }

    /// Of those whose ends were not told.
    pub(super) fn say_all_unmet(&mut self) {
        for (pid, unmet) in std::mem::take(&mut self.unmet) {
            self.say_unmet(pid, &unmet, None);
        }
    }

    fn say_unmet(&mut self, pid: u32, unmet: &Unmet, ended: Option<Stamp>) {
        self.probe.unfollow(pid);
        let name = match &unmet.name {
            Some(name) => name.clone(),
            None => format!("a child of process {}", unmet.parent),
        };
        let why = match ended {
            Some(ended) => {
                let lived = ended.0.saturating_sub(unmet.began.0) / 1_000_000;
                format!("{ENDED_BEFORE}; it lived for {lived} ms")
            }
            None => ENDED_BEFORE.to_owned(),
        };
        self.say_untraced(format!("{name} (process {pid})"), &why);
    }

    /// Of a process nothing of whose image was seen, that this is so; `ended`: the process has.
    pub(super) fn say_blind(&mut self, slot: Slot, stamp: Stamp, ended: bool) {
        self.say_late(slot, Some(stamp));
        if let Some(target) = self.targets.get(&slot).filter(|_| ended && self.wish.triage) {
            let subject = format!("{} (process {})", target.name, target.pid);
            return self.say_untraced(subject, ENDED_MEANWHILE);
        }
        let Some(target) = self.targets.get(&slot).filter(|target| target.sight.is_blind()) else {
            return;
        };
        let subject = format!("{} (process {})", target.name, target.pid);
        let why = match target.is_wine {
            _ if target.is_new && ended => ENDED_BEFORE,
            true => NO_HEAPS,
            false => NO_ALLOCATOR,
        };
        self.say_untraced(subject, why);
    }

    /// For how long of its beginning nothing was seen of a process, where that is known by now.
    pub(super) fn say_late(&mut self, slot: Slot, end: Option<Stamp>) {
        let Some(target) = self.targets.get_mut(&slot) else { return };
        let unseen = match end {
            Some(end) => target.sight.unseen_until(end),
            None => target.sight.unseen(),
        };
        let Some(unseen) = unseen else { return };
        let fact = Fact {
            kind: FactKind::SeenLate,
            subject: format!("{} (process {})", target.name, target.pid),
            value: Some(unseen.to_string()),
        };
        let origin = Origin { process: self.image(slot), tid: 0 };
        self.out.push(Record { stamp: now(), origin, payload: Payload::Fact(Box::new(fact)) });
    }

    pub(super) fn say_untraced(&mut self, subject: String, why: &str) {
        self.untraced += 1;
        if self.untraced <= UNTRACED_MOST {
            self.say_not_traced(subject, why.to_owned());
        }
    }

    /// How many were not told by name.
    pub(super) fn say_more_untraced(&mut self) {
        let more = self.untraced.saturating_sub(UNTRACED_MOST);
        if more > 0 {
            let processes = if more == 1 { "process" } else { "processes" };
            let why = format!("{ENDED_BEFORE}, or no allocator was found in them");
            self.say_not_traced(format!("other programs ({more} more {processes})"), why);
        }
    }

    fn say_not_traced(&mut self, subject: String, why: String) {
        let fact = Fact { kind: FactKind::NotTraced, subject, value: Some(why) };
        let origin = Origin { process: 0, tid: 0 };
        self.out.push(Record { stamp: now(), origin, payload: Payload::Fact(Box::new(fact)) });
    }
}
