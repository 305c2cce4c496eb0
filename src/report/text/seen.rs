//! What the conclusion rests on: what was traced, what was lost, what could not be read, what was
//! dismissed. It stands right below the conclusion.

use std::collections::BTreeSet;

use super::page::{Ink, Page, Span, name, words};
use super::style::Detail;
use super::units::{bytes, bytes_about, count, count_about, counted, duration, percent, rate};
use super::{counters, memory, named};
use crate::event::Exit;
use crate::report::model::{
    Report, SeenFrom, Target, Totals, TotalsUncertainty, Uncertainty, Unmeasured,
};
use crate::verdict::DEFAULT_MIN_CONFIDENCE;

/// Faults that are listed; the rest is counted.
const FAULTS_SHOWN: usize = 3;

/// Processes that are named one by one.
pub const TARGETS_SHOWN: usize = 3;

/// Reasons for being undecided that are listed.
const UNDECIDED_SHOWN: usize = 2;

/// Writes what was traced and what of it is missing.
pub fn write(page: &mut Page, report: &Report, detail: Detail) {
    let suspected = |index: usize| report.suspects.iter().any(|s| s.target == index);
    let most = if detail == Detail::Full { usize::MAX } else { TARGETS_SHOWN };
    let chosen = chosen(&report.target, most, suspected);
    for target in &chosen {
        page.paragraph(0, &traced(report, target));
    }
    let more = report.target.len() - chosen.len();
    if more > 0 {
        let text = format!("And {} (-v shows them).", processes(more));
        page.paragraph(0, &[words(text)]);
    }
    memory::write(page, &chosen);
    sampled(page, &report.target);
    scanned(page, &report.target);
    let totals = &report.totals;
    counters::write(page, report, detail);
    if report.source.snapshots > 0 && totals.allocations == 0 {
        let text = format!(
            "{}: {} ({}) live in the last.",
            counted(report.source.snapshots, "snapshot", "snapshots"),
            counted(totals.live_blocks, "block", "blocks"),
            bytes(totals.live_bytes)
        );
        page.paragraph(0, &[words(text)]);
        return losses(page, report);
    }
    if report.unmeasured == Some(Unmeasured::CountersOnly) || report.source.shows_moments() {
        return losses(page, report);
    }
    page.paragraph(0, &[words(summed(totals, report.duration_s))]);
    // Of a process without blocks, which counters alone tell of, none are missing.
    let older = |of: &Target| of.seen_from == SeenFrom::Running && of.allocations > 0;
    if report.target.iter().any(older) || !report.source.from_start && totals.frees_unmatched > 0 {
        page.paragraph(
            0,
            &[words(format!(
                "The process ran before the trace began: blocks older than the trace are not \
                 known ({} of such blocks).",
                counted(totals.frees_unmatched, "free", "frees")
            ))
            .ink(Ink::Warning)],
        );
    } else if totals.frees_unmatched > 0 {
        let forked = report.target.iter().any(|target| target.seen_from == SeenFrom::Fork);
        let why =
            if forked { ": a forked process may free what it inherited, for one" } else { "" };
        page.paragraph(
            0,
            &[words(format!(
                "{} of blocks whose allocation was not seen{why}.",
                counted(totals.frees_unmatched, "free", "frees")
            ))
            .ink(Ink::Warning)],
        );
    }
    losses(page, report);
}

/// What came of scans. Of processes that were forked and ended in their hundreds the reason is told once.
fn scanned(page: &mut Page, targets: &[Target]) {
    let scans = || targets.iter().filter_map(|target| target.scan.as_ref());
    let done: Vec<_> = scans().filter(|scan| scan.failed.is_none()).collect();
    if !done.is_empty() {
        let stopped = done.iter().filter_map(|scan| scan.stopped_s).reduce(f64::max);
        let lost = done.iter().filter_map(|scan| scan.lost_blocks).fold(0, u64::saturating_add);
        let all = done.iter().filter_map(|scan| scan.blocks).fold(0, u64::saturating_add);
        let of = match (stopped, done.len()) {
            (None, _) => "a core dump".to_owned(),
            (Some(longest), 1) => format!("the process stood still for {}", duration(longest)),
            (Some(longest), some) => {
                format!("{} stood still for {}", processes(some), duration(longest))
            }
        };
        let text = format!(
            "Scanned: {of}; nothing refers to {} of {}.",
            count(lost),
            counted(all, "live block", "live blocks")
        );
        page.paragraph(0, &[words(text)]);
    }
    let unread: BTreeSet<&str> = done.iter().filter_map(|scan| scan.unread.as_deref()).collect();
    for what in unread {
        let spans =
            [words("Not all of it could be known: ").ink(Ink::Warning), name(what), words(".")];
        page.paragraph(0, &spans);
    }
    let reasons: BTreeSet<&str> = scans().filter_map(|scan| scan.failed.as_deref()).collect();
    for why in reasons {
        let of = scans().filter(|scan| scan.failed.as_deref() == Some(why)).count();
        let text = format!("Not scanned ({}): ", processes(of));
        page.paragraph(0, &[words(text).ink(Ink::Warning), name(why)]);
    }
}

/// How processes were sampled. Normally all in the same way, or none.
fn sampled(page: &mut Page, targets: &[Target]) {
    let means: BTreeSet<u64> = targets.iter().filter_map(|target| target.sampled_bytes).collect();
    for mean in means {
        let those = |target: &&Target| target.sampled_bytes == Some(mean);
        let of = match targets.iter().filter(those).count() {
            some if some == targets.len() => String::new(),
            some => format!(" in {}", counted(some as u64, "process", "processes")),
        };
        let text = format!(
            "Sampled: 1 of every ~{} allocated{of}. What is given as \u{201c}about\u{201d} is an estimate; \
             \u{b1} holds in 95 of 100 samples.",
            bytes(mean)
        );
        page.paragraph(0, &[words(text).ink(Ink::Strong)]);
    }
}

fn summed(totals: &Totals, duration_s: f64) -> String {
    let all = totals.uncertainty.as_ref();
    let off = |value: u64, of: fn(&TotalsUncertainty) -> Uncertainty| {
        all.map(|all| of(all).reach(value as f64))
    };
    let some = |n: u64, of, one: &str, many: &str| {
        format!("{} {}", count_about(n, off(n, of)), if n == 1 { one } else { many })
    };
    format!(
        "{} traced: {}, {}; {} ({}) live at its end.",
        duration(duration_s),
        some(totals.allocations, |all| all.allocations, "allocation", "allocations"),
        some(totals.frees, |all| all.frees, "free", "frees"),
        some(totals.live_blocks, |all| all.live_blocks, "block", "blocks"),
        bytes_about(totals.live_bytes, off(totals.live_bytes, |all| all.live_bytes)),
    )
}

/// The processes that matter most: those with suspects, then those that allocate most. A program
/// started through scripts brings dozens of shells along.
pub fn chosen(targets: &[Target], most: usize, suspected: impl Fn(usize) -> bool) -> Vec<&Target> {
    let mut chosen: Vec<(usize, &Target)> = targets.iter().enumerate().collect();
    chosen
        .sort_by_key(|(index, target)| (!suspected(*index), std::cmp::Reverse(target.allocations)));
    chosen.truncate(most);
    chosen.into_iter().map(|(_, target)| target).collect()
}

/// `1 more process`, `70 more processes`.
pub fn processes(more: usize) -> String {
    counted(more as u64, "more process", "more processes")
}

fn traced<'a>(report: &Report, target: &'a Target) -> Vec<Span<'a>> {
    let end = match target.exit {
        Exit::Status(status) => format!("exited with status {status}"),
        Exit::Signal(signal) => format!("was ended by signal {signal}"),
        Exit::Unknown => "ended".to_owned(),
        Exit::Replaced => "became another program".to_owned(),
        Exit::StillRunning => last_seen(report, target).to_owned(),
    };
    let pid = match target.pid {
        0 => String::new(),
        pid => format!(" (process {pid})"),
    };
    vec![named::process(&target.name).ink(Ink::Strong), words(format!("{pid} {end}."))]
}

/// What is known of the end of a process that was not seen to end.
fn last_seen(report: &Report, target: &Target) -> &'static str {
    let source = &report.source;
    let crashes = &mut report.crashes.iter();
    if crashes.any(|crash| crash.pid == target.pid && crash.process == target.name) {
        "was dumped as it raised an exception"
    } else if source.is_of("heaptrack") {
        "is not known to have ended"
    } else if !source.shows_moments() {
        "still ran when tracing ended"
    } else if source.is_of("minidump") {
        "still ran when it was dumped"
    } else if source.snapshots > 0 {
        "still ran when the last snapshot was taken"
    } else {
        "still ran when its lists were made"
    }
}

/// Processes that began while others were traced, and were attached to only then.
fn late(page: &mut Page, targets: &[Target]) {
    let mut late: Vec<(f64, &Target)> =
        targets.iter().filter_map(|target| Some((target.unseen_first_s?, target))).collect();
    late.sort_by(|one, other| other.0.total_cmp(&one.0));
    let Some((longest, of)) = late.first() else { return };
    let spans = [
        words(format!(
            "Attached to late: {}; what it did first was not seen",
            counted(late.len() as u64, "process", "processes")
        ))
        .ink(Ink::Warning),
        words(format!(" (at most {} of ", duration(*longest))).ink(Ink::Warning),
        name(format!("{}, process {}", of.name, of.pid)),
        words(").").ink(Ink::Warning),
    ];
    page.hanging(0, 2, &spans);
}

fn losses(page: &mut Page, report: &Report) {
    late(page, &report.target);
    for process in report.not_traced.iter().take(FAULTS_SHOWN) {
        let spans = [
            words("Not traced: ").ink(Ink::Warning),
            name(process.program.clone()),
            words(format!(": {}.", process.why)).ink(Ink::Warning),
        ];
        page.hanging(0, 2, &spans);
    }
    if let Some(more) = report.not_traced.len().checked_sub(FAULTS_SHOWN).filter(|more| *more > 0) {
        let text = format!("{more} more not traced, in the JSON.");
        page.paragraph(0, &[words(text).ink(Ink::Warning)]);
    }
    let losses = &report.losses;
    let mut lost = Vec::new();
    if losses.events > 0 {
        lost.push(counted(losses.events, "event", "events"));
    }
    if losses.frees > 0 {
        let frees = counted(losses.frees, "free", "frees");
        lost.push(format!("of those {frees} (each can make a freed block look alive)"));
    }
    if losses.stacks > 0 {
        lost.push(counted(losses.stacks, "stack", "stacks"));
    }
    if losses.bytes > 0 {
        lost.push(format!("{} of the recording", bytes(losses.bytes)));
    }
    match (lost.is_empty(), report.faults.is_empty()) {
        (true, true) => page.paragraph(0, &[words("Nothing was lost.").ink(Ink::Good)]),
        (true, false) => {}
        (false, _) => {
            page.paragraph(0, &[words(format!("Lost: {}.", lost.join(", "))).ink(Ink::Warning)]);
        }
    }
    let unseen = report.totals.libraries_unseen;
    if unseen > 0 {
        let libraries = counted(unseen, "library allocates", "libraries allocate");
        let text = format!("Not seen: what {libraries} and free, loaded with RTLD_DEEPBIND.");
        page.paragraph(0, &[words(text).ink(Ink::Warning)]);
    }
    let by = report.dismissed.unjudged_by;
    let unjudged = [
        (by.lost, "what was lost may explain it"),
        (by.libraries, "a library allocates unseen"),
        (by.allocated_unseen, "their process frees blocks that nobody was seen to allocate"),
        (by.given_out_alive, "their process was given addresses again whose frees were not seen"),
        (by.sampled, "their process was sampled"),
    ];
    for (count, why) in unjudged.into_iter().filter(|(count, _)| *count > 0) {
        let frees = counted(count, "second free accuses", "second frees accuse");
        page.paragraph(0, &[words(format!("{frees} nobody: {why}.")).ink(Ink::Warning)]);
    }
    for fault in report.faults.iter().take(FAULTS_SHOWN) {
        let mut text = format!("Damaged at byte {}: {}", count(fault.offset), fault.what);
        if fault.count > 1 {
            text.push_str(&format!(" ({} times)", count(fault.count)));
        }
        page.hanging(0, 2, &[words(text).ink(Ink::Warning)]);
    }
    if let Some(more) = report.faults.len().checked_sub(FAULTS_SHOWN).filter(|more| *more > 0) {
        page.paragraph(
            0,
            &[words(format!("{} more, in the JSON.", counted(more as u64, "fault", "faults")))
                .ink(Ink::Warning)],
        );
    }
}

/// For which bound the smallest leak is reckoned, where that is not the one in force.
pub fn reckoned(report: &Report) -> String {
    if report.min_confidence == DEFAULT_MIN_CONFIDENCE {
        return String::new();
    }
    let [usual, given] = [DEFAULT_MIN_CONFIDENCE, report.min_confidence].map(percent);
    let than = if report.min_confidence > DEFAULT_MIN_CONFIDENCE { "faster" } else { "slower" };
    format!(
        " at the usual --min-confidence of {usual}; at the {given} given the limit is {than}, how \
         much is not reckoned"
    )
}

/// Writes what was looked at and dismissed.
pub fn write_dismissed(page: &mut Page, report: &Report) {
    let dismissed = report.dismissed;
    let kinds = [
        (dismissed.cache, "grew, then stayed flat (cache)"),
        (dismissed.steady, "steady"),
        (dismissed.one_off, "one-off"),
        (dismissed.undecided, "undecided"),
    ];
    let said: Vec<_> = kinds
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{} {what}", count(*n)))
        .collect();
    if !said.is_empty() {
        page.paragraph(0, &[words(format!("Other sites: {}.", said.join(", ")))]);
    }
    for undecided in report.undecided.iter().take(UNDECIDED_SHOWN) {
        let sites = counted(undecided.sites, "site", "sites");
        let live = undecided.live_bytes;
        let off = undecided.live_bytes_uncertainty.map(|of| of.reach(live as f64));
        let text = format!("Undecided: {sites} ({}). ", bytes_about(live, off));
        page.hanging(0, 2, &[words(text), words(undecided.decided_by.as_str())]);
    }
    let released = dismissed.below_bound_over_release;
    let below = [
        (dismissed.below_bound - released.min(dismissed.below_bound), "to accumulate"),
        (released, "to be freed too often"),
    ];
    for (sites, what) in below.into_iter().filter(|(sites, _)| *sites > 0) {
        page.paragraph(
            0,
            &[words(format!(
                "{} {what}, at less than the {} of --min-confidence.",
                counted(sites, "site seems", "sites seem"),
                percent(report.min_confidence),
            ))],
        );
    }
    if let (Some(least), false) =
        (report.smallest_detectable_bytes_per_s, report.suspects.is_empty())
    {
        page.paragraph(
            0,
            &[words(format!(
                "Leaks slower than {} would not have been seen{}.",
                rate(least),
                reckoned(report)
            ))],
        );
    }
}
