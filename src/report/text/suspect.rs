//! One suspect: whose, how fast, since when, what to do, then why we think so.

use super::fix;
use super::group::Group;
use super::headline::whose;
use super::held::held;
use super::named;
use super::page::{Ink, Page, name, words};
use super::stack;
use super::style::Detail;
use super::units::{
    about, bytes, bytes_about, count, count_about, duration, number, per_day, rate_about,
};
use crate::report::model::{Kind, Suspect};

/// Where the text beside a label begins.
const COLUMN: usize = 14;

/// Stacks of one group that are written in full; normally one is enough.
const STACKS_SHOWN: usize = 1;

/// Which suspect of how many.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Counting from 0.
    pub at: usize,
    /// Of how many.
    pub of: usize,
}

/// Writes one group of suspects.
pub fn write(page: &mut Page, group: &Group<'_>, place: Place, detail: Detail) {
    let lead = group.lead;
    let mut spans = vec![words(format!("Suspect {} of {}: ", place.at + 1, place.of))];
    spans.extend(whose(&lead.module));
    page.paragraph(0, &spans);
    whose_rows(page, group);
    pace(page, group);
    fix::write(page, 2, group, detail);
    if detail == Detail::Brief {
        return;
    }
    evidence(page, group, detail);
    stacks(page, group, detail);
}

fn whose_rows(page: &mut Page, group: &Group<'_>) {
    let lead = group.lead;
    let mut spans = vec![name(lead.function.as_str()).ink(Ink::Strong), words(" in ")];
    let file = if lead.module.path.is_empty() { &lead.module.name } else { &lead.module.path };
    spans.push(named::module(file));
    if let Some(package) = &lead.module.package {
        spans.push(words(", package "));
        spans.push(name(package.as_str()));
    }
    spans.extend([words(", process "), named::process(&lead.process)]);
    // Some logs do not say which.
    if lead.pid != 0 {
        spans.push(words(format!(" ({})", lead.pid)));
    }
    page.row(2, COLUMN, "Where", &spans);
}

fn pace(page: &mut Page, group: &Group<'_>) {
    let lead = group.lead;
    if let Some(snapshots) = group.sum_of("snapshots").filter(|_| group.allocations() == 0) {
        snapshots_rows(page, group, snapshots / group.all.len() as f64);
        return;
    }
    if lead.kind != Kind::OverRelease {
        let mut text = format!("{}, ", rate_about(group.growth(), group.growth_off()));
        if group.growth() > 0.0 {
            let off = group.growth_off().map(per_day);
            text.push_str(&format!("{} a day at this pace; ", about(per_day(group.growth()), off)));
        }
        text.push_str(&format!(
            "{} of {} blocks ({}) {}",
            count_about(
                group.live_blocks(),
                group.off(|s| s.live_blocks as f64, |all| all.live_blocks)
            ),
            count_about(
                group.allocations(),
                group.off(|s| s.allocations as f64, |all| all.allocations)
            ),
            bytes_about(
                group.live_bytes(),
                group.off(|s| s.live_bytes as f64, |all| all.live_bytes)
            ),
            if group.freed_at_end() > 0 { "not freed until it shut down" } else { "never freed" }
        ));
        if let Some(per_event) = group.blocks_per_event() {
            let off = |s: &Suspect| s.blocks_per_event.unwrap_or(0.0);
            let off = group.off(off, |all| all.blocks_per_event.unwrap_or_default());
            let per_event = about(blocks(per_event), off.map(number));
            text.push_str(&format!(", {per_event} per marked event"));
        }
        page.row(2, COLUMN, "How fast", &[words(text)]);
    }
    let since = match group.since() {
        since if since < 0.001 => "the beginning of the trace".to_owned(),
        since => format!("{} after the trace began", duration(since)),
    };
    page.row(2, COLUMN, "Since", &[words(since)]);
}

/// What was known from snapshots alone: by how much it grew, and how fast where times are known.
fn snapshots_rows(page: &mut Page, group: &Group<'_>, snapshots: f64) {
    let gained = group.sum_of("gained").unwrap_or_default();
    let gained_bytes = group.sum_of("gained-bytes").unwrap_or_default().max(0.0);
    let that = if group.sum_of("unlisted").is_some() { " that list it" } else { "" };
    let text = format!(
        "{} blocks ({}) live in the last of {} snapshots{that}, {} ({}) more than in the first",
        count(group.live_blocks()),
        bytes(group.live_bytes()),
        number(snapshots),
        number(gained),
        bytes(gained_bytes as u64)
    );
    page.row(2, COLUMN, "How much", &[words(text)]);
    let growth = group.growth();
    let text = if growth.is_nan() {
        "not known: nothing says how long it was between the snapshots".to_owned()
    } else {
        format!("{}, {} a day at this pace", rate_about(growth, None), per_day(growth))
    };
    page.row(2, COLUMN, "How fast", &[words(text)]);
}

/// A number of blocks that need not be whole.
fn blocks(n: f64) -> String {
    format!("{} {}", number(n), if n == 1.0 { "block" } else { "blocks" })
}

/// The verdict's own two sentences; every number behind them in full detail.
fn evidence(page: &mut Page, group: &Group<'_>, detail: Detail) {
    let lead = group.lead;
    page.row(2, COLUMN, "Why", &[words(lead.explanation.as_str())]);
    if let Some(text) = held(group) {
        page.row(2, COLUMN, "Held", &[words(text)]);
    }
    if lead.estimated {
        let text = "The counts are estimates from sampling; \u{b1} holds in 95 of 100 samples.";
        page.row(2, COLUMN, "", &[words(text).ink(Ink::Warning)]);
    }
    if detail < Detail::Full {
        return;
    }
    if let Some(sizes) = lead.bytes_per_call {
        let text =
            format!("{} to {}, median {}", bytes(sizes.min), bytes(sizes.max), bytes(sizes.median));
        page.row(2, COLUMN, "Block sizes", &[words(text)]);
    }
    for (at, evidence) in lead.evidence.iter().enumerate() {
        let label = if at == 0 { "Evidence" } else { "" };
        let value = match evidence.standard_error {
            None => number(evidence.value),
            Some(error) => {
                format!("about {}, standard error {},", number(evidence.value), number(error))
            }
        };
        let value = format!(": {value} {}", evidence.unit);
        page.row(2, COLUMN, label, &[words(evidence.fact.as_str()), words(value)]);
    }
}

fn stacks(page: &mut Page, group: &Group<'_>, detail: Detail) {
    let lead = group.lead;
    let which = if lead.kind == Kind::OverRelease { "Allocated" } else { "Stack" };
    let shown = if detail == Detail::Full { group.all.len() } else { STACKS_SHOWN };
    for (at, suspect) in group.all.iter().take(shown).enumerate() {
        let label = match group.all.len() {
            1 => format!("{which}, innermost first; > is to blame:"),
            of => format!(
                "{which} {} of {of} ({}), innermost first; > is to blame:",
                at + 1,
                bytes(suspect.live_bytes)
            ),
        };
        page.paragraph(2, &[words(label).ink(Ink::Faint)]);
        stack::write(page, 4, &suspect.stack, suspect.stack_complete, detail);
    }
    if let Some(over) = &lead.over_release {
        let first = (&over.first_free, over.first_free_complete);
        let frees =
            [("Freed first (suspected):", first), ("Freed again:", (&over.second_free, true))];
        for (label, (frames, complete)) in frees {
            page.paragraph(2, &[words(label).ink(Ink::Faint)]);
            stack::write(page, 4, frames, complete, detail);
        }
    }
    let hidden = group.all.len().saturating_sub(shown);
    if hidden > 0 {
        let noun = if hidden == 1 { "stack leads" } else { "stacks lead" };
        let text = format!("{hidden} more {noun} to the same function (-v shows them).");
        page.paragraph(2, &[words(text).ink(Ink::Faint)]);
    }
}
