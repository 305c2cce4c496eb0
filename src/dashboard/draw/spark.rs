//! Curves and bars of block characters.

use ratatui::text::Line;

use super::theme::Theme;
use super::{cell, cut, size};
use crate::report::model::{Bar, LiveSpan};
use crate::report::text::units::{count, duration};

const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Values over time in so many columns, each column the highest of its span; from 0 where `from_zero`, else from the least.
pub(super) fn spark(points: &[(f64, u64)], columns: usize, from_zero: bool) -> String {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return String::new() };
    let highest = points.iter().map(|point| point.1).max().unwrap_or(0);
    let least = if from_zero { 0 } else { points.iter().map(|point| point.1).min().unwrap_or(0) };
    let span = (last.0 - first.0).max(f64::MIN_POSITIVE);
    let mut cells: Vec<Option<u64>> = vec![None; columns];
    for (at, value) in points {
        let column = ((at - first.0) / span * columns as f64) as usize;
        if let Some(cell) = cells.get_mut(column.min(columns.saturating_sub(1))) {
            *cell = Some(cell.unwrap_or(0).max(*value));
        }
    }
    let mut before = first.1;
    let drawn = cells.into_iter().map(|value| {
        // Nothing was measured there: it is as it was.
        before = value.unwrap_or(before);
        let share = (before - least) as f64 / (highest - least).max(1) as f64;
        STEPS[((share * 7.0).round() as usize).min(7)]
    });
    drawn.collect()
}

/// The live set over time.
pub(super) fn live(spans: &[LiveSpan], columns: usize, theme: Theme) -> Vec<Line<'static>> {
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return Vec::new() };
    let points: Vec<(f64, u64)> =
        spans.iter().map(|span| (span.from_s, span.high_blocks)).collect();
    let highest = points.iter().map(|point| point.1).max().unwrap_or(0);
    let text = format!(
        "  Live blocks, 0 to {}, from {} to {}",
        count(highest),
        duration(first.from_s),
        duration(last.to_s)
    );
    let curve = spark(&points, columns.saturating_sub(4).min(100), true);
    vec![cut(&text, columns), Line::from(format!("  {curve}")).style(theme.curve())]
}

/// A histogram: a line for each bar.
pub(super) fn histogram(
    title: &str,
    bars: &[Bar],
    say: impl Fn(u64) -> String,
    columns: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    let Some(most) = bars.iter().map(|bar| bar.count).max().filter(|most| *most > 0) else {
        return Vec::new();
    };
    let room = columns.saturating_sub(44).clamp(4, 60);
    let mut lines = vec![cut(&format!("  {title}"), columns)];
    for bar in bars {
        // What is there is to be seen.
        let length = (bar.count as u128 * room as u128 / u128::from(most)) as usize;
        let span = format!("{} to {}", say(bar.from), say(bar.to));
        let text = format!(
            "  {} {} {}",
            cell(&span, 24, true),
            cell(&count(bar.count), 13, true),
            "█".repeat(length.max(usize::from(bar.count > 0)))
        );
        lines.push(cut(&text, columns).style(theme.curve()));
    }
    lines
}

/// Bytes of a bar.
pub(super) fn of_size(n: u64) -> String {
    size(n)
}

/// Nanoseconds of a bar.
pub(super) fn of_time(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{} us", ns / 1_000),
        _ => duration(ns as f64 / 1e9).replace('\u{a0}', " "),
    }
}
