//! Draws a [`State`]. Whatever a name contains, and however small the window is, a frame is made: names go through
//! [`safe`], and what does not fit is cut. Sixteen colours at most, none that carries a meaning alone.

mod detail;
mod help;
mod overview;
mod spark;
mod stacks;
mod suspects;
mod theme;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use self::theme::Theme;
use super::state::{ABOVE, BELOW, Played, Prompt, State, View};
use crate::report::text::safe::{escape, fit, width};
use crate::report::text::units::{bytes, count, counted, duration, number};

/// Smaller windows show nothing but that they are too small.
const LEAST: (u16, u16) = (40, 8);

/// A judgement that is older, by the trace's time, says so.
const OLD_S: f64 = 2.0;

/// Draws everything.
pub fn draw(state: &State, frame: &mut Frame<'_>) {
    let area = frame.area();
    let theme = Theme::new(state.setting.color);
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let text = format!("unfreed needs {} x {}", LEAST.0, LEAST.1);
        frame.render_widget(Paragraph::new(text), area);
        return;
    }
    let row = |y: u16| Rect::new(0, y, area.width, 1);
    frame.render_widget(Paragraph::new(titles(state, theme)), row(0));
    frame.render_widget(Paragraph::new(standing(state, theme, area.width.into())), row(1));
    let body = Rect::new(0, ABOVE, area.width, area.height - ABOVE - BELOW);
    let drawn: Vec<Line<'_>> = lines(state);
    let scrolled = !state.help && matches!(state.view, View::Overview | View::Detail);
    let room = usize::from(body.height);
    // The window may have grown since.
    let top = if scrolled { state.top.min(drawn.len().saturating_sub(room)) } else { 0 };
    let shown: Vec<Line<'_>> = drawn.into_iter().skip(top).take(room).collect();
    frame.render_widget(Paragraph::new(shown), body);
    frame.render_widget(Paragraph::new(foot(state, theme)), row(area.height - 1));
}

/// The lines of the view, from its first.
pub(super) fn lines(state: &State) -> Vec<Line<'static>> {
    let theme = Theme::new(state.setting.color);
    let Some(shown) = state.shown.as_ref().filter(|_| !state.help) else {
        return if state.help { help::lines(theme) } else { vec![Line::from(" Nothing yet.")] };
    };
    match state.view {
        View::Overview => overview::lines(state, shown, theme),
        View::Suspects => suspects::lines(state, shown, theme),
        View::Detail => detail::lines(state, shown, theme),
        View::Stacks => stacks::lines(state, shown, theme),
    }
}

/// The titles of the views, each with its columns.
fn title_texts(state: &State) -> Vec<(View, String)> {
    let suspects = state.shown.as_ref().map_or(0, |shown| shown.report.suspects.len());
    let text = |view: View| match view {
        View::Overview => "1 Overview".to_owned(),
        View::Suspects => format!("2 Suspects ({})", count(suspects as u64)),
        View::Detail => "3 Detail".to_owned(),
        View::Stacks => "4 Stacks".to_owned(),
    };
    View::ALL.map(|view| (view, text(view))).into()
}

/// The view whose title is at a column.
pub(super) fn title_at(state: &State, column: usize) -> Option<View> {
    let mut at = 0;
    title_texts(state).into_iter().find_map(|(view, text)| {
        let end = at + text.len() + 2;
        let hit = (at..end).contains(&column);
        at = end;
        hit.then_some(view)
    })
}

fn titles(state: &State, theme: Theme) -> Line<'static> {
    let mut spans: Vec<Span<'_>> = title_texts(state)
        .into_iter()
        .map(|(view, text)| match view == state.view {
            true => Span::styled(format!("[{text}]"), theme.chosen()),
            false => Span::raw(format!(" {text} ")),
        })
        .collect();
    spans.push(Span::styled("  ? help", theme.faint()));
    Line::from(spans)
}

/// What is always to be seen: what is watched, how long, how fast, and what was lost.
fn standing(state: &State, theme: Theme, columns: usize) -> Line<'static> {
    let Some(shown) = &state.shown else {
        return cut(&format!(" {}: waiting for the first events", state.setting.title), columns);
    };
    let losses = &shown.report.losses;
    let mut lost = Vec::new();
    for (n, one, many) in [
        (losses.events, "event", "events"),
        (losses.stacks, "stack", "stacks"),
        (losses.bytes, "byte", "bytes"),
    ] {
        if n > 0 {
            lost.push(counted(n, one, many));
        }
    }
    let (lost, style) = match lost.is_empty() {
        true => ("nothing lost".to_owned(), theme.plain()),
        false => (format!("LOST: {}", lost.join(", ")), theme.alarm()),
    };
    let phase = match (state.is_running(), state.setting.played) {
        (false, _) => "ended",
        (true, _) if state.paused => "PAUSED",
        (true, Played::Live) => "live",
        (true, Played::Replay) => "replay",
    };
    let frozen = if state.frozen { ", FROZEN" } else { "" };
    let rate = state
        .changes
        .events_per_s
        .map_or("? events/s".to_owned(), |rate| format!("{} events/s", number(rate)));
    // What is on the screen may be of an earlier moment.
    let judged = match state.now_s() - shown.at_s >= OLD_S {
        true => format!(", judged at {}", duration(shown.at_s)),
        false => String::new(),
    };
    let text = format!(" | {}{judged} | {rate} | {phase}{frozen}", duration(state.now_s()))
        .replace('\u{a0}', " ");
    let lost = format!(" | {}", lost.replace('\u{a0}', " "));
    let room = columns.saturating_sub(width(&text) + width(&lost) + 1);
    let title = escape(&state.setting.title);
    let title = fit(&title, room).into_owned();
    Line::from(vec![
        Span::styled(format!(" {title}"), theme.strong()),
        Span::raw(text),
        Span::styled(lost, style),
    ])
}

fn foot(state: &State, theme: Theme) -> Line<'static> {
    let columns = usize::from(state.size.0);
    match &state.prompt {
        Some(Prompt::Filter(text)) => {
            return cut(&format!(" Filter: {text}_  (Enter keeps it, Esc clears it)"), columns);
        }
        Some(Prompt::Mark(text)) => {
            return cut(&format!(" Mark (\"1000 messages sent\"): {text}_"), columns);
        }
        Some(Prompt::Leave) => {
            let text = " The program still runs.  e end it   l let it run, unwatched   Esc stay";
            return cut(text, columns).style(theme.chosen());
        }
        None => {}
    }
    if let Some(notice) = &state.notice {
        return cut(&format!(" {notice}"), columns).style(theme.strong());
    }
    let keys = match state.view {
        View::Overview => " j k scroll  f freeze  space pause  m mark  w report  q quit",
        View::Suspects => " Enter detail  s sort  r reverse  / filter  y copy stack  q quit",
        View::Detail => " j k scroll  y copy stack  w report  Esc back  q quit",
        View::Stacks => " j k deeper, back  h l aside  Enter zoom  Esc out  b by module  q quit",
    };
    cut(keys, columns).style(theme.faint())
}

/// A line of text from anywhere, made harmless and cut to a width.
fn cut(text: &str, columns: usize) -> Line<'static> {
    Line::from(fit(&escape(&text.replace('\u{a0}', " ")), columns).into_owned())
}

/// Bytes, with a plain space.
fn size(n: u64) -> String {
    bytes(n).replace('\u{a0}', " ")
}

/// A text in so many columns: cut in the middle, or filled up.
fn cell(text: &str, columns: usize, right: bool) -> String {
    let text = text.replace('\u{a0}', " ");
    let text = escape(&text);
    let text = fit(&text, columns);
    let fill = " ".repeat(columns.saturating_sub(width(&text)));
    if right { format!("{fill}{text}") } else { format!("{text}{fill}") }
}
