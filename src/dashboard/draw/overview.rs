//! The overview: is it a leak, whose, and how much of the process's growth is explained. The sentences are those of the
//! report, so that the screen says what `analyze` says.

use ratatui::text::{Line, Span};

use super::spark::spark;
use super::theme::Theme;
use super::{cell, cut, size};
use crate::dashboard::snapshot::MemoryCurve;
use crate::dashboard::{Phase, Snapshot, State};
use crate::event::Metric;
use crate::report::model::Target;
use crate::report::text::style::{Detail, Style};
use crate::report::text::units::{count, duration, number};
use crate::report::text::{render_conclusion, render_seen};

/// Processes with a line of their own.
const PROCESSES: usize = 16;
/// Marks shown, the latest.
const MARKS: usize = 5;

pub(super) fn lines(state: &State, shown: &Snapshot, theme: Theme) -> Vec<Line<'static>> {
    let columns = usize::from(state.size.0);
    let report = &shown.report;
    let style = Style { width: columns, color: false, detail: Detail::Normal };
    let mut lines: Vec<Line<'static>> = Vec::new();
    let ink = if report.suspects.is_empty() { theme.strong() } else { theme.alarm() };
    for line in render_conclusion(report, style).lines() {
        lines.push(cut(line, columns).style(ink));
    }
    lines.push(Line::default());
    if let Some(recording) = &state.setting.recording {
        lines.push(cut(&format!("Recording to {recording}."), columns));
    }
    let totals = &report.totals;
    let about = if totals.estimated { "about " } else { "" };
    let text = format!(
        "{} events; {about}{} allocations, {about}{} blocks ({}) live.",
        count(shown.events),
        count(totals.allocations),
        count(totals.live_blocks),
        size(totals.live_bytes)
    );
    lines.push(cut(&text, columns));
    let text = format!("Judged and named in {}.", duration(shown.judged_in_s));
    lines.push(cut(&text, columns).style(theme.faint()));
    if let Some(own) = shown.own {
        let text = format!(
            "unfreed itself has taken {} of a processor, {} to judge and to name.",
            share(own.all),
            share(own.judging)
        );
        lines.push(cut(&text, columns).style(theme.faint()));
    }
    lines.push(Line::default());
    for (target, curve) in report.target.iter().zip(&shown.memory).take(PROCESSES) {
        lines.extend(process(target, curve, columns, theme));
    }
    if report.target.len() > PROCESSES {
        let text =
            format!("and {} more processes", count((report.target.len() - PROCESSES) as u64));
        lines.push(cut(&text, columns).style(theme.faint()));
    }
    lines.push(Line::default());
    let first = shown.marks.len().saturating_sub(MARKS);
    for mark in &shown.marks[first..] {
        let count = mark.count.map(|n| format!(" {}", count(n))).unwrap_or_default();
        let text = format!("Mark at {}:{count} {}", duration(mark.at_s), mark.text);
        lines.push(cut(&text, columns));
    }
    for line in render_seen(report, style).lines() {
        // What the report says of the end is not so yet.
        let line = match line.strip_suffix(" still ran when tracing ended.") {
            Some(process) if shown.phase == Phase::Running => format!("{process} runs."),
            _ => line.to_owned(),
        };
        lines.push(cut(&line, columns));
    }
    lines
}

/// A share, to the tenth of a hundredth: most are small.
fn share(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A process: its memory as a curve, and how much of the growth is explained.
fn process(
    target: &Target,
    curve: &MemoryCurve,
    columns: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    let name = format!("{} ({})", target.name, target.pid);
    let what = match curve.metric {
        None => return vec![cut(&format!("{name}: memory was not measured"), columns)],
        Some(Metric::PrivateBytes) => "Private Bytes",
        Some(_) => "RSS",
    };
    let now = curve.points.last().map_or(0, |point| point.1);
    let said = target.memory.as_ref().map_or(String::new(), |memory| {
        let grown = memory.growth_bytes;
        let sign = if grown < 0 { "-" } else { "+" };
        let grew = format!("{sign}{}", size(grown.unsigned_abs()));
        match memory.unexplained_bytes {
            None => format!("{grew}, not traced"),
            Some(_) if grown <= 0 => grew,
            Some(left) => {
                let share = 100.0 * (1.0 - left.max(0) as f64 / grown as f64);
                format!("{grew}, {}% explained", number(share.floor()))
            }
        }
    });
    let room = columns.saturating_sub(76).clamp(12, 80);
    let text = format!("{} {what} {} ", cell(&name, 24, false), cell(&size(now), 9, true));
    let line = Line::from(vec![
        Span::raw(text),
        Span::styled(spark(&curve.points, room, false), theme.curve()),
        Span::raw(format!(" {}", cell(&said, 27, false).trim_end())),
    ]);
    vec![line]
}
