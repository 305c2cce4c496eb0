//! The fields of a line, and what the first line says.

/// The most fields: a large server has some hundred thousand. What is behind them stays in the last one, which then is
/// no number: each takes more memory than its separator.
const MOST: usize = 1 << 20;

/// Whether a line begins a table.
pub(super) fn is_header(line: &str) -> bool {
    let line = line.trim_start().trim_start_matches('"');
    line.starts_with("(PDH-CSV") || line.starts_with("(PDH-TSV")
}

/// What stands between the fields: what follows the first.
pub(super) fn separator(header: &str) -> char {
    let mut rest = header.trim_start();
    if let Some(quoted) = rest.strip_prefix('"') {
        rest = quoted.split_once('"').map_or("", |(_, rest)| rest);
        return rest.chars().next().unwrap_or(',');
    }
    if rest.starts_with("(PDH-TSV") { '\t' } else { ',' }
}

/// By how many minutes UTC is later than the local clock: the last bracket of `(PDH-CSV 4.0) (W. Europe
/// Standard Time)(-60)`.
pub(super) fn bias_minutes(first: &str) -> Option<i32> {
    let (_, last) = first.trim().strip_suffix(')')?.rsplit_once('(')?;
    last.parse().ok().filter(|bias: &i32| bias.abs() <= 24 * 60)
}

/// The fields of a line: quoted, with quotes in them doubled, or not.
pub(super) fn fields(line: &str, separator: char) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                fields.last_mut().into_iter().for_each(|field| field.push('"'));
            }
            '"' => quoted = !quoted,
            c if c == separator && !quoted && fields.len() < MOST => fields.push(String::new()),
            c => fields.last_mut().into_iter().for_each(|field| field.push(c)),
        }
    }
    fields
}

/// A value; `None` where none was taken: blank, or -1. Some languages write a comma for the point.
pub(super) fn value(field: &str) -> Option<u64> {
    let field = field.trim();
    if field.is_empty() {
        return None;
    }
    let number: f64 = match field.parse() {
        Ok(number) => number,
        Err(_) => field.replace(',', ".").parse().ok()?,
    };
    // The cast saturates; what is no number is none here.
    (number.is_finite() && number >= 0.0).then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_apart() {
        let header = "\"(PDH-CSV 4.0) (W. Europe Standard Time)(-60)\",\"a\"";
        assert!(is_header(header) && !is_header("PDH-CSV"));
        assert_eq!(separator(header), ',');
        assert_eq!(separator("\"(PDH-TSV 4.0)\"\t\"a\""), '\t');
        assert_eq!(separator("(PDH-TSV 4.0)\ta"), '\t');
        assert_eq!(bias_minutes("(PDH-CSV 4.0) (W. Europe Standard Time)(-60)"), Some(-60));
        assert_eq!(bias_minutes("(PDH-CSV 4.0)"), None);
        assert_eq!(fields("\"a,b\",c,\"say \"\"x\"\"\",", ','), ["a,b", "c", "say \"x\"", ""]);
        assert_eq!(fields(&",".repeat(MOST + 9), ',').len(), MOST);
        for (field, number) in [
            ("20261367808.000000", Some(20_261_367_808)),
            (" 12,75", Some(12)),
            ("1e3", Some(1000)),
            (" ", None),
            ("-1", None),
            ("NaN", None),
            ("inf", None),
            ("1.234,5", None),
        ] {
            assert_eq!(value(field), number, "{field}");
        }
    }
}
