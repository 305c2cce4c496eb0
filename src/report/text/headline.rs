//! The first lines: is it a leak, whose, in which version, and is there a fix.

use super::counters;
use super::fix::{best, status_words};
use super::group::Group;
use super::named;
use super::page::{Ink, Page, Span, name, words};
use super::seen::reckoned;
use super::units::{count, counted, duration, percent, rate, rate_about};
use crate::report::model::{Burst, Kind, Module, Report, Unmeasured};

/// Writes the conclusion.
pub fn write(page: &mut Page, report: &Report, groups: &[Group<'_>]) {
    match groups {
        [] => {
            nothing(page, report);
            // What blocks do not show counters may.
            if report.unmeasured != Some(Unmeasured::CountersOnly) {
                counters::growing(page, report);
            }
        }
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
    unmeasured(page, report);
}

/// Of which processes nothing above speaks. Where it speaks of none, that was said.
fn unmeasured(page: &mut Page, report: &Report) {
    let processes = report.processes_unmeasured;
    if processes > 0 && report.conclusive {
        let text = format!(
            "In {} no leak could have been seen: too short, idle too soon, or too \
             much of it lost or not seen.",
            counted(processes, "other process", "other processes")
        );
        page.paragraph(0, &[words(text).ink(Ink::Warning)]);
    }
}

/// Writes that there is no suspect, and what that is worth.
pub fn nothing(page: &mut Page, report: &Report) {
    if report.source.kind == "debugger" {
        let versions =
            report.modules.iter().filter(|listed| listed.module.version.is_some()).count();
        let text = format!(
            " A debugger's lists have no stacks and accuse nobody. This one tells of {}, the file \
             versions of {} among them.",
            counted(report.modules.len() as u64, "module", "modules"),
            count(versions as u64)
        );
        page.paragraph(0, &[words("No verdict.").ink(Ink::Warning), words(text)]);
        return;
    }
    let dumped = report.source.shows_moments() && report.source.is_of("minidump");
    if report.unmeasured == Some(Unmeasured::CountersOnly) && !dumped {
        return counters::conclude(page, report);
    }
    if report.unmeasured == Some(Unmeasured::Snapshots) {
        let enough = match report.source.kind.as_str() {
            "memleak" => "three that list a stack and rise in step",
            _ => "three that rise in step, or one stack that gained most of all",
        };
        let text = format!(
            " Of {} none shows a stack that surely grew. Take another after as much work again: it \
             takes {enough}.",
            counted(report.source.snapshots, "snapshot", "snapshots")
        );
        page.paragraph(0, &[words("No suspect.").ink(Ink::Warning), words(text)]);
        return;
    }
    match report.smallest_detectable_bytes_per_s {
        Some(least) => {
            let mut spans = vec![
                words("No suspect.").ink(Ink::Good),
                words(format!(
                    " A leak slower than {} would not have been seen in this trace{}.",
                    rate(least),
                    reckoned(report)
                )),
            ];
            if let Some(burst) = &report.burst {
                spans.push(words(format!(" {}", worked(burst))).ink(Ink::Warning));
            }
            page.paragraph(0, &spans);
        }
        None => page.paragraph(
            0,
            &[
                words("No verdict.").ink(Ink::Warning),
                words(" No leak of any rate could have been seen in this trace: "),
                words(blind(report)),
            ],
        ),
    }
}

/// What a trace with all the work in a short part of it does not show.
pub fn worked(burst: &Burst) -> String {
    format!(
        "{} of the allocations came between {} and {}: what leaks only under such work looks like a \
         start-up here. Put the same load on again, or keep it on to the end.",
        percent(burst.share),
        duration(burst.from_s),
        duration(burst.to_s),
    )
}

/// Why nothing could be seen, and what to do about it.
fn blind(report: &Report) -> &'static str {
    match report.unmeasured {
        Some(Unmeasured::NothingAllocated) if report.source.kind == "etl" => {
            "no heap events in this log. Capture with `xperf -start heap -heap -pids PID -stackwalk \
             HeapCreate+HeapAlloc+HeapRealloc` beside `xperf -on PROC_THREAD+LOADER`, under load."
        }
        _ if report.source.shows_moments()
            && report.source.is_of("minidump")
            && report.source.snapshots == 0 =>
        {
            "a dump shows one moment. Record while the program works."
        }
        Some(Unmeasured::NothingAllocated) => {
            "it shows no allocation. Record while the program works."
        }
        Some(Unmeasured::Short) => "it is too short. Record longer, under load.",
        Some(Unmeasured::LoadStopped) => {
            "the load stopped early, and what a program keeps of its last work is no leak yet. Keep \
             the load on to the end, or put it on again after a pause; idling longer tells nothing."
        }
        Some(Unmeasured::FreesUnseen) => {
            "a module frees blocks unseen, so that any of them may look alive. Record without that \
             module, or with it loaded without RTLD_DEEPBIND."
        }
        Some(Unmeasured::Lost) => {
            "too much of it is lost. Record again on a less busy machine or under less load, and \
             let the recording end whole; recording longer loses more."
        }
        Some(Unmeasured::Sampled) => {
            "the process ran before it was sampled, and a sample tells of no frees of its older \
             blocks. Trace it from its start, or without sampling."
        }
        Some(Unmeasured::OneSnapshot) => {
            "it is one snapshot, which shows what lives and not what grows. Take a second one after \
             some work, and give both, or the difference of the two."
        }
        Some(Unmeasured::Snapshots) => "it has snapshots only. Take another after some work.",
        Some(Unmeasured::CountersOnly) => "it has counters only, which tell of no block.",
        None => "it is too short, or too much of it is missing. Record longer, under load.",
    }
}

fn conclusion(page: &mut Page, group: &Group<'_>) {
    let lead = group.lead;
    let confidence = format!(" (confidence {}).", percent(lead.confidence));
    let function = name(lead.function.as_str()).ink(Ink::Strong);
    let mut spans = match lead.kind {
        Kind::Leak => vec![words("Leak:").ink(Ink::Alarm), words(" ")],
        Kind::Growth => vec![words("Growth, likely a leak:").ink(Ink::Alarm), words(" ")],
        Kind::OverRelease => vec![words("Freed too often:").ink(Ink::Alarm), words(" blocks of ")],
    };
    spans.extend(whose(&lead.module));
    if let Some(over) = &lead.over_release {
        let times = counted(over.count, "time", "times");
        spans.extend([words(", allocated in "), function, words(format!(", {times}"))]);
    } else {
        let does =
            if lead.kind == Kind::Leak { " loses blocks that " } else { " keeps blocks that " };
        let rate = match group.growth() {
            rate if rate.is_nan() => "at an unknown rate".to_owned(),
            rate => rate_about(rate, group.growth_off()),
        };
        spans.extend([words(does), function, words(format!(" allocates, {rate}"))]);
    }
    spans.push(words(confidence));
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
    let mut spans = vec![named::module(&module.name).ink(Ink::Strong)];
    match &module.version {
        Some(version) => spans.extend([words(" "), name(version.as_str()).ink(Ink::Strong)]),
        // Of a module without a name nobody expects a version.
        None if module.name.is_empty() => {}
        None => spans.extend([words(" "), words("(version unknown)").ink(Ink::Warning)]),
    }
    spans
}
