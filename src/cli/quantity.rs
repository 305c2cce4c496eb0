//! Quantities on the command line: durations (`30s`, `5m`, `1h30m`), sizes (`512`, `64KiB`),
//! shares (`0.8`, `80%`).

use std::time::Duration;

/// Reads a duration: a number of seconds, or numbers with `ms`, `s`, `m`, `h`, `d`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration: write 30s, 5m or 1h30m");
    let mut total = 0.0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let value: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit = &rest[digits..];
        let letters = unit.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(unit.len());
        total += value
            * match &unit[..letters] {
                "" | "s" => 1.0,
                "ms" => 0.001,
                "m" | "min" => 60.0,
                "h" => 3_600.0,
                "d" => 86_400.0,
                _ => return Err(wrong()),
            };
        rest = unit[letters..].trim_start();
    }
    match Duration::try_from_secs_f64(total) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(wrong()),
    }
}

/// Reads a size in bytes: a number, or one with `K`, `KiB`, `M`, `MiB`, `G`, `GiB`.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size: write 4096 or 64KiB");
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let value: u64 = text[..digits].parse().map_err(|_| wrong())?;
    let scale = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => return Err(wrong()),
    };
    value.checked_mul(scale).ok_or_else(wrong)
}

/// The largest mean distance of sampling points that says anything.
const COARSEST: u64 = 1 << 40;

/// Reads how finely to sample: 0 for every allocation, else a size of at least 64 bytes (below, next to
/// every block would be sampled) and at most 1 TiB.
pub fn sampling(text: &str) -> Result<u64, String> {
    match size(text)? {
        0 => Ok(0),
        few @ 1..64 => Err(format!(
            "one of every {few} bytes is nearly every allocation: write 0 to see them all, or 64 or more"
        )),
        bytes @ 64..=COARSEST => Ok(bytes),
        _ => Err(format!("{text:?} samples next to nothing: write at most 1024GiB")),
    }
}

/// Reads a share: 0 to 1, or 0% to 100%.
pub fn share(text: &str) -> Result<f64, String> {
    let (digits, scale) = match text.trim().strip_suffix('%') {
        Some(digits) => (digits.trim(), 100.0),
        None => (text.trim(), 1.0),
    };
    match digits.parse::<f64>() {
        Ok(value) if (0.0..=scale).contains(&value) => Ok(value / scale),
        _ => Err(format!("{text:?} is no confidence: write a number from 0 to 1")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("30").unwrap(), Duration::from_secs(30));
        assert_eq!(duration("1h30m").unwrap(), Duration::from_secs(5_400));
        assert_eq!(duration("250ms").unwrap(), Duration::from_millis(250));
        for wrong in ["", "0", "5x", "-3s", "1e400", "s", "..s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(size("0").unwrap(), 0);
        assert_eq!(size("64KiB").unwrap(), 65_536);
        for wrong in ["", "KiB", "1.5k", "-1", "99999999999999999999", "17179869184g"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn samplings() {
        for (text, bytes) in [("0", 0), ("512KiB", 524_288), ("1M", 1 << 20), ("64", 64)] {
            assert_eq!(sampling(text).unwrap(), bytes);
        }
        assert!(sampling("12").unwrap_err().contains("write 0 to see them all"));
        assert!(sampling("2048GiB").unwrap_err().contains("at most 1024GiB"));
        assert!(sampling("half").unwrap_err().contains("no size"));
    }

    #[test]
    fn shares() {
        assert_eq!(share("0.8").unwrap(), 0.8);
        assert_eq!(share("80%").unwrap(), 0.8);
        for wrong in ["", "80", "-0.1", "101%", "NaN"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }
}
