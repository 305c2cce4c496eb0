//! The clock of a session: nanoseconds of the system's monotonic clock, which the collector reads and
//! publishes to the traced programs, so that these need not ask for the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use unfreed_wire::Telling;

use super::memory::SessionMemory;
use crate::event::Time;

/// A moment by the session's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::collect) struct Stamp(pub(in crate::collect) u64);

impl Stamp {
    /// So much earlier, or the beginning of the clock.
    pub(in crate::collect) fn before(self, by: Duration) -> Stamp {
        Stamp(self.0.saturating_sub(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// The time now.
pub(in crate::collect) fn now() -> Stamp {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: room for the answer. The clock exists on every Linux: there is no error to see.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    let nanoseconds = time.tv_sec.wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec);
    Stamp(u64::try_from(nanoseconds).unwrap_or(0).max(FIRST))
}

/// The agent takes a few nanoseconds off for what comes before: the clock never begins at 0.
const FIRST: u64 = 1 << 10;

/// Turns stamps into times.
#[derive(Clone, Debug)]
pub(in crate::collect) struct Clock {
    began: Stamp,
}

impl Clock {
    /// Time begins now.
    pub(in crate::collect) fn start() -> Clock {
        Clock { began: now() }
    }

    /// The time of a stamp. What was stamped before the trace began is at its beginning.
    pub(in crate::collect) fn time(&self, stamp: Stamp) -> Time {
        Time(stamp.0.saturating_sub(self.began.0))
    }
}

/// Publishes the time to the traced programs until it is dropped.
pub(in crate::collect) struct Ticker {
    stop: Arc<AtomicBool>,
    longest: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

/// Between two publications, if nothing delays one: what lived shorter than about twice that is not told
/// apart. Where all processors are busy each costs the traced program far more than the work: the
/// scheduler makes room, and what it moved aside loses its place. Who asks for a sample asks for that to
/// be little.
pub(in crate::collect) fn tick(telling: Telling) -> Duration {
    Duration::from_millis(if telling == Telling::Sample { 20 } else { 4 })
}

impl Ticker {
    /// Begins to publish.
    pub(super) fn start(memory: Arc<SessionMemory>) -> std::io::Result<Ticker> {
        let stop = Arc::new(AtomicBool::new(false));
        let longest = Arc::new(AtomicU64::new(0));
        let (stopped, gap) = (stop.clone(), longest.clone());
        let mut last = memory.publish(now());
        let every = tick(memory.telling());
        let publish = move || {
            while !stopped.load(Relaxed) {
                std::thread::sleep(every);
                let at = memory.publish(now());
                gap.fetch_max(at.0.saturating_sub(last.0), Relaxed);
                last = at;
            }
        };
        let thread = std::thread::Builder::new().name(String::from("clock")).spawn(publish)?;
        Ok(Ticker { stop, longest, thread: Some(thread) })
    }

    /// The longest time that passed between two publications since this was asked last.
    pub(in crate::collect) fn longest_gap(&self) -> Time {
        Time(self.longest.swap(0, Relaxed))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // It cannot panic; if it did there is nobody to tell.
            let _ = thread.join();
        }
    }
}

/// Minutes east of UTC on this machine at a time; 0 where the system does not know.
pub(in crate::collect) fn utc_offset_minutes(at: SystemTime) -> i32 {
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
