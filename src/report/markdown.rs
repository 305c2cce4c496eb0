//! The report as Markdown, for a ticket: the sentences of the text report, under headings.

use super::html::Made;
use super::model::Report;
use super::text::page::{Page, name};
use super::text::style::{Detail, Style};
use super::text::{Place, changes, groups, headline, seen_pages, suspect};

/// Suspects that are written; a ticket is no archive.
const SHOWN: usize = 20;

/// Renders a report.
pub fn render(report: &Report, made: &Made) -> String {
    let groups = groups(&report.suspects);
    let mut out = String::from("# Memory report\n\n");
    out.push_str(&page(|page| headline(page, report, &groups)));
    if let Some(diff) = &report.baseline {
        out.push_str("\n## Before and after\n\n");
        out.push_str(&page(|page| changes(page, diff)));
    }
    for (at, group) in groups.iter().enumerate().take(SHOWN) {
        out.push_str(&format!("\n## Suspect {}\n\n", at + 1));
        let place = Place { at, of: groups.len() };
        out.push_str(&page(|page| suspect(page, group, place, Detail::Normal)));
    }
    if groups.len() > SHOWN {
        out.push_str(&format!("\n{} more suspects in the JSON.\n", groups.len() - SHOWN));
    }
    out.push_str("\n## What was traced, and what was lost\n\n");
    out.push_str(&page(|page| seen_pages(page, report, Detail::Normal)));
    out.push_str(&format!("\n---\n\nMade by unfreed {}: ", made.version));
    out.push_str(&page(|page| page.paragraph(0, &[name(made.command.as_str())])));
    out
}

fn page(write: impl FnOnce(&mut Page)) -> String {
    let mut page = Page::new(Style { detail: Detail::Full, ..Style::default() });
    write(&mut page);
    page.markdown()
}
