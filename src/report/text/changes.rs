//! What changed between two traces, for people: is the fix working?

use super::named;
use super::page::{Ink, Page, name, words};
use super::seen::{TARGETS_SHOWN, chosen, processes};
use super::stack;
use super::style::Detail;
use super::units::{
    about, bytes, bytes_about, count_about, counted, duration, number, percent, rate, rate_about,
};
use crate::report::diff::{Basis, Change, DiffReport, Lack, MatchedBy, Measure, Outcome, Side};
use crate::report::model::Kind;

/// Where the text beside a label begins.
const COLUMN: usize = 12;

/// Writes a comparison.
pub fn write(page: &mut Page, diff: &DiffReport, detail: Detail) {
    headline(page, diff);
    if diff.reversed {
        let text = "What was given as the earlier trace began after the other: is the order wrong?";
        page.paragraph(0, &[words(text).ink(Ink::Alarm)]);
    }
    page.gap();
    side(page, "Before", &diff.before);
    side(page, "After", &diff.after);
    for change in &diff.changes {
        page.gap();
        one(page, change, detail);
    }
}

fn headline(page: &mut Page, diff: &DiffReport) {
    let with = |outcome: Outcome| diff.changes.iter().filter(|c| c.outcome == outcome).count();
    if diff.changes.is_empty() {
        page.paragraph(0, &[words("No suspect in either trace.").ink(Ink::Good)]);
        return;
    }
    let said: Vec<String> = [
        (Outcome::Fixed, "fixed"),
        (Outcome::Improved, "improved"),
        (Outcome::Unchanged, "unchanged"),
        (Outcome::Worse, "worse"),
        (Outcome::New, "new"),
        (Outcome::NotSeen, "not seen again"),
        (Outcome::Undecided, "undecided"),
    ]
    .iter()
    .filter(|(outcome, _)| with(*outcome) > 0)
    .map(|(outcome, word)| format!("{} {word}", with(*outcome)))
    .collect();
    let all_fixed = with(Outcome::Fixed) == diff.changes.len();
    let ink = if all_fixed { Ink::Good } else { Ink::Alarm };
    let suspects = counted(diff.changes.len() as u64, "suspect", "suspects");
    page.paragraph(0, &[words(format!("{suspects}: {}.", said.join(", "))).ink(ink)]);
}

fn side(page: &mut Page, label: &str, side: &Side) {
    let mut spans = Vec::new();
    let chosen = chosen(&side.target, TARGETS_SHOWN, |_| false);
    let more = side.target.len() - chosen.len();
    for (at, target) in chosen.into_iter().enumerate() {
        if at > 0 {
            spans.push(words(", "));
        }
        spans.push(named::process(&target.name).ink(Ink::Strong));
    }
    if more > 0 {
        spans.push(words(format!(" and {}", processes(more))));
    }
    spans.push(words(format!(", {} traced; ", duration(side.duration_s))));
    if let Some(mean) = side.target.iter().find_map(|target| target.sampled_bytes) {
        let text = format!("sampled, 1 of every ~{} allocated; ", bytes(mean));
        spans.push(words(text).ink(Ink::Warning));
    }
    let losses = &side.losses;
    let lost = losses.events + losses.stacks + losses.bytes;
    if lost == 0 && side.faults.is_empty() {
        spans.push(words("nothing lost; "));
    } else {
        let text = format!(
            "lost {} ({} of them frees), {}, {}; {}; ",
            counted(losses.events, "event", "events"),
            losses.frees,
            counted(losses.stacks, "stack", "stacks"),
            bytes(losses.bytes),
            counted(side.faults.len() as u64, "fault", "faults"),
        );
        spans.push(words(text).ink(Ink::Warning));
    }
    spans.push(match side.smallest_detectable_bytes_per_s {
        Some(least) => words(format!("a leak slower than {} would not be seen", rate(least))),
        None => words("no leak could have been seen").ink(Ink::Warning),
    });
    page.row(0, COLUMN, label, &spans);
}

fn one(page: &mut Page, change: &Change, detail: Detail) {
    let (says, ink) = match change.outcome {
        Outcome::Fixed => ("Fixed: ", Ink::Good),
        Outcome::Improved => ("Improved, not fixed: ", Ink::Warning),
        Outcome::Unchanged => ("Unchanged: ", Ink::Alarm),
        Outcome::Worse => ("Worse: ", Ink::Alarm),
        Outcome::New => ("New: ", Ink::Alarm),
        Outcome::NotSeen => ("Not seen again: ", Ink::Warning),
        Outcome::Undecided => ("Undecided: ", Ink::Warning),
    };
    page.paragraph(
        0,
        &[
            words(says).ink(ink),
            name(change.function.as_str()).ink(Ink::Strong),
            words(" in "),
            named::module(&change.module).ink(Ink::Strong),
            words(" (process "),
            named::process(&change.process),
            words(")."),
        ],
    );
    let over_release = change.kind == Kind::OverRelease;
    measure(page, "Before", &change.version_before, change.before, over_release);
    measure(page, "After", &change.version_after, change.after, over_release);
    if change.outcome == Outcome::NotSeen {
        let text = "The code did not run in the later trace, or it no longer allocates: repeat the \
                    load that made it grow before calling it fixed.";
        page.paragraph(2, &[words(text).ink(Ink::Warning)]);
    }
    if let Some(lack) = change.undecided_by {
        page.paragraph(2, &[words(undecided(lack)).ink(Ink::Warning)]);
    }
    if detail == Detail::Brief {
        return;
    }
    if change.basis == Basis::Growth {
        let text = "Compared by growth: this holds only if both traces were taken under the same \
                    load. Marks with counts make it independent of load.";
        page.paragraph(2, &[words(text).ink(Ink::Faint)]);
    }
    if change.matched_by == MatchedBy::BlameFrame {
        let text = "Its whole stack was not found again, its blame frame was.";
        page.paragraph(2, &[words(text).ink(Ink::Faint)]);
    }
    if detail == Detail::Full {
        stack::write(page, 4, &change.stack, true, detail);
    }
}

/// Why an outcome is undecided, and what would decide it.
fn undecided(lack: Lack) -> &'static str {
    match lack {
        Lack::Pace => {
            "It is no suspect any more, but the later trace could not have shown a leak of its old \
             pace: record longer, or under more load."
        }
        Lack::Times => {
            "A trace is of snapshots that do not say when they were taken, so how fast it grew there \
             is not known: give the snapshots themselves, not their difference, copied so that the \
             files keep the times at which they were written."
        }
        Lack::Moments => {
            "It is no suspect any more, but the later trace is of snapshots alone, which show what \
             lives at their moments and not what was allocated and freed between them: more of them \
             decide nothing. A trace of each allocation and free of the later version decides (a heap \
             trace, .etl, or what unfreed records), under the load that showed it before."
        }
        Lack::Load => {
            "It is no suspect any more, but its site ran too little in the later trace for it to \
             show: repeat the load that showed it before."
        }
        Lack::Losses => {
            "It is no suspect any more, but events of the later trace are lost, and these may be \
             the ones that would show it: record again without losses."
        }
        Lack::Verdict => {
            "It is no suspect any more, but the later trace does not acquit it either: \
             `unfreed analyze` of it says what would decide."
        }
        Lack::Earlier => {
            "It is a suspect now, but the earlier trace could not have shown it: whether it is \
             new is not known."
        }
        Lack::Sampling => {
            "A trace is sampled, and chance may explain the difference, or hide the site: record \
             both for longer, with a smaller --sample or without."
        }
    }
}

fn measure(
    page: &mut Page,
    label: &str,
    version: &Option<String>,
    measure: Option<Measure>,
    over_release: bool,
) {
    let mut spans = Vec::new();
    match version {
        Some(version) => spans.extend([words("version "), name(version.as_str()), words(": ")]),
        None if measure.is_some() => spans.push(words("version unknown: ")),
        None => {}
    }
    let text = match measure {
        None => "not seen".to_owned(),
        Some(m) if over_release && m.suspect => {
            format!("suspect, confidence {}", percent(m.confidence))
        }
        Some(m) if over_release && m.freed_again > 0 => format!(
            "no suspect, but freed again {}, below the confidence bound",
            counted(m.freed_again, "time", "times")
        ),
        Some(m) if !m.suspect => format!("no suspect; {} live at the end", live(m)),
        Some(m) => {
            let pace = if m.growth_bytes_per_s == 0.0 && m.growth_blocks_per_s > 0.0 {
                format!("{} blocks/s", number(m.growth_blocks_per_s))
            } else {
                let off = m.uncertainty.map(|of| of.growth_bytes_per_s);
                rate_about(m.growth_bytes_per_s, off.map(|off| off.reach(m.growth_bytes_per_s)))
            };
            let off = m.uncertainty.and_then(|of| of.blocks_per_event);
            let per_event = m
                .blocks_per_event
                .map(|n| about(number(n), off.map(|off| number(off.reach(n)))))
                .map(|text| format!(", {text} blocks per marked event"))
                .unwrap_or_default();
            format!("grows by {pace}, {} live at the end{per_event}", live(m))
        }
    };
    spans.push(words(text));
    page.row(2, COLUMN - 2, label, &spans);
}

/// Blocks and bytes, counted or estimated.
fn live(m: Measure) -> String {
    let (blocks, size) = (m.live_blocks, m.live_bytes);
    let noun = if blocks == 1 { "block" } else { "blocks" };
    let blocks_off = m.uncertainty.map(|of| of.live_blocks.reach(blocks as f64));
    let bytes_off = m.uncertainty.map(|of| of.live_bytes.reach(size as f64));
    format!("{} {noun} ({})", count_about(blocks, blocks_off), bytes_about(size, bytes_off))
}
