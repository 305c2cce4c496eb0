//! The table of suspects.

use ratatui::text::{Line, Span};

use super::theme::Theme;
use super::{cell, cut, size};
use crate::dashboard::State;
use crate::dashboard::changes::Change;
use crate::dashboard::snapshot::Shown;
use crate::fixes::Status;
use crate::report::model::{Kind, Suspect};
use crate::report::text::units::{duration, percent};

/// From this width on a fix is named.
const WIDE: usize = 100;

pub(super) fn lines(state: &State, shown: &Shown, theme: Theme) -> Vec<Line<'static>> {
    let columns = usize::from(state.size.0);
    let table = &state.table;
    let place = table.place(shown).map_or(0, |at| at + 1);
    let order = if table.reversed { ", reversed" } else { "" };
    let filter = match table.filter.as_str() {
        "" => String::new(),
        filter => format!(", filtered by \"{filter}\""),
    };
    let text =
        format!(" {place} of {}, by {}{order}{filter}", table.rows.len(), table.column.name());
    let widths = Widths::of(columns);
    let head = widths.row([
        "",
        "verdict",
        "sure",
        if widths.wide { "module and version" } else { "module" },
        "function",
        "live",
        "per min",
        "age",
        "fix",
    ]);
    let mut lines = vec![cut(&text, columns), Line::from(head).style(theme.strong())];
    if table.rows.is_empty() {
        let text = match table.filter.is_empty() {
            true => " No suspect so far. The overview says what could have been seen.",
            false => " No suspect matches the filter; Esc clears it.",
        };
        lines.push(cut(text, columns));
    }
    let room = state.height().saturating_sub(lines.len());
    for at in table.rows.iter().skip(table.top).take(room) {
        let (Some(suspect), Some(key)) = (shown.report.suspects.get(*at), shown.key(*at)) else {
            continue;
        };
        let change = state.changes.of(key, shown.at_s);
        lines.push(row(suspect, change, table.selected == Some(key), &widths, shown.at_s, theme));
    }
    lines
}

fn row(
    suspect: &Suspect,
    change: Change,
    selected: bool,
    widths: &Widths,
    now: f64,
    theme: Theme,
) -> Line<'static> {
    let pointer = if selected { ">" } else { " " };
    let change = match change {
        Change::None => " ",
        Change::New => "+",
        Change::Worse => "^",
    };
    let verdict = match suspect.kind {
        Kind::Leak => "leak",
        Kind::Growth => "growth",
        Kind::OverRelease => "freed x2",
    };
    let version = suspect.module.version.as_deref().unwrap_or("?");
    let growth = match suspect.growth_bytes_per_s {
        _ if suspect.kind == Kind::OverRelease => "-".to_owned(),
        rate if rate.is_nan() => "unknown".to_owned(),
        rate => size((rate * 60.0).max(0.0) as u64),
    };
    let live = match suspect.estimated {
        true => format!("~{}", size(suspect.live_bytes)),
        false => size(suspect.live_bytes),
    };
    let text = widths.row([
        &format!("{pointer}{change}"),
        verdict,
        &percent(suspect.confidence),
        &format!("{} {version}", suspect.module.name),
        &suspect.function,
        &live,
        &growth,
        &duration(now - suspect.since_s),
        &fix(suspect, widths.wide),
    ]);
    let style = match (selected, change) {
        (true, _) => theme.chosen(),
        (false, "^") => theme.alarm(),
        (false, "+") => theme.warning(),
        _ => theme.plain(),
    };
    Line::from(Span::styled(text, style))
}

/// The best fix that says anything to do or to know.
fn fix(suspect: &Suspect, wide: bool) -> String {
    let best = suspect.fixes.iter().filter(|fix| fix.status != Status::DoesNotApply);
    let Some(best) = best.min_by_key(|fix| fix.status) else { return "-".to_owned() };
    let status = match best.status {
        Status::Applies => "yes",
        Status::SwitchMissing => "switch",
        Status::Possible => "maybe",
        Status::AlreadyFixed => "has it",
        Status::DoesNotApply => "-",
    };
    if wide { format!("{status}: {}", best.id) } else { status.to_owned() }
}

/// How wide the columns are.
struct Widths {
    each: [usize; 9],
    wide: bool,
}

impl Widths {
    fn of(columns: usize) -> Widths {
        let wide = columns >= WIDE;
        let fixed = [2, 8, 5, 0, 0, 8, 8, 8, if wide { 24 } else { 6 }];
        let left = columns.saturating_sub(fixed.iter().sum::<usize>() + 8);
        let module = left * 2 / 5;
        let mut each = fixed;
        (each[3], each[4]) = (module, left - module);
        Widths { each, wide }
    }

    fn row(&self, cells: [&str; 9]) -> String {
        let right = [false, false, true, false, false, true, true, true, false];
        let cells = (0..9).map(|at| cell(cells[at], self.each[at], right[at]));
        cells.collect::<Vec<_>>().join(" ")
    }
}
