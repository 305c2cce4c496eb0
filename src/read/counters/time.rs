//! When a row was written: `MM/DD/YYYY HH:MM:SS.mmm`, in every language, by the local clock.

use crate::event::Time;

/// Nanoseconds of a minute.
const MINUTE: i64 = 60_000_000_000;

/// Nanoseconds since 1970-01-01 by the clock on the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WallClock(pub i64);

impl WallClock {
    /// Reads a row's first field.
    pub(super) fn read(text: &str) -> Option<WallClock> {
        let (date, time) = text.trim().split_once(' ')?;
        let mut date = date.split('/').map(|part| part.parse::<i64>().ok());
        let (month, day, year) = (date.next()??, date.next()??, date.next()??);
        let (time, fraction) = time.trim().split_once(['.', ',']).unwrap_or((time.trim(), "0"));
        let mut time = time.split(':').map(|part| part.parse::<i64>().ok());
        let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
        let digits = fraction.len();
        let fraction = fraction.parse::<i64>().ok()?;
        let is_time =
            (0..24).contains(&hour) && (0..60).contains(&minute) && (0..61).contains(&second);
        let is_date =
            (1..=12).contains(&month) && (1..=31).contains(&day) && (1980..2200).contains(&year);
        if !is_time || !is_date || !(1..=9).contains(&digits) || fraction < 0 {
            return None;
        }
        let nanoseconds = fraction * 10i64.pow(9 - u32::try_from(digits).ok()?);
        let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
        Some(WallClock(seconds * 1_000_000_000 + nanoseconds))
    }

    /// The time since another; `None` where it is earlier.
    pub(super) fn since(self, began: WallClock) -> Option<Time> {
        u64::try_from(self.0 - began.0).ok().map(Time)
    }

    /// Nanoseconds since 1970-01-01 UTC, so many minutes west of which the clock is.
    pub(super) fn unix_ns(self, bias_minutes: i32) -> i64 {
        self.0.saturating_add(i64::from(bias_minutes) * MINUTE)
    }
}

/// Days since 1970-01-01, by the algorithm known as days_from_civil.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_days() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2000, 3, 1), 11_017);
        assert_eq!(days(2004, 2, 29), 12_477);
        let at = |text| WallClock::read(text).map(|clock| clock.unix_ns(-60));
        assert_eq!(at("01/01/1970 01:00:00.000"), None, "before there were such logs");
        assert_eq!(at("11/14/2023 23:13:20.500"), Some(1_700_000_000_500_000_000));
        for text in ["", "14/11/2023 23:13:20.5", "11/14/2023", "11/14/2023 25:00:00.0", "x y"] {
            assert_eq!(at(text), None, "{text}");
        }
    }
}
