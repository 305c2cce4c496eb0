//! Which times records can have. One flipped bit may put a record years ahead, and whatever follows would be late.

use super::held::Place;
use super::logfile::Logfile;
use super::record::Ticks;

/// Records are taken to be logged no longer than this before a session's beginning and after its end, in seconds.
const SLACK: u64 = 24 * 60 * 60;
/// A session of which the end is not known is taken to have lasted no longer, in seconds.
const LONGEST: u64 = 366 * SLACK;
/// Times that go forth and back within a buffer by more than this are damage, in seconds.
const JUMP: u64 = 1;

/// Which times records can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub first: Ticks,
    pub last: Ticks,
    jump: u64,
}

impl Default for Times {
    /// Any.
    fn default() -> Self {
        Self { first: Ticks(0), last: Ticks(u64::MAX), jump: u64::MAX }
    }
}

impl Times {
    /// Those of a log's records, by what it says of itself.
    pub fn of(about: &Logfile) -> Self {
        let Some(hertz) = about.hertz() else { return Self::default() };
        let lasted = match about.ended {
            Some(ended) if ended >= about.started => {
                let lasted = u128::from(ended.0 - about.started.0) * u128::from(hertz) / 10_000_000;
                u64::try_from(lasted).unwrap_or(u64::MAX)
            }
            _ => hertz.saturating_mul(LONGEST),
        };
        let slack = hertz.saturating_mul(SLACK);
        Self {
            first: Ticks(about.first.0.saturating_sub(slack)),
            last: Ticks(about.first.0.saturating_add(lasted).saturating_add(slack)),
            jump: hertz.saturating_mul(JUMP),
        }
    }

    /// Gives records the time of the one before whose own cannot be, and says how many. `places` are those of one
    /// buffer, in the order in which they lie there.
    pub fn mend(&self, places: &mut [Place]) -> u64 {
        let outside = |time: Ticks| time < self.first || time > self.last;
        let all_outside = places.iter().filter(|place| outside(place.time)).count();
        // If most are outside, what the log says of its times is wrong.
        let trusted = all_outside * 2 < places.len();
        let outside = |time: Ticks| trusted && outside(time);
        let mut mended = 0;
        let good = |place: &&Place| !outside(place.time);
        // Of the first two, since there is none before the first.
        let first = places.iter().filter(good).take(2).map(|place| place.time);
        let mut before = first.min();
        for n in 0..places.len() {
            let next = places.get(n + 1).filter(good).map(|place| place.time);
            let Some((place, before)) = places.get_mut(n).zip(before.as_mut()) else { break };
            let time = place.time;
            let follows = next.is_some_and(|next| next >= *before);
            let peak = next.is_some_and(|next| time.0.saturating_sub(next.0) > self.jump);
            let dip = before.0.saturating_sub(time.0) > self.jump;
            if outside(time) || (follows && (peak || dip)) {
                place.time = *before;
                mended += 1;
            } else {
                *before = time;
            }
        }
        mended
    }
}
