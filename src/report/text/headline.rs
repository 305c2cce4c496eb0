//! The first lines: is it a leak, whose, in which version, and is there a fix.

use super::fix::{best, status_words};
use super::group::Group;
use super::page::{Ink, Page, Span, name, words};
use super::units::{percent, rate};
use crate::report::model::{Kind, Module, Report};

/// Writes the conclusion.
pub fn write(page: &mut Page, report: &Report, groups: &[Group<'_>]) {
    match groups {
        [] => nothing(page, report),
        [only] => conclusion(page, only),
        [first, rest @ ..] => {
            conclusion(page, first);
            let more = match rest.len() {
                1 => "One more suspect below.".to_owned(),
                n => format!("{n} more suspects below."),
            };
            page.paragraph(0, &[words(more)]);
        }
    }
}

fn nothing(page: &mut Page, report: &Report) {
    match report.smallest_detectable_bytes_per_s {
        Some(least) => page.paragraph(
            0,
            &[
                words("No suspect.").ink(Ink::Good),
                words(format!(
                    " A leak slower than {} would not have been seen in this trace.",
                    rate(least)
                )),
            ],
        ),
        None => page.paragraph(
            0,
            &[
                words("No verdict.").ink(Ink::Warning),
                words(
                    " No leak of any rate could have been seen in this trace: it is too short, or \
                     too much of it is missing. Record longer, under load.",
                ),
            ],
        ),
    }
}

fn conclusion(page: &mut Page, group: &Group<'_>) {
    let lead = group.lead;
    let (says, does) = match lead.kind {
        Kind::Leak => ("Leak:", " loses blocks that "),
        Kind::Growth => ("Growth, likely a leak:", " keeps blocks that "),
        Kind::OverRelease => ("Freed too often:", " frees again blocks that "),
    };
    let mut spans = vec![words(says).ink(Ink::Alarm), words(" ")];
    spans.extend(whose(&lead.module));
    spans.push(words(does));
    spans.push(name(lead.function.as_str()).ink(Ink::Strong));
    spans.push(words(" allocates"));
    if lead.kind != Kind::OverRelease {
        spans.push(words(format!(", {}", rate(group.growth()))));
    }
    spans.push(words(format!(" (confidence {}).", percent(lead.confidence))));
    page.paragraph(0, &spans);
    fix_line(page, group);
}

fn fix_line(page: &mut Page, group: &Group<'_>) {
    let spans = match best(group) {
        Some(fix) => {
            let (says, ink) = status_words(fix.status);
            vec![
                words("Published fix "),
                name(fix.id.as_str()).ink(Ink::Strong),
                words(": "),
                words(says).ink(ink),
                words("."),
            ]
        }
        None => vec![words("No published fix in the catalogue matches.")],
    };
    page.paragraph(0, &spans);
}

/// A module and its version, as the text names it.
pub fn whose(module: &Module) -> Vec<Span<'_>> {
    let version = match &module.version {
        Some(version) => name(version.as_str()).ink(Ink::Strong),
        None => words("(version unknown)").ink(Ink::Warning),
    };
    vec![name(module.name.as_str()).ink(Ink::Strong), words(" "), version]
}
