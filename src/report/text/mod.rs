//! The report for people, who are tired and ask in this order: is it a leak, whose, in which
//! version, how fast, since when, what do I do. Losses and faults stand beside the conclusion, not
//! at the end; "no suspect" always says what could not have been seen. Everything goes through a
//! [`page::Page`], which keeps every line within the width and every hostile name harmless.

mod changes;
mod counters;
mod crash;
mod fix;
mod group;
mod headline;
mod held;
mod memory;
pub mod named;
pub mod page;
mod recordings;
pub mod safe;
mod seen;
pub(super) mod stack;
pub mod style;
mod suspect;
pub mod units;
mod vendor;

pub(super) use fix::best as best_fix;
pub use fix::{of_dismissed as write_dismissed_fix, one as write_fix};
pub(super) use group::{Group, groups};
pub use headline::nothing as write_nothing;
pub(super) use headline::worked;
pub(super) use headline::write as headline;
pub use stack::place;
pub(super) use suspect::{Place, write as suspect};

use super::diff::DiffReport;
use super::model::Report;
use page::Page;
use style::Style;

/// Renders a report as text. Every line ends with a newline and is at most `style.width` columns
/// wide, or [`style::LEAST_WIDTH`] where that is more.
pub fn render(report: &Report, style: Style) -> String {
    let mut page = Page::new(style);
    let groups = groups(&report.suspects);
    crash::headlines(&mut page, report);
    headline::write(&mut page, report, &groups);
    page.gap();
    recordings::write(&mut page, report, style.detail);
    seen::write(&mut page, report, style.detail);
    for (at, group) in groups.iter().enumerate() {
        page.gap();
        suspect::write(&mut page, group, Place { at, of: groups.len() }, style.detail);
    }
    crash::write(&mut page, report, style.detail);
    if style.detail > style::Detail::Brief {
        page.gap();
        seen::write_dismissed(&mut page, report);
    }
    page.finish()
}

/// What a fix's status means, in words.
pub(super) fn status_said(status: crate::fixes::Status) -> &'static str {
    fix::status_words(status).0
}

/// Writes what was traced, what is missing of it and what was dismissed.
pub(super) fn seen_pages(page: &mut Page, report: &Report, detail: style::Detail) {
    recordings::write(page, report, detail);
    seen::write(page, report, detail);
    page.gap();
    seen::write_dismissed(page, report);
}

/// Writes what became of the suspects since an earlier trace.
pub(super) fn changes(page: &mut Page, diff: &DiffReport) {
    changes::write(page, diff, style::Detail::Normal);
}

/// Renders the conclusion alone; widths as in [`render`].
pub fn render_conclusion(report: &Report, style: Style) -> String {
    let mut page = Page::new(style);
    crash::headlines(&mut page, report);
    headline::write(&mut page, report, &groups(&report.suspects));
    page.finish()
}

/// Renders what was traced, what is missing of it and what was dismissed; widths as in [`render`].
pub fn render_seen(report: &Report, style: Style) -> String {
    let mut page = Page::new(style);
    seen_pages(&mut page, report, style.detail);
    page.finish()
}

/// Renders one suspect, by its number in the report; widths as in [`render`].
pub fn render_suspect(report: &Report, at: usize, style: Style) -> String {
    let mut page = Page::new(style);
    if let Some(lead) = report.suspects.get(at) {
        let group = Group { lead, all: vec![lead] };
        suspect::write(&mut page, &group, Place { at, of: report.suspects.len() }, style.detail);
    }
    page.finish()
}

/// Renders what changed between two traces as text; widths as in [`render`].
pub fn render_diff(diff: &DiffReport, style: Style) -> String {
    let mut page = Page::new(style);
    changes::write(&mut page, diff, style.detail);
    page.finish()
}
