//! The birth epochs of one process: equal spans of trace time from its first event on, at most
//! [`EPOCHS`] of them. When they are full, neighbours merge and the width doubles, so that between
//! 17 and 32 of them always cover the observation. The boundaries follow from event times alone.

use crate::event::Time;

/// At most this many epochs.
pub const EPOCHS: usize = 32;

/// The first width is 2^24 ns, about 17 ms: half a second fills the grid once.
const FIRST_SHIFT: u32 = 24;

/// Where the epochs of one process lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    origin: Time,
    shift: u32,
}

impl Grid {
    pub(super) fn new(origin: Time) -> Self {
        Grid { origin, shift: FIRST_SHIFT }
    }

    /// The epoch of a time; widens the epochs until it is one of [`EPOCHS`].
    #[inline]
    pub(super) fn reach(&mut self, time: Time) -> u8 {
        let since = time.0.saturating_sub(self.origin.0);
        while since >> self.shift >= EPOCHS as u64 {
            self.shift += 1;
        }
        (since >> self.shift) as u8
    }

    /// The epoch of a time that was reached before.
    #[inline]
    pub(super) fn index(&self, time: Time) -> u8 {
        let since = time.0.saturating_sub(self.origin.0);
        (since >> self.shift).min(EPOCHS as u64 - 1) as u8
    }

    /// The number of the epoch that a time within the observation is in.
    pub fn epoch(&self, time: Time) -> usize {
        self.index(time).into()
    }

    pub(super) fn shift(&self) -> u32 {
        self.shift
    }

    /// When the first epoch begins.
    pub fn origin(&self) -> Time {
        self.origin
    }

    /// Width of an epoch in nanoseconds.
    pub fn width(&self) -> u64 {
        1 << self.shift.min(63)
    }

    /// Width of an epoch in seconds.
    pub fn width_s(&self) -> f64 {
        self.width() as f64 / 1e9
    }

    /// When an epoch begins.
    pub fn start(&self, epoch: usize) -> Time {
        let since = (epoch as u128) << self.shift;
        Time(self.origin.0.saturating_add(u64::try_from(since).unwrap_or(u64::MAX)))
    }
}
