//! One suspect: what the report says of it in full, and its history as curves and bars.

use ratatui::text::Line;

use super::spark::{histogram, live, of_size, of_time};
use super::theme::Theme;
use super::{cut, size};
use crate::dashboard::{Snapshot, State};
use crate::report::text::render_suspect;
use crate::report::text::style::{Detail, Style};

pub(super) fn lines(state: &State, shown: &Snapshot, theme: Theme) -> Vec<Line<'static>> {
    let columns = usize::from(state.size.0);
    let Some((at, suspect)) = state.selected() else {
        let gone = state.table.selected.is_some();
        let text = if gone { " It is no suspect any more." } else { " No suspect is selected." };
        return vec![Line::from(text)];
    };
    let style = Style { width: columns, color: false, detail: Detail::Full };
    let text = render_suspect(&shown.report, at, style);
    let mut said = text.lines().map(|line| cut(line, columns));
    let mut lines: Vec<Line<'static>> = said.next().into_iter().collect();
    if let Some(first) = lines.first_mut() {
        *first = std::mem::take(first).style(theme.strong());
    }
    if let Some(more) = state.since_mark() {
        let sign = if more < 0 { "-" } else { "+" };
        let text = format!("  Since mark    {sign}{} live", size(more.unsigned_abs()));
        lines.push(cut(&text, columns));
    }
    lines.extend(live(&suspect.history.live, columns, theme));
    lines.extend(said);
    let history = &suspect.history;
    lines.extend(histogram("Sizes of its blocks", &history.sizes, of_size, columns, theme));
    let title = "Lifetimes of those that were freed";
    lines.extend(histogram(title, &history.lifetimes, of_time, columns, theme));
    lines
}
