//! Processes whose first thread ends while others run on. Before Linux 6.12 the probes see nothing of them from then on,
//! and what is mapped there is no longer shown under the process's number: that is told as a loss.

use std::fs;
use std::time::Duration;

use super::Collector;
use super::unmet::TID;
use crate::collect::agent::clock::Stamp;
use crate::collect::agent::record::Origin;
use crate::collect::ebpf::layout::Slot;
use crate::event::Lost;

/// Threads that end with their process do so within that; who lives longer ran on.
const ALL_ENDED_WITHIN: Duration = Duration::from_millis(10);

impl Collector<'_> {
    /// A thread ended. If that was the first and others run on, something is missed.
    pub(super) fn thread_ended(&mut self, stamp: Stamp, slot: Slot, tid: u32) {
        if !self.probe.go_with_first_thread() {
            return;
        }
        let Some(target) = self.targets.get_mut(&slot) else { return };
        if target.pid & TID != tid {
            // It ran on after all, and has ended before that could be looked at.
            let missed = |first: Stamp| {
                u128::from(stamp.0.saturating_sub(first.0)) > ALL_ENDED_WITHIN.as_nanos()
            };
            if target.first_ended.is_some_and(missed) {
                target.first_ended = None;
                self.say_missed(slot);
            }
        } else if runs_on(target.pid) {
            self.say_missed(slot);
        } else {
            target.first_ended = Some(stamp);
        }
    }

    /// How much cannot be known.
    fn say_missed(&mut self, slot: Slot) {
        let origin = Origin { process: self.image(slot), tid: 0 };
        self.say_lost(origin, Lost::Allocations, 1);
        self.say_lost(origin, Lost::Frees, 1);
    }
}

/// Whether a process has a thread beside the first that neither ends nor is to be killed.
fn runs_on(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let others = threads.filter(|thread| *thread.file_name() != *pid.to_string());
    others.map(|thread| thread.path()).any(|thread| {
        let read = |name| fs::read_to_string(thread.join(name)).unwrap_or_default();
        lives(&read("stat"), &read("status"))
    })
}

/// By what the system says of a thread.
fn lives(stat: &str, status: &str) -> bool {
    const EXITING: u64 = 4;
    const KILLED: u64 = 1 << 8;
    // Field 9 of stat; the name, which is the second, may hold anything.
    let flags = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(6));
    let pending = status.lines().find_map(|line| line.strip_prefix("SigPnd:"));
    let pending = pending.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    let flags = flags.and_then(|flags| flags.parse::<u64>().ok());
    matches!((flags, pending), (Some(flags), Some(pending)) if flags & EXITING == 0 && pending & KILLED == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_lives_that_neither_ends_nor_is_killed() {
        let stat = |flags| format!("7 (a) b) S 1 7 7 0 -1 {flags} 100 0 0");
        let status = |pending| format!("Name:\ta\nSigPnd:\t{pending}\nShdPnd:\t0000000000000000\n");
        assert!(lives(&stat(4_194_304), &status("0000000000000000")));
        assert!(!lives(&stat(4_194_308), &status("0000000000000000")));
        assert!(!lives(&stat(4_194_304), &status("0000000000000100")));
        // It has ended meanwhile.
        assert!(!lives("", ""));
        assert!(!runs_on(u32::MAX));
    }
}
