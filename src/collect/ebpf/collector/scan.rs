//! The scan at the end of the watching: which blocks of the processes that still run are referenced. What was told
//! until they all stood still is all that counts; what they do once they go on is of another time.
//!
//! A thread may be in the middle of an allocation as it is stopped, and a table that it moves is in no list of live blocks
//! then. So the blocks are never taken for all that the process has: memory of the heap that is in none of them counts as a
//! root, as it must anyway for blocks older than the trace.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::Collector;
use crate::collect::agent::clock::{Stamp, now};
use crate::collect::agent::record::{Origin, Payload, Record};
use crate::collect::ebpf::layout::Slot;
use crate::collect::scan::{Copied, Step, Subject, copy};
use crate::collect::sink::Coverage;
use crate::event::{Bytes, Scan, Time, Unread};

const REPLACED: &str = "the process ended, or executed another program, as it was to be scanned";

impl Collector<'_> {
    /// Copies every process that still runs, and says of each what was found.
    pub(super) fn scan(&mut self, limit: Duration) {
        // Some may have executed another program, or ended, since the last round.
        self.pass();
        let running: Vec<(Slot, u32, Subject)> = self
            .targets
            .iter()
            .map(|(slot, target)| {
                let subject = Subject { pid: target.pid, is_child: false };
                (*slot, self.image(*slot), subject)
            })
            .collect();
        let subjects: Vec<Subject> = running.iter().map(|(_, _, subject)| *subject).collect();
        let stood = AtomicU64::new(u64::MAX);
        let still = || stood.store(now().0, Relaxed);
        copy(&subjects, limit, &|_| false, &still, &mut |step| match step {
            Step::Still => self.end_at(Stamp(stood.load(Relaxed)).min(now())),
            Step::Done(at, copied) => {
                let (slot, image, _) = running[at];
                let is_there = self.targets.contains_key(&slot) && self.image(slot) == image;
                let copied = if is_there { copied } else { Err(REPLACED.to_owned()) };
                self.tell_scan(image, copied);
            }
        });
    }

    /// Walks the copy of a process and says what was found.
    fn tell_scan(&mut self, image: u32, copied: Result<Box<Copied>, String>) {
        let walked = copied.and_then(|copied| {
            let walked = self.translator.scan(image, &copied, Coverage::Part);
            walked
                .map(|groups| (copied, groups))
                .ok_or_else(|| String::from("its live blocks are not known"))
        });
        let mut scan = Scan {
            stopped: Time(0),
            read: Bytes(0),
            whole: false,
            failed: None,
            unread: Unread::default(),
            exact: true,
        };
        let mut groups = Vec::new();
        match walked {
            Ok((copied, (_, found))) => {
                let Copied { stopped, read, unread, .. } = *copied;
                (scan.stopped, scan.read) = (Time(stopped.as_nanos() as u64), Bytes(read));
                (scan.unread, groups) = (unread, found);
            }
            Err(why) => scan.failed = Some(why),
        }
        let (stamp, origin) = (now(), Origin { process: image, tid: 0 });
        self.out.push(Record { stamp, origin, payload: Payload::Scan(Box::new(scan)) });
        let reached = groups.into_iter().map(|group| Payload::Reach(Box::new(group)));
        self.out.extend(reached.map(|payload| Record { stamp, origin, payload }));
        self.translator.translate(&mut self.out);
    }
}
