//! What was seen, as Markdown: process-hours and looks by daemon, then every site that was accused, or nearly, with the
//! numbers it rests on. Sites of different processes with the same functions on the stack are told once.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use unfreed::report::model::StackFrame;

use crate::looks::{NEAR, Seen, Sighting};

/// Frames of a stack that are told.
const FRAMES: usize = 9;

/// The whole section.
pub fn section(seen: &[Seen]) -> String {
    let mut text = daemons(seen);
    for (title, accused) in
        [("accused while they ran or in the end", true), ("nearly accused", false)]
    {
        let wanted =
            |sighting: &&Sighting| (sighting.accused > 0 || sighting.accused_in_the_end) == accused;
        let mut groups: BTreeMap<(String, String), Vec<&Sighting>> = BTreeMap::new();
        for one in seen {
            for sighting in one.sightings.iter().filter(wanted) {
                groups
                    .entry((sighting.suspect.process.clone(), stack(sighting, usize::MAX)))
                    .or_default()
                    .push(sighting);
            }
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups
            .sort_by(|a, b| surest(b).suspect.confidence.total_cmp(&surest(a).suspect.confidence));
        let _ = writeln!(text, "\nSites {title} (growth at {NEAR} or more): {}\n", groups.len());
        for group in groups {
            text.push_str(&told(&group));
        }
    }
    text
}

fn daemons(seen: &[Seen]) -> String {
    let columns = [
        "daemon",
        "processes",
        "process-hours",
        "of these in epochs with allocations",
        "allocations",
        "sites",
        "lost",
        "looks",
        "that accuse",
        "sites accused at a look",
        "at the last",
        "after the daemon had ended",
        "freed twice",
    ];
    let mut text = format!("| {} |\n|{}\n", columns.join(" | "), "---|".repeat(columns.len()));
    let mut row = |name: &str, of: &[&Seen]| {
        let sum = |figure: fn(&Seen) -> f64| of.iter().map(|one| figure(one)).sum::<f64>();
        let sites = |accused: fn(&Sighting) -> bool| {
            of.iter().flat_map(|one| &one.sightings).filter(|sighting| accused(sighting)).count()
        };
        let _ = writeln!(
            text,
            "| {name} | {} | {:.2} | {:.2} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            sum(|one| one.processes as f64),
            sum(|one| one.process_seconds / 3600.0),
            sum(|one| one.working_seconds / 3600.0),
            sum(|one| one.allocations as f64),
            sum(|one| one.sites as f64),
            sum(|one| one.lost as f64),
            sum(|one| one.looks as f64),
            sum(|one| one.accusing as f64),
            sites(|sighting| sighting.accused > 0),
            sites(|sighting| sighting.accused_last),
            sites(|sighting| sighting.accused_in_the_end),
            sum(|one| one.over_releases as f64),
        );
    };
    for one in seen {
        row(&one.name, &[one]);
    }
    row("all", &seen.iter().collect::<Vec<_>>());
    text
}

fn surest<'a>(group: &[&'a Sighting]) -> &'a Sighting {
    let by_confidence =
        |a: &&&Sighting, b: &&&Sighting| a.suspect.confidence.total_cmp(&b.suspect.confidence);
    group.iter().max_by(by_confidence).expect("a group is not empty")
}

fn told(group: &[&Sighting]) -> String {
    let best = surest(group);
    let suspect = &best.suspect;
    let sum =
        |figure: fn(&Sighting) -> u64| group.iter().map(|sighting| figure(sighting)).sum::<u64>();
    let evidence: Vec<String> =
        suspect.evidence.iter().map(|fact| format!("{} {:.4}", fact.fact, fact.value)).collect();
    let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
    for sighting in group {
        *ends.entry(sighting.in_the_end.as_str()).or_default() += 1;
    }
    format!(
        "- **{}** in {} ({}): {:.2} at {:.0} s, {:.0} s after its process began; {} processes, {} looks \
         near, {} accuse. In the end: {}. {}\n  {}\n  {}\n",
        suspect.function,
        suspect.process,
        suspect.module.name,
        suspect.confidence,
        best.at,
        best.at - best.began,
        group.len(),
        sum(|sighting| sighting.near),
        sum(|sighting| sighting.accused),
        ends.iter().map(|(end, count)| format!("{end} ({count})")).collect::<Vec<_>>().join(", "),
        suspect.explanation,
        evidence.join(", "),
        stack(best, FRAMES),
    )
}

/// The innermost functions on the stack.
fn stack(sighting: &Sighting, frames: usize) -> String {
    let frames = sighting.suspect.stack.iter().take(frames);
    let function = |frame: &StackFrame| match (&frame.function, &frame.module) {
        (Some(function), _) => function.clone(),
        (None, module) => format!(
            "{}+{}",
            module.as_deref().unwrap_or("?"),
            frame.address.as_deref().unwrap_or("?")
        ),
    };
    frames.map(function).collect::<Vec<_>>().join(" < ")
}
