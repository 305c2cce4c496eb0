//! Numbers as people read them: `1,234`, `12 KiB`, `3 m 20 s`, `12 KiB/s`. Rounding is to what
//! decides something; exact values are in the JSON. Between a number and its unit stands a
//! no-break space, which the page keeps together and writes as a plain one.

/// Thousands apart: `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number and its noun: `1 block`, `2 blocks`.
pub fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// Bytes in binary units: `1,023 B`, `1.5 KiB`, `12 MiB`.
pub fn bytes(n: u64) -> String {
    if n < 1024 { format!("{n}\u{a0}B") } else { scaled(n as f64) }
}

/// A text, and how far off it may be: `about 12.3 MiB ± 0.8 MiB`.
pub fn about(text: String, off: Option<String>) -> String {
    match off {
        None => text,
        Some(off) => format!("about\u{a0}{text}\u{a0}\u{b1}\u{a0}{off}"),
    }
}

/// A number, counted or estimated: `1,234`, `about 1,234 ± 56`.
pub fn count_about(n: u64, off: Option<f64>) -> String {
    about(count(n), off.map(|off| count(off.ceil() as u64)))
}

/// Bytes, counted or estimated.
pub fn bytes_about(n: u64, off: Option<f64>) -> String {
    about(bytes(n), off.map(|off| bytes(off.ceil() as u64)))
}

/// A rate, measured or estimated.
pub fn rate_about(bytes_per_s: f64, off: Option<f64>) -> String {
    about(rate(bytes_per_s), off.map(rate))
}

/// A rate: `12 KiB/s`, `0.25 B/s`.
pub fn rate(bytes_per_s: f64) -> String {
    let size = bytes_per_s.abs();
    let sign = if bytes_per_s < 0.0 { "-" } else { "" };
    if !size.is_finite() {
        return "unknown".to_owned();
    }
    if size == 0.0 {
        return "0\u{a0}B/s".to_owned();
    }
    if size < 0.01 {
        return "less than 0.01\u{a0}B/s".to_owned();
    }
    if size < 1024.0 {
        return format!("{sign}{}\u{a0}B/s", three_digits(size));
    }
    format!("{sign}{}/s", scaled(size))
}

/// What a rate comes to in a day: `101 MiB`.
pub fn per_day(bytes_per_s: f64) -> String {
    // The cast saturates: what is beyond all memory is shown as the largest number there is.
    bytes((bytes_per_s.max(0.0) * 86_400.0) as u64)
}

/// Seconds: `350 ms`, `12 s`, `3 m 20 s`, `2 h 5 m`, `3 d 4 h`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "unknown".to_owned();
    }
    if seconds < 1.0 {
        return match (seconds * 1000.0).round() as u64 {
            1000 => "1\u{a0}s".to_owned(),
            ms => format!("{ms}\u{a0}ms"),
        };
    }
    if seconds < 9.95 {
        return format!("{}\u{a0}s", trimmed(seconds, 1));
    }
    let whole = seconds.round() as u64;
    let (large, large_unit, small, small_unit) = match whole {
        0..60 => return format!("{whole}\u{a0}s"),
        60..3_600 => (whole / 60, "m", whole % 60, "s"),
        3_600..86_400 => (whole / 3_600, "h", whole % 3_600 / 60, "m"),
        _ => (whole / 86_400, "d", whole % 86_400 / 3_600, "h"),
    };
    if small == 0 {
        format!("{}\u{a0}{large_unit}", count(large))
    } else {
        format!("{}\u{a0}{large_unit} {small}\u{a0}{small_unit}", count(large))
    }
}

/// A share or a confidence. Never rounded up to 100 %, nor down to 0 %.
pub fn percent(share: f64) -> String {
    let percent = (share * 100.0).clamp(0.0, 100.0);
    match percent {
        p if p > 0.0 && p < 1.0 => "under 1\u{a0}%".to_owned(),
        p if p < 100.0 => format!("{}\u{a0}%", (p.round() as u64).min(99)),
        _ => "100\u{a0}%".to_owned(),
    }
}

/// A plain number: at most three digits that say something, thousands apart.
pub fn number(value: f64) -> String {
    if value.is_finite() && value.abs() >= 1000.0 {
        let sign = if value < 0.0 { "-" } else { "" };
        return format!("{sign}{}", count(value.abs().round() as u64));
    }
    three_digits(value)
}

fn scaled(size: f64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut size = size / 1024.0;
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        // 1,023.9 is written 1024: the next unit then says it better.
        if size < 1023.5 {
            break;
        }
        size /= 1024.0;
        unit = next;
    }
    format!("{}\u{a0}{unit}", three_digits(size))
}

fn three_digits(value: f64) -> String {
    let decimals = match value.abs() {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    trimmed(value, decimals)
}

/// Without the zeros that say nothing: `1.5`, not `1.50`.
fn trimmed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_read_them() {
        let plain = |text: String| text.replace('\u{a0}', " ");
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "block", "blocks"), "1 block");
        assert_eq!(plain(bytes(1023)), "1023 B");
        assert_eq!(plain(bytes(1536)), "1.5 KiB");
        assert_eq!(plain(bytes(1024 * 1024 - 1)), "1 MiB");
        assert_eq!(plain(bytes(u64::MAX)), "16 EiB");
        assert_eq!(plain(rate(0.0)), "0 B/s");
        assert_eq!(plain(rate(0.25)), "0.25 B/s");
        assert_eq!(plain(rate(0.001)), "less than 0.01 B/s");
        assert_eq!(plain(rate(12.0 * 1024.0)), "12 KiB/s");
        assert_eq!(plain(rate(-2048.0)), "-2 KiB/s");
        assert_eq!(plain(rate(f64::NAN)), "unknown");
        assert_eq!(plain(per_day(1024.0)), "84.4 MiB");
        assert_eq!(plain(duration(0.35)), "350 ms");
        assert_eq!(plain(duration(0.9999)), "1 s");
        assert_eq!(plain(duration(2.5)), "2.5 s");
        assert_eq!(plain(duration(59.6)), "1 m");
        assert_eq!(plain(duration(200.0)), "3 m 20 s");
        assert_eq!(plain(duration(7_500.0)), "2 h 5 m");
        assert_eq!(plain(duration(273_600.0)), "3 d 4 h");
        assert_eq!(plain(percent(0.999)), "99 %");
        assert_eq!(plain(percent(1.0)), "100 %");
        assert_eq!(plain(percent(0.001)), "under 1 %");
        assert_eq!(plain(percent(0.0)), "0 %");
        assert_eq!(number(1234.4), "1,234");
        assert_eq!(number(0.5), "0.5");
    }
}
