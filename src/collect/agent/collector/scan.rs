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
use crate::collect::scan::{Copied, Subject, copy};
use crate::collect::sink::Coverage;
use crate::event::{Bytes, Scan, Time};

/// What came of copying each process, by its number.
pub(super) type Copies = Vec<(u32, Result<Copied, String>)>;

impl Collector<'_> {
    /// Copies every process that still runs, and closes the session while they stand still.
    pub(super) fn copy_processes(&mut self, limit: Duration) -> Copies {
        // Some may have executed another program, or ended, since the last round.
        let at = now();
        self.register(at);
        self.watch_ends(at);
        let (target, memory) = (self.target.pid(), self.memory.as_ref());
        let mut copies = Copies::new();
        let mut running = Vec::new();
        for (number, process) in self.processes.iter().enumerate() {
            let number = number as u32;
            if process.is_untraced() {
                continue;
            } else if process.ended || process.pid == 0 {
                copies.push((number, Err(ended())));
            } else {
                running
                    .push((number, Subject { pid: process.pid, is_child: process.pid == target }));
            }
        }
        let subjects: Vec<Subject> = running.iter().map(|(_, subject)| *subject).collect();
        let busy = |at: usize| running.get(at).is_some_and(|(number, _)| is_busy(memory, *number));
        // One that has executed another program since has not mapped the session: its blocks are gone.
        let (inode, gone) = (memory.inode(), Mutex::new(Vec::new()));
        let still = || {
            memory.close();
            let has_left = |of: &Subject| procfs::has_mapped(of.pid, inode) == Some(false);
            let left = subjects.iter().map(has_left).collect();
            *gone.lock().unwrap_or_else(PoisonError::into_inner) = left;
        };
        let copied = copy(&subjects, limit, &busy, &still);
        let gone = gone.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (at, copied) in copied.into_iter().enumerate() {
            let left = gone.get(at).is_some_and(|left| *left);
            copies.push((running[at].0, if left { Err(executed()) } else { copied }));
        }
        copies
    }

    /// Walks the copies and says what was found.
    pub(super) fn scan(&mut self, copies: Copies) {
        self.hand_on(Stamp(u64::MAX), usize::MAX);
        for (number, copied) in copies {
            let ended = self.processes.get(number as usize).is_none_or(|process| process.ended);
            let failed = match copied {
                // It was found only now.
                Ok(_) if ended => executed(),
                Ok(copied) => {
                    if let Some((coverage, groups)) = self.translator.scan(number, &copied) {
                        self.say_modules(number);
                        let scan = Scan {
                            stopped: Time(copied.stopped.as_nanos() as u64),
                            read: Bytes(copied.read),
                            whole: coverage == Coverage::Whole,
                            failed: None,
                        };
                        self.control(now(), number, Payload::Scan(Box::new(scan)));
                        for group in groups {
                            self.control(now(), number, Payload::Reach(Box::new(group)));
                        }
                        continue;
                    }
                    String::from("its live blocks are not known")
                }
                Err(why) => why,
            };
            let scan =
                Scan { stopped: Time(0), read: Bytes(0), whole: false, failed: Some(failed) };
            self.control(now(), number, Payload::Scan(Box::new(scan)));
        }
    }

    /// So that every root lies in a module that is known.
    fn say_modules(&mut self, number: u32) {
        if let Some(process) = self.processes.get(number as usize) {
            let modules = procfs::modules_of(process.pid, process.program());
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
