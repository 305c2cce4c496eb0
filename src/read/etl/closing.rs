//! What is told as a log ends: what became known of its modules and processes late, what was lost, what was
//! passed over.

use std::fmt::Write;

use super::inventory::Said;
use super::translate::Translator;
use crate::event::{Event, Exit, Fact, FactKind, Loss, Lost, Module, ProcessId, Tid, What};

/// So many kinds of records that were passed over are named.
const NAMED: usize = 8;

impl Translator<'_> {
    /// Tells that so much was lost of whatever process.
    pub(super) fn loss(&self, what: Lost, count: u64, out: &mut Vec<Event>) {
        if count > 0 {
            let what = What::Loss(Loss { what, count });
            out.push(Event { time: self.last, process: ProcessId::EVERY, thread: Tid(0), what });
        }
    }

    /// Tells what was lost since this was told last.
    pub(super) fn say_losses(&mut self, out: &mut Vec<Event>) {
        let time = self.last;
        let mut say = |process, what, count| {
            if count > 0 {
                let what = What::Loss(Loss { what, count });
                out.push(Event { time, process, thread: Tid(0), what });
            }
        };
        say(ProcessId::EVERY, Lost::Events, std::mem::take(&mut self.lost_anywhere));
        for at in self.spaces.take_lossy() {
            let space = self.spaces.get_mut(at);
            let Some(id) = space.id else { continue };
            say(id, Lost::Events, std::mem::take(&mut space.lost_events));
            say(id, Lost::Stacks, std::mem::take(&mut space.lost_stacks));
        }
    }

    /// Puts what became known late behind what waits.
    pub(super) fn say_late(&mut self) {
        for at in 0..self.spaces.len() {
            if !self.spaces.get(at).ended {
                self.say_committed(at, true);
            }
        }
        for (id, said) in std::mem::take(&mut self.said) {
            let Said { identity: before, space, base, size } = said;
            let identity = self.modules.identity(id);
            if identity == before {
                continue;
            }
            let mapped = self.spaces.get(space).mappings.find(base, self.now);
            self.say(space, What::Module(Box::new(Module { id, identity, base, size })));
            if mapped.is_none_or(|(module, _)| module != id) {
                self.say(space, What::ModuleUnload(base));
            }
        }
        for at in 0..self.spaces.len() {
            if !self.spaces.get(at).ended {
                self.say(at, What::ProcessExit(Exit::StillRunning));
            }
        }
    }

    /// Ends the stream, once nothing waits.
    pub(super) fn end(&mut self, out: &mut Vec<Event>) {
        self.last = self.last.max(self.times.of(self.now));
        let time = self.last;
        let event = |what| Event { time, process: ProcessId(0), thread: Tid(0), what };
        for (subject, value) in self.facts() {
            let kind = FactKind::Capture;
            out.push(event(What::Fact(Box::new(Fact { kind, subject: subject.into(), value }))));
        }
        out.push(event(What::Epoch));
    }

    fn facts(&self) -> Vec<(&'static str, Option<String>)> {
        let tallies = self.tallies;
        let some = |count: u64| (count > 0).then(|| count.to_string());
        let mut facts = vec![("heap records", some(tallies.heap))];
        if tallies.ranges > 0 {
            facts.push(("records of VirtualAlloc and VirtualFree", some(tallies.ranges)));
        }
        if tallies.segments > 0 {
            let (ranges, bytes) = (tallies.segments, tallies.segment_bytes);
            let value = format!("{ranges} ranges, {bytes} bytes");
            facts
                .push(("memory that ntdll took for heaps, told as their blocks only", Some(value)));
        }
        let passed = self.unknown.total();
        if passed > 0 {
            let mut value = format!("{passed} records");
            for (what, count) in self.unknown.kinds().iter().take(NAMED) {
                // Writing to a string does not fail.
                let _ = write!(value, "; {count} of {what}");
            }
            facts.push(("passed over", Some(value)));
        }
        facts
    }
}
