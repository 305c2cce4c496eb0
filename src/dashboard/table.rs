//! The table of suspects: order, filter and selection. What is selected is a suspect, not a row: it stays selected, and in
//! its line on the screen, whatever comes before it.

use std::cmp::Ordering;

use super::snapshot::{Shown, SuspectKey};
use crate::report::model::Suspect;

/// By what the table is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Column {
    /// As in the report: the most important first.
    #[default]
    Importance,
    Confidence,
    Module,
    Function,
    Live,
    Growth,
    Age,
}

impl Column {
    const ALL: [Column; 7] = [
        Column::Importance,
        Column::Confidence,
        Column::Module,
        Column::Function,
        Column::Live,
        Column::Growth,
        Column::Age,
    ];

    /// Its name, for the screen.
    pub(super) fn name(self) -> &'static str {
        match self {
            Column::Importance => "importance",
            Column::Confidence => "confidence",
            Column::Module => "module",
            Column::Function => "function",
            Column::Live => "live bytes",
            Column::Growth => "growth",
            Column::Age => "age",
        }
    }

    fn next(self) -> Column {
        let at = Column::ALL.iter().position(|column| *column == self).unwrap_or(0);
        Column::ALL[(at + 1) % Column::ALL.len()]
    }

    /// The largest and the oldest first, names from A.
    fn order(self, a: &Suspect, b: &Suspect) -> Ordering {
        match self {
            Column::Importance => Ordering::Equal,
            Column::Confidence => b.confidence.total_cmp(&a.confidence),
            Column::Module => a.module.name.cmp(&b.module.name),
            Column::Function => a.function.cmp(&b.function),
            Column::Live => b.live_bytes.cmp(&a.live_bytes),
            Column::Growth => b.growth_bytes_per_s.total_cmp(&a.growth_bytes_per_s),
            Column::Age => a.since_s.total_cmp(&b.since_s),
        }
    }
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) column: Column,
    pub(super) reversed: bool,
    /// What is looked for, in lower case.
    pub(super) filter: String,
    pub(super) selected: Option<SuspectKey>,
    /// Indices into the report's suspects, in the order shown.
    pub(super) rows: Vec<usize>,
    /// The first row on the screen.
    pub(super) top: usize,
}

impl Table {
    /// Sorts and filters anew. `height` is how many rows fit on the screen. `before` is the snapshot that the rows are of.
    pub(super) fn arrange(&mut self, before: &Shown, now: &Shown, height: usize) {
        let line = self.place(before).map(|place| place.saturating_sub(self.top));
        let suspects = &now.report.suspects;
        let mut rows: Vec<usize> =
            (0..suspects.len()).filter(|at| self.matches(&suspects[*at])).collect();
        rows.sort_by(|a, b| self.column.order(&suspects[*a], &suspects[*b]));
        if self.reversed {
            rows.reverse();
        }
        self.rows = rows;
        match (self.place(now), line) {
            (Some(place), Some(line)) => self.top = place.saturating_sub(line),
            (Some(_), None) => {}
            // It is gone: what took its place, or the first.
            (None, line) => self.select(now, self.top.saturating_add(line.unwrap_or(0))),
        }
        self.show(now, height);
    }

    /// The selected row.
    pub(super) fn place(&self, snapshot: &Shown) -> Option<usize> {
        let (at, _) = snapshot.find(self.selected?)?;
        self.rows.iter().position(|row| *row == at)
    }

    /// Selects a row, or the last.
    pub(super) fn select(&mut self, snapshot: &Shown, row: usize) {
        let row = self.rows.get(row).or(self.rows.last());
        self.selected = row.and_then(|at| snapshot.key(*at));
    }

    /// Moves the selection.
    pub(super) fn step(&mut self, snapshot: &Shown, by: isize, height: usize) {
        let at = self.place(snapshot).unwrap_or(0);
        self.select(snapshot, at.saturating_add_signed(by));
        self.show(snapshot, height);
    }

    /// Sorts by the next column.
    pub(super) fn next_column(&mut self) {
        (self.column, self.reversed) = (self.column.next(), false);
    }

    /// Brings the selected row onto the screen.
    fn show(&mut self, snapshot: &Shown, height: usize) {
        let last = self.rows.len().saturating_sub(height.max(1));
        let place = self.place(snapshot).unwrap_or(0);
        let least = (place + 1).saturating_sub(height.max(1));
        self.top = self.top.clamp(least, place.max(least)).min(last.max(least));
    }

    fn matches(&self, suspect: &Suspect) -> bool {
        let version = suspect.module.version.as_deref().unwrap_or("");
        let fixes = suspect.fixes.iter().map(|fix| fix.id.as_str());
        let texts = [&suspect.function, &suspect.module.name, &suspect.verdict, &suspect.process];
        let texts = texts.into_iter().map(String::as_str).chain([version]).chain(fixes);
        self.filter.is_empty()
            || texts.map(str::to_lowercase).any(|text| text.contains(&self.filter))
    }
}
