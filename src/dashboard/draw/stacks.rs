//! The flame graph, from the outermost caller down. Each bar is as wide as its share of the live bytes.

use ratatui::text::{Line, Span};

use super::theme::Theme;
use super::{cell, cut, size};
use crate::dashboard::flame::Bar;
use crate::dashboard::{Snapshot, State};
use crate::report::text::units::percent;

pub(super) fn lines(state: &State, shown: &Snapshot, theme: Theme) -> Vec<Line<'static>> {
    let columns = usize::from(state.size.0);
    let Some(flame) = &shown.flame else {
        return vec![Line::from(" The stacks are being collected.")];
    };
    let bars = state.way.bars(&state.tree, columns);
    let whole = state.tree.bytes.max(1);
    let chosen = bars.iter().find(|bar| bar.selected).map(|bar| {
        let share = percent(bar.node.bytes as f64 / whole as f64);
        format!(" {} ({share}): {}", size(bar.node.bytes), bar.node.name)
    });
    let by = if state.by_module { "module" } else { "stack" };
    let mut text = format!(" Live bytes by {by}: {} named", size(flame_bytes(&bars, whole)));
    if flame.rest_bytes > 0 {
        text.push_str(&format!(", {} at smaller sites not looked at", size(flame.rest_bytes)));
    }
    let chosen = cut(&chosen.unwrap_or_default(), columns).style(theme.strong());
    let mut lines = vec![cut(&text, columns), chosen];
    let room = state.height().saturating_sub(lines.len());
    for depth in state.way.top..state.way.top.saturating_add(room) {
        let mut level: Vec<&Bar<'_>> = bars.iter().filter(|bar| bar.depth == depth).collect();
        if level.is_empty() {
            break;
        }
        level.sort_by_key(|bar| bar.column);
        lines.push(row(&level, theme));
    }
    lines
}

/// Of what was zoomed to.
fn flame_bytes(bars: &[Bar<'_>], whole: u64) -> u64 {
    bars.iter().find(|bar| bar.depth == 0).map_or(whole, |bar| bar.node.bytes)
}

fn row(level: &[&Bar<'_>], theme: Theme) -> Line<'static> {
    let mut spans = Vec::new();
    let mut at = 0;
    for bar in level {
        spans.push(Span::raw(" ".repeat(bar.column.saturating_sub(at))));
        at = bar.column + bar.width;
        // Brackets tell neighbours apart where there is no colour.
        let text = match bar.width {
            1 => "|".to_owned(),
            width => format!("[{}]", cell(&bar.node.name, width - 2, false)),
        };
        let style = if bar.selected { theme.chosen() } else { theme.depth(bar.depth) };
        spans.push(Span::styled(text, style));
    }
    Line::from(spans)
}
