//! Markdown tables, and targets as met or not met.

use std::fmt::Write as _;

/// A table in the making.
#[derive(Debug)]
pub struct Table {
    text: String,
    columns: usize,
}

impl Table {
    /// With these headings.
    pub fn new(headings: &[&str]) -> Table {
        let rule = "|---".repeat(headings.len());
        Table { text: format!("| {} |\n{rule}|\n", headings.join(" | ")), columns: headings.len() }
    }

    /// One more row.
    pub fn row(&mut self, cells: &[String]) {
        assert_eq!(cells.len(), self.columns, "{cells:?}");
        let _ = writeln!(self.text, "| {} |", cells.join(" | "));
    }

    /// As Markdown.
    pub fn finish(self) -> String {
        self.text
    }
}

/// What stands where nothing was measured.
pub fn none() -> String {
    "-".to_owned()
}

/// A value that must not be above a bound, said in words.
pub fn at_most(value: f64, bound: f64, said: &str) -> String {
    judged(value <= bound, "≤", said)
}

/// A value that must not be below a bound, said in words.
pub fn at_least(value: f64, bound: f64, said: &str) -> String {
    judged(value >= bound, "≥", said)
}

fn judged(met: bool, sign: &str, said: &str) -> String {
    format!("{sign} {said}: {}", if met { "met" } else { "**not met**" })
}

/// A size in KiB or MiB.
pub fn size(bytes: f64) -> String {
    let kib = bytes / 1024.0;
    if kib.abs() < 10_000.0 { format!("{kib:.0} KiB") } else { format!("{:.1} MiB", kib / 1024.0) }
}
