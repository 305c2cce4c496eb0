//! Times of a trace as people on the traced machine read them off a clock.

use crate::event::Time;

const SECOND: i128 = 1_000_000_000;
const MINUTE: i128 = 60 * SECOND;
const DAY: i128 = 24 * 60 * MINUTE;

/// Up to this length of a trace its minutes are too coarse to tell.
const SHORT: i128 = 10 * MINUTE;

/// A trace's place in time.
#[derive(Clone, Copy, Debug)]
pub struct TimeOfDay {
    /// Local nanoseconds since 1970 at which its time 0 was; `None` where that is not known.
    began: Option<i128>,
    /// How long it is.
    length: i128,
}

impl TimeOfDay {
    /// Of a trace that began so, and is so long. Local time is that of its beginning, whatever came later (daylight
    /// saving).
    pub fn new(started_unix_ns: i64, utc_offset_minutes: i32, length: Time) -> TimeOfDay {
        let local = i128::from(started_unix_ns) + i128::from(utc_offset_minutes) * MINUTE;
        TimeOfDay { began: (started_unix_ns > 0).then_some(local), length: length.0.into() }
    }

    /// `10:02`; with seconds in a short trace, with the date in one of a day or more. Where nobody knows
    /// when the trace began, seconds after that.
    pub fn say(&self, time: Time) -> String {
        let Some(began) = self.began else { return format!("{:.1} s", time.seconds()) };
        let at = began + i128::from(time.0);
        let (day, within) = (at.div_euclid(DAY), at.rem_euclid(DAY));
        let (hour, minute) = (within / (60 * MINUTE), within / MINUTE % 60);
        if self.length >= DAY {
            let (year, month, day) = date(day);
            format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}")
        } else if self.length < SHORT {
            format!("{hour:02}:{minute:02}:{:02}", within / SECOND % 60)
        } else {
            format!("{hour:02}:{minute:02}")
        }
    }
}

/// Year, month and day of a number of days since 1970, in years that begin in March, so that the day that some have more is
/// their last.
fn date(days: i128) -> (i128, i128, i128) {
    const CYCLE: i128 = 146_097;
    // Days since the first of March of year 0.
    let days = days + 719_468;
    let (cycle, within) = (days.div_euclid(CYCLE), days.rem_euclid(CYCLE));
    let year = (within - within / 1460 + within / 36_524 - within / 146_096) / 365;
    let of_year = within - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let january = month >= 10;
    let year = cycle * 400 + year + i128::from(january);
    (year, if january { month - 9 } else { month + 3 }, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-17 10:02:31 UTC.
    const STARTED: i64 = 1_768_644_151 * 1_000_000_000;
    const HOUR: u64 = 3_600_000_000_000;

    #[test]
    fn a_time_is_told_as_finely_as_the_trace_is_long() {
        let say = |length, time| TimeOfDay::new(STARTED, 60, Time(length)).say(Time(time));
        assert_eq!(say(HOUR / 60, 1_500_000_000), "11:02:32");
        assert_eq!(say(HOUR, HOUR / 2), "11:32");
        assert_eq!(say(20 * HOUR, 14 * HOUR), "01:02");
        assert_eq!(say(48 * HOUR, 14 * HOUR), "2026-01-18 01:02");
        // Behind UTC it may still be the day before.
        let west = TimeOfDay::new(STARTED, -11 * 60, Time(48 * HOUR));
        assert_eq!(west.say(Time(0)), "2026-01-16 23:02");
    }

    #[test]
    fn an_unknown_beginning_leaves_seconds() {
        for started in [0, -1, i64::MIN] {
            assert_eq!(TimeOfDay::new(started, 0, Time(HOUR)).say(Time(10_400_000_000)), "10.4 s");
        }
        // Whatever a trace says, there is an answer.
        let last = TimeOfDay::new(i64::MAX, i32::MAX, Time(u64::MAX)).say(Time(u64::MAX));
        assert!(last.starts_with("6"), "{last}");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (days, expected) in [
            (0, (1970, 1, 1)),
            (59, (1970, 3, 1)),
            (789, (1972, 2, 29)),
            (11_016, (2000, 2, 29)),
            (20_452, (2025, 12, 30)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(date(days), expected);
        }
    }
}
