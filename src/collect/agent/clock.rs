//! The time stamp counter, and nanoseconds made of it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::error::CollectError;
use crate::event::Time;

/// A reading of the time stamp counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp(pub(super) u64);

/// Reads the counter, after everything before has happened.
#[cfg(target_arch = "x86_64")]
pub(super) fn now() -> Stamp {
    let mut processor = 0;
    // SAFETY: rdtscp exists wherever `Clock::start` has succeeded; before that its result is only
    // compared with itself.
    Stamp(unsafe { core::arch::x86_64::__rdtscp(&mut processor) })
}

/// Turns stamps into times. The rate is measured once, so that times never disagree.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    began: Stamp,
    nanoseconds_per_tick: f64,
}

impl Clock {
    /// Begins to measure; `finish` it a while later.
    pub(super) fn measure() -> Result<Measuring, CollectError> {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let flags = info.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
        let has = |wanted: &str| flags.split_whitespace().any(|flag| flag == wanted);
        if !has("constant_tsc") || !has("nonstop_tsc") || !has("rdtscp") {
            return Err(CollectError::NoInvariantClock);
        }
        Ok(Measuring { at: Instant::now(), stamp: now() })
    }

    /// Ticks per second.
    pub(super) fn hertz(&self) -> u64 {
        (1e9 / self.nanoseconds_per_tick) as u64
    }

    /// The time of a stamp. What was stamped before the trace began is at its beginning.
    pub(super) fn time(&self, stamp: Stamp) -> Time {
        let ticks = stamp.0.saturating_sub(self.began.0);
        Time((ticks as f64 * self.nanoseconds_per_tick) as u64)
    }
}

/// A clock whose rate is being measured.
pub(super) struct Measuring {
    at: Instant,
    stamp: Stamp,
}

impl Measuring {
    /// Ends the measurement, which takes at least 20 ms from its beginning, and starts time.
    pub(super) fn finish(self) -> Clock {
        const LEAST: Duration = Duration::from_millis(20);
        if let Some(rest) = LEAST.checked_sub(self.at.elapsed()) {
            std::thread::sleep(rest);
        }
        let (stamp, elapsed) = (now(), self.at.elapsed());
        let ticks = stamp.0.saturating_sub(self.stamp.0).max(1);
        Clock { began: stamp, nanoseconds_per_tick: elapsed.as_nanos() as f64 / ticks as f64 }
    }
}

/// Minutes east of UTC on this machine at a time; 0 where the system does not know.
pub(super) fn utc_offset_minutes(at: SystemTime) -> i32 {
    let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let Ok(seconds) = libc::time_t::try_from(seconds) else { return 0 };
    let mut local = std::mem::MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: room for the answer; zeroed is a valid tm.
    let offset = unsafe {
        if libc::localtime_r(&seconds, local.as_mut_ptr()).is_null() {
            return 0;
        }
        local.assume_init().tm_gmtoff
    };
    i32::try_from(offset / 60).unwrap_or(0)
}
