//! What was counted of whole processes: how much of what grows, and what would tell whose it is. Shown
//! where nothing else is known of a process; the JSON always has it.

use super::named;
use super::page::{Ink, Page, words};
use super::style::Detail;
use super::units::{bytes, count, counted, number, percent};
use crate::event::Metric;
use crate::report::model::{Counted, Report, Target};
use crate::verdict::Verdict;

/// Where the text beside a label begins.
const COLUMN: usize = 16;

/// Processes whose counters are written; all in full detail.
const SHOWN: usize = 8;

/// Growing processes for each of which it is said what to do next.
const ADVISED: usize = 3;

/// How much of the growth of the private bytes managed heaps must explain to be named for it.
const MANAGED: f64 = 0.5;

/// Whether a process is known by its counters alone.
fn is_counted(target: &Target) -> bool {
    target.allocations == 0 && target.counters.iter().any(|of| of.metric != Metric::Rss)
}

fn grows(of: &Counted) -> bool {
    of.verdict == Verdict::Growth
}

/// The conclusion where counters are all that a report has.
pub fn conclude(page: &mut Page, report: &Report) {
    if !growing(page, report) {
        page.paragraph(
            0,
            &[
                words("No verdict.").ink(Ink::Warning),
                words(
                    " The counters show no growth that is sure. They tell of whole processes: a \
                     leak that is small beside their ups and downs would not have been seen.",
                ),
            ],
        );
    }
}

/// Says of which processes counters alone show growth, and what to do next; whether there are any.
pub fn growing(page: &mut Page, report: &Report) -> bool {
    let growing: Vec<&Target> = report
        .target
        .iter()
        .filter(|target| is_counted(target) && target.counters.iter().any(grows))
        .collect();
    let Some(first) = growing.first() else { return false };
    let mut spans = vec![
        words("Growth was seen, and no suspect:").ink(Ink::Alarm),
        words(" "),
        named::process(&first.name).ink(Ink::Strong),
    ];
    let others = growing.len() as u64 - 1;
    if others > 0 {
        spans.push(words(format!(" and {}", counted(others, "other process", "other processes"))));
    }
    let verb = if others > 0 { "grow" } else { "grows" };
    spans.push(words(format!(" {verb}. Counters tell of whole processes and name no module.")));
    page.paragraph(0, &spans);
    for target in growing.iter().take(ADVISED) {
        next(page, target);
    }
    true
}

/// What the growth can be put down to, and what to capture next.
fn next(page: &mut Page, target: &Target) {
    let growth = |metric| {
        let mut counters = target.counters.iter().filter(|of| grows(of));
        counters.find(|of| of.metric == metric).and_then(|of| of.slope_per_s)
    };
    let private = growth(Metric::PrivateBytes);
    let managed = growth(Metric::ManagedHeap);
    let text = match (managed, private) {
        (Some(managed), Some(private)) if managed < private * MANAGED => {
            " grows in .NET's heaps too, by less than in all: look at both, a heap trace first"
        }
        (Some(_), _) => {
            " grows in .NET's heaps: a heap trace does not show who holds their objects; take a \
             dump and look with a .NET memory profiler"
        }
        (None, Some(_)) => {
            ": to see who allocates, take a heap trace: an ETW heap trace (xperf -heap), or two \
             logs of UMDH (gflags /i PROGRAM +ust; umdh -p:PID) with work between them"
        }
        (None, None) if growth(Metric::Handles).is_some() => {
            ": it keeps handles; a heap trace shows who only if each has memory"
        }
        (None, None) => {
            " grows, and its private bytes do not, or were not recorded: record \\Process(*)\\\
             Private Bytes and \\Process(*)\\ID Process, too"
        }
    };
    page.hanging(0, 2, &[words("Next: "), named::process(&target.name), words(format!("{text}."))]);
}

/// Writes the counters of processes of which nothing else is known.
pub fn write(page: &mut Page, report: &Report, detail: Detail) {
    let mut targets: Vec<&Target> =
        report.target.iter().filter(|target| is_counted(target)).collect();
    targets.sort_by_key(|target| !target.counters.iter().any(grows));
    let shown = if detail == Detail::Full { targets.len() } else { SHOWN };
    for target in targets.iter().take(shown) {
        let pid = if target.pid == 0 { String::new() } else { format!(" ({})", target.pid) };
        let label = [words("Counters of "), named::process(&target.name), words(format!("{pid}:"))];
        page.paragraph(0, &label);
        for of in &target.counters {
            page.row(2, COLUMN, name(of.metric), &[words(told(of))]);
        }
    }
    let hidden = targets.len().saturating_sub(shown);
    if hidden > 0 {
        let noun = if hidden == 1 { "process has" } else { "processes have" };
        let text = format!("{hidden} more {noun} counters (-v shows them).");
        page.paragraph(0, &[words(text).ink(Ink::Faint)]);
    }
}

fn told(of: &Counted) -> String {
    let value = |n: u64| if is_bytes(of.metric) { bytes(n) } else { count(n) };
    // Of one moment there is nothing to judge.
    if of.slope_per_s.is_none() && of.first == of.last {
        return value(of.last);
    }
    let ends = format!("{} to {}", value(of.first), value(of.last));
    let per_hour = of.slope_per_s.map(|slope| slope * 3600.0);
    let pace = match per_hour {
        Some(rate) if is_bytes(of.metric) => {
            let sign = if rate < 0.0 { "-" } else { "" };
            format!("{sign}{} an hour", bytes(rate.abs() as u64))
        }
        Some(rate) => format!("{} an hour", number(rate)),
        None => "at an unknown rate".to_owned(),
    };
    let sure = percent(of.confidence);
    match of.verdict {
        Verdict::Growth => format!("grows: {ends}, {pace} (confidence {sure})"),
        Verdict::Cache => format!("rose, then stayed: {ends}"),
        Verdict::Steady => format!("steady: {ends}"),
        _ => format!("undecided: {ends}; too few samples, or too uneven"),
    }
}

fn is_bytes(metric: Metric) -> bool {
    !matches!(metric, Metric::Handles | Metric::Threads | Metric::CpuTime)
}

/// The quantity, as people say it.
fn name(metric: Metric) -> &'static str {
    match metric {
        Metric::Rss => "Working set",
        Metric::PrivateBytes => "Private bytes",
        Metric::VirtualBytes => "Virtual bytes",
        Metric::Handles => "Handles",
        Metric::Threads => "Threads",
        Metric::CpuTime => "Processor",
        Metric::HeapCommitted => "Heaps",
        Metric::ManagedHeap => ".NET heaps",
    }
}
