//! The report for people, who are tired and ask in this order: is it a leak, whose, in which
//! version, how fast, since when, what do I do. Losses and faults stand beside the conclusion, not
//! at the end; "no suspect" always says what could not have been seen. Everything goes through a
//! [`page::Page`], which keeps every line within the width and every hostile name harmless.

mod changes;
mod fix;
mod group;
mod headline;
mod held;
pub mod named;
pub mod page;
mod recordings;
pub mod safe;
mod seen;
mod stack;
pub mod style;
mod suspect;
pub mod units;
mod vendor;

pub use fix::{of_dismissed as write_dismissed_fix, one as write_fix};
pub use headline::nothing as write_nothing;

use super::diff::DiffReport;
use super::model::Report;
use group::groups;
use page::Page;
use style::Style;

/// Renders a report as text. Every line ends with a newline and is at most `style.width` columns
/// wide, or [`style::LEAST_WIDTH`] where that is more.
pub fn render(report: &Report, style: Style) -> String {
    let mut page = Page::new(style);
    let groups = groups(&report.suspects);
    headline::write(&mut page, report, &groups);
    page.gap();
    recordings::write(&mut page, report, style.detail);
    seen::write(&mut page, report, style.detail);
    for (at, group) in groups.iter().enumerate() {
        page.gap();
        suspect::write(&mut page, group, suspect::Place { at, of: groups.len() }, style.detail);
    }
    if style.detail > style::Detail::Brief {
        page.gap();
        seen::write_dismissed(&mut page, report);
    }
    page.finish()
}

/// Renders what changed between two traces as text; widths as in [`render`].
pub fn render_diff(diff: &DiffReport, style: Style) -> String {
    let mut page = Page::new(style);
    changes::write(&mut page, diff, style.detail);
    page.finish()
}
