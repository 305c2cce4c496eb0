//! The system is not asked: time that has passed stands for that of a thread, which can only be less.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// By this thread, at most.
pub fn thread() -> Duration {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    BEGAN.get_or_init(Instant::now).elapsed()
}

/// By this process, where the system is asked for it.
pub fn process() -> Option<Duration> {
    None
}
