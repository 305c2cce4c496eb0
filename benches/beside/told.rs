//! The tables, as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::named::{Named, Row, leaks};
use crate::programs::BEHAVIOURS;

/// Innocent functions that every program has.
const COMMON: usize = 4;

/// Whom each row's tool named in each program.
#[derive(Debug, Default)]
pub struct Table(Vec<(Row, BTreeMap<&'static str, Named>)>);

impl Table {
    /// Takes in one run.
    pub fn add(&mut self, row: Row, behaviour: &'static str, named: Named) {
        let at = self.0.iter().position(|(known, _)| *known == row).unwrap_or_else(|| {
            self.0.push((row, BTreeMap::new()));
            self.0.len() - 1
        });
        self.0[at].1.insert(behaviour, named);
    }

    /// The sums of each tool, and then program by program.
    pub fn told(&self, seconds: u64, tidy: bool) -> String {
        let ends =
            if tidy { "free what they refer to before they exit" } else { "exit as they are" };
        let guilty = BEHAVIOURS.iter().filter(|name| leaks(name)).count();
        let innocent = BEHAVIOURS.len() * COMMON + BEHAVIOURS.len() - guilty;
        let mut text = format!(
            "Programs that run {seconds} s and {ends}:\n\n\
             | tool | leaks named, of {guilty} | innocent functions named, of {innocent} | precision | recall |\n\
             |---|---|---|---|---|\n"
        );
        for (row, named) in &self.0 {
            let true_ones: usize = named.values().map(Named::guilty).sum();
            let wrong: usize = named.values().map(Named::innocent).sum();
            let precision = match true_ones + wrong {
                0 => "-".to_owned(),
                all => format!("{:.2}", true_ones as f64 / all as f64),
            };
            let recall = true_ones as f64 / guilty as f64;
            let _ = writeln!(
                text,
                "| {} | {true_ones} | {wrong} | {precision} | {recall:.2} |",
                row.name
            );
        }
        let columns: Vec<_> =
            self.0.iter().filter_map(|(row, named)| Some((row.column?, named))).collect();
        let headings: Vec<&str> = columns.iter().map(|(column, _)| *column).collect();
        let _ = writeln!(text, "\n| program | {} |", headings.join(" | "));
        let _ = writeln!(text, "|{}", "---|".repeat(columns.len() + 1));
        for behaviour in BEHAVIOURS {
            let cells: Vec<String> =
                columns.iter().map(|(_, named)| cell(behaviour, named.get(behaviour))).collect();
            let _ = writeln!(text, "| `{behaviour}` | {} |", cells.join(" | "));
        }
        text
    }
}

/// Whether the leak was named, and how many innocent functions.
fn cell(behaviour: &str, named: Option<&Named>) -> String {
    let Some(named) = named else { return "-".to_owned() };
    let leak = match (leaks(behaviour), named.guilty()) {
        (false, _) => "",
        (true, 0) => "missed",
        (true, _) => "found",
    };
    match (leak, named.innocent()) {
        ("", 0) => "none".to_owned(),
        (leak, 0) => leak.to_owned(),
        ("", wrong) => format!("{wrong} wrong"),
        (leak, wrong) => format!("{leak}, {wrong} wrong"),
    }
}
