//! One suspect: whose, how fast, since when, what to do, then why we think so.

use super::fix;
use super::group::Group;
use super::headline::whose;
use super::page::{Ink, Page, name, words};
use super::stack;
use super::style::Detail;
use super::units::{bytes, counted, duration, number, per_day, percent, rate};
use crate::report::model::{Held, Kind, Suspect};

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
    let file =
        if lead.module.path.is_empty() { &lead.module.name } else { &lead.module.path };
    spans.push(name(file.as_str()));
    if let Some(package) = &lead.module.package {
        spans.push(words(", package "));
        spans.push(name(package.as_str()));
    }
    spans.push(words(format!(", process {}", lead.pid)));
    page.row(2, COLUMN, "Where", &spans);
}

fn pace(page: &mut Page, group: &Group<'_>) {
    let lead = group.lead;
    if lead.kind != Kind::OverRelease {
        let mut text = format!("{}, ", rate(group.growth()));
        if group.growth() > 0.0 {
            text.push_str(&format!("{} a day; ", per_day(group.growth())));
        }
        text.push_str(&format!(
            "{} ({}) now",
            counted(group.live_blocks(), "block", "blocks"),
            bytes(group.live_bytes())
        ));
        if let Some(per_event) = group.blocks_per_event() {
            text.push_str(&format!(", {} blocks per marked event", number(per_event)));
        }
        page.row(2, COLUMN, "How fast", &[words(text)]);
    }
    let since = format!("{} after the trace began", duration(group.since()));
    page.row(2, COLUMN, "Since", &[words(since)]);
}

/// Two sentences: what stayed, and what that says.
fn evidence(page: &mut Page, group: &Group<'_>, detail: Detail) {
    let lead = group.lead;
    let mut text = stayed(group);
    text.push(' ');
    text.push_str(&meaning(lead));
    page.row(2, COLUMN, "Why", &[words(text)]);
    if detail == Detail::Full {
        for evidence in &lead.evidence {
            let value = format!("{} {}", number(evidence.value), evidence.unit);
            page.row(4, COLUMN - 2, "", &[words(evidence.fact.as_str()), words(format!(": {value}"))]);
        }
    }
}

fn stayed(group: &Group<'_>) -> String {
    let lead = group.lead;
    if lead.kind == Kind::OverRelease {
        return "A block was freed that had been freed before, without a new allocation seen in \
                between."
            .to_owned();
    }
    let sizes = match lead.bytes_per_call {
        Some(sizes) if sizes.min == sizes.max => format!(" of {} each", bytes(sizes.min)),
        Some(sizes) => format!(
            " of {} to {} (median {})",
            bytes(sizes.min),
            bytes(sizes.max),
            bytes(sizes.median)
        ),
        None => String::new(),
    };
    format!(
        "{} allocated here{sizes} {} never freed.",
        counted(group.live_blocks(), "block", "blocks"),
        if group.live_blocks() == 1 { "was" } else { "were" },
    )
}

fn meaning(lead: &Suspect) -> String {
    let confidence = percent(lead.confidence);
    match (lead.kind, lead.held) {
        (Kind::OverRelease, _) => {
            format!("Its use count went wrong somewhere; confidence {confidence}.")
        }
        (_, Held::Lost) => {
            format!("Nothing in the process refers to them any more; confidence {confidence}.")
        }
        (_, Held::Referenced) => format!(
            "Something in the process still refers to them, so it may mean to keep them; \
             confidence {confidence}."
        ),
        (_, Held::NotMeasured) => format!(
            "Whether anything still refers to them was not measured; that they accumulate has \
             confidence {confidence}."
        ),
    }
}

fn stacks(page: &mut Page, group: &Group<'_>, detail: Detail) {
    let shown = if detail == Detail::Full { group.all.len() } else { STACKS_SHOWN };
    for (at, suspect) in group.all.iter().take(shown).enumerate() {
        let label = match group.all.len() {
            1 => "Stack, innermost first; > is to blame:".to_owned(),
            of => format!(
                "Stack {} of {of} ({}), innermost first; > is to blame:",
                at + 1,
                bytes(suspect.live_bytes)
            ),
        };
        page.paragraph(2, &[words(label).ink(Ink::Faint)]);
        stack::write(page, 4, &suspect.stack, suspect.stack_complete, detail);
    }
    let hidden = group.all.len().saturating_sub(shown);
    if hidden > 0 {
        let noun = if hidden == 1 { "stack leads" } else { "stacks lead" };
        let text = format!("{hidden} more {noun} to the same function (-v shows them).");
        page.paragraph(2, &[words(text).ink(Ink::Faint)]);
    }
}
