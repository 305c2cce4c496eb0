//! From the log's clock to the vocabulary's time: nanoseconds since the log's first record.

use super::record::Ticks;
use crate::event::Time;

const SECOND: u64 = 1_000_000_000;

/// A clock.
#[derive(Clone, Copy, Debug)]
pub struct Timeline {
    first: Ticks,
    hertz: u64,
}

impl Timeline {
    /// A clock that stood at `first` when the trace began, and counts `hertz` in a second; one of 100 ns where that is
    /// not known.
    pub fn new(first: Ticks, hertz: Option<u64>) -> Self {
        Timeline { first, hertz: hertz.filter(|hertz| *hertz > 0).unwrap_or(10_000_000) }
    }

    /// A record's time; 0 before the trace began.
    #[inline]
    pub fn of(&self, ticks: Ticks) -> Time {
        let since = ticks.0.saturating_sub(self.first.0);
        let (seconds, rest) = (since / self.hertz, since % self.hertz);
        // A clock that counts more in a second than fits does not exist; a damaged header may say so.
        let part = match rest.checked_mul(SECOND) {
            Some(rest) => rest / self.hertz,
            None => (u128::from(rest) * u128::from(SECOND) / u128::from(self.hertz)) as u64,
        };
        Time(seconds.saturating_mul(SECOND).saturating_add(part))
    }

    /// So many nanoseconds in units of the clock.
    pub fn ticks(&self, ns: u64) -> u64 {
        let ticks = u128::from(ns) * u128::from(self.hertz) / u128::from(SECOND);
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }
}
