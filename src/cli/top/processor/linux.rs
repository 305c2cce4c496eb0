//! The kernel counts it for each thread.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// By this thread.
pub fn thread() -> Duration {
    taken(ClockId::ThreadCPUTime)
}

/// By this process, where the system is asked for it.
pub fn process() -> Option<Duration> {
    Some(taken(ClockId::ProcessCPUTime))
}

fn taken(clock: ClockId) -> Duration {
    clock_gettime(clock).try_into().unwrap_or_default()
}
