//! The scan at the end of the watching: which blocks of the processes that still run are referenced. While they stand
//! still the session is closed, so that what has been told by then is all that there was at that
//! moment; the walk itself needs nobody to wait.

use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use unfreed_wire::WriterState;

use super::Collector;
use crate::collect::agent::clock::{Stamp, now};
use crate::collect::agent::memory::SessionMemory;
use crate::collect::agent::procfs;
use crate::collect::agent::record::Payload;
use crate::collect::scan::{Copied, Step, Subject, copy};
use crate::collect::sink::Coverage;
use crate::event::{Bytes, Scan, Time, Unread};

impl Collector<'_> {
    /// Copies every process that still runs, closes the session while they stand still, reads what it holds by
    /// then, and says of each what was found.
    pub(super) fn scan(&mut self, limit: Duration) {
        // Some may have executed another program, or ended, since the last round.
        let at = now();
        self.register(at);
        self.watch_ends(at);
        let (target, memory) = (self.target.pid(), self.memory.clone());
        let (mut running, mut failed) = (Vec::new(), Vec::new());
        for (number, process) in self.processes.iter().enumerate() {
            let number = number as u32;
            if process.is_untraced() {
                continue;
            } else if process.ended || process.pid == 0 {
                failed.push(number);
            } else {
                running
                    .push((number, Subject { pid: process.pid, is_child: process.pid == target }));
            }
        }
        let subjects: Vec<Subject> = running.iter().map(|(_, subject)| *subject).collect();
        let busy = |at: usize| running.get(at).is_some_and(|(number, _)| is_busy(&memory, *number));
        // One that has executed another program since has not mapped the session: its blocks are gone.
        let (inode, gone) = (memory.inode(), Mutex::new(Vec::new()));
        let still = || {
            memory.close();
            let has_left = |of: &Subject| procfs::has_mapped(of.pid, inode) == Some(false);
            let left = subjects.iter().map(has_left).collect();
            *gone.lock().unwrap_or_else(PoisonError::into_inner) = left;
        };
        copy(&subjects, limit, &busy, &still, &mut |step| match step {
            // Nothing is told any more: what there is to read is all that there was at that moment.
            Step::Still => {
                self.read_rest();
                self.hand_on(Stamp(u64::MAX), usize::MAX);
            }
            Step::Done(at, copied) => {
                let gone = gone.lock().unwrap_or_else(PoisonError::into_inner);
                let left = gone.get(at).is_some_and(|left| *left);
                drop(gone);
                self.tell(running[at].0, if left { Err(executed()) } else { copied });
            }
        });
        for number in failed {
            self.tell(number, Err(ended()));
        }
    }

    /// Walks the copy of a process and says what was found.
    fn tell(&mut self, number: u32, copied: Result<Box<Copied>, String>) {
        let ended = self.processes.get(number as usize).is_none_or(|process| process.ended);
        let failed = match copied {
            // It was found only now.
            Ok(_) if ended => executed(),
            Ok(copied) => {
                if let Some((coverage, groups)) =
                    self.translator.scan(number, &copied, Coverage::Whole)
                {
                    self.say_modules(number, copied.standing);
                    let Copied { stopped, read, unread, .. } = *copied;
                    let scan = Scan {
                        stopped: Time(stopped.as_nanos() as u64),
                        read: Bytes(read),
                        whole: coverage == Coverage::Whole && unread == Unread::default(),
                        failed: None,
                        unread,
                        exact: true,
                    };
                    self.control(now(), number, Payload::Scan(Box::new(scan)));
                    for group in groups {
                        self.control(now(), number, Payload::Reach(Box::new(group)));
                    }
                    return;
                }
                String::from("its live blocks are not known")
            }
            Err(why) => why,
        };
        let (stopped, read, unread) = (Time(0), Bytes(0), Unread::default());
        let failed = Some(failed);
        let scan = Scan { stopped, read, whole: false, failed, unread, exact: true };
        self.control(now(), number, Payload::Scan(Box::new(scan)));
    }

    /// So that every root lies in a module that is known. Of a process whose first thread has ended only another shows
    /// its map.
    fn say_modules(&mut self, number: u32, standing: u32) {
        if let Some(process) = self.processes.get(number as usize) {
            let modules = procfs::modules_of(standing, process.program());
            self.control(now(), number, Payload::Map(modules));
        }
    }
}

/// Whether a thread of the process is in the middle of a record. It may hold a block that is in no table then,
/// as while `realloc` moves it, and all that this refers to would seem lost.
fn is_busy(memory: &SessionMemory, process: u32) -> bool {
    memory.writers().any(|(_, writer)| {
        writer.process.load(Relaxed) == process
            && writer.state.load(Acquire) == WriterState::Live as u32
            && writer.opened.load(Acquire) & 1 != 0
    })
}

fn executed() -> String {
    String::from("the process ended, or executed another program, as it was to be scanned")
}

fn ended() -> String {
    String::from(
        "the process had ended by itself, and its memory with it: end the watching while it runs \
         (--duration)",
    )
}
