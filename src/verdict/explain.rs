//! A verdict in two plain sentences, and what would decide an open one. Numbers here are those of
//! the evidence, rounded for reading; the JSON has them in full.

use super::DEFAULT_MIN_CONFIDENCE;
use super::assessment::Verdict;
use super::backlog::Backlog;
use super::explanation::Explanation;
use super::growth::{Growth, MIN_SURVIVORS};
use super::never_freed;
use super::observation::{MIN_DURATION_S, Observation};
use super::sampled::Sampled;
use super::scale::Doubt;
use super::survivors::Survivors;
use crate::event::Time;
use crate::ledger::{Cohort, Earlier, Estimate, NORMAL_95, Site};

/// What the verdict says, in two sentences.
pub(super) fn explain(
    verdict: Verdict,
    site: &Site,
    cohorts: &[Cohort],
    survivors: &Survivors,
    since: Time,
    backlog: Option<&Backlog>,
) -> Explanation {
    let live = about(site.live_blocks, site.estimated_live_blocks(), site);
    let born = about(site.allocations, site.estimated_allocations(), site);
    let (part, whole) = match backlog {
        Some(backlog) => ((backlog.per_call.clamp(0.0, 1.0) * 1e9) as u64, 1_000_000_000),
        None => (survivors.sum(cohorts, |c| c.alive), survivors.sum(cohorts, |c| c.born)),
    };
    let of_every = of_every(part, whole);
    match (verdict, backlog) {
        (Verdict::Leak | Verdict::Growth, Some(_)) => Explanation::around(
            format!("Of every {} blocks allocated here since ", of_every.1),
            since,
            format!(
                ", {} more came than went, from the first to the last at one rate. {} of {born} were \
                 freed, so each is in the end, and {live} wait now.",
                of_every.0,
                about(site.frees, site.estimated_frees(), site),
            ),
        ),
        (Verdict::Leak | Verdict::Growth, None) => {
            let freed = match site.frees {
                0 => format!("none of the {born} was ever freed"),
                frees => {
                    let frees = about(frees, site.estimated_frees(), site);
                    format!("{frees} of {born} were freed, the others stay")
                }
            };
            let allocated = if site.estimates().is_some() { "recorded" } else { "allocated" };
            Explanation::around(
                format!("Of every {} blocks {allocated} here since ", of_every.1),
                since,
                format!(
                    ", {} are still there; {freed}. {live} blocks are alive now, and the number still \
                     grows.",
                    of_every.0
                ),
            )
        }
        (Verdict::Cache, _) => format!(
            "{live} of {born} blocks allocated here are alive. Their number grew and then stayed, \
             or old ones go as new ones come."
        )
        .into(),
        (Verdict::Steady, _) => format!(
            "{} of {born} blocks allocated here were freed, {live} are alive. The number of live \
             blocks keeps returning to where it was.",
            about(site.frees, site.estimated_frees(), site)
        )
        .into(),
        (Verdict::OneOff, _) => Explanation::around(
            format!("{live} blocks allocated here are alive, the last from "),
            site.last,
            ". Few came, or all in one phase, and no more since.".to_owned(),
        ),
        (Verdict::Undecided, _) => format!(
            "{live} of {born} blocks allocated here are alive. That is too little to tell a leak \
             from what the program means to keep."
        )
        .into(),
    }
}

/// The same where the verdict is that of the time before the process tore itself down.
pub(super) fn explain_earlier(verdict: Verdict, earlier: &Earlier) -> Explanation {
    let site = &earlier.site;
    let live = about(site.live_blocks, site.estimated_live_blocks(), site);
    let born = about(site.allocations, site.estimated_allocations(), site);
    let freed = about(earlier.freed, earlier.estimated_freed, site);
    let grew = match verdict {
        Verdict::Undecided => "too little to tell a leak from what the program means to keep",
        _ => "and the number grew",
    };
    Explanation::around(
        format!("Of {born} blocks allocated here {live} were alive at "),
        earlier.until,
        format!(
            ", {grew}. Then the process shut down and freed {freed} of them, which it does not while \
             it works."
        ),
    )
}

/// What would decide an undecided site.
pub(super) fn decided_by(
    growth: &Growth,
    site: &Site,
    survivors: &Survivors,
    seen: &Observation,
    sampled: Option<&Sampled>,
) -> String {
    match growth.doubt {
        Doubt::Unmatched if seen.frees_hidden => {
            "tracing the program from its start, or without sampling: a sample tells of no frees of \
             blocks older than the trace"
                .to_owned()
        }
        Doubt::LostFrees => "a trace in which no frees are lost".to_owned(),
        Doubt::Unseen => "a trace without the module whose frees are not seen, or with it loaded \
                          without RTLD_DEEPBIND"
            .to_owned(),
        Doubt::Unmatched => "observing until frees of blocks older than the trace have ceased, or \
                             tracing the program from its start"
            .to_owned(),
        Doubt::NoStack => "a trace in which this site's stacks are not lost".to_owned(),
        Doubt::LoadStopped => {
            "putting the same load on again: a leak adds as many blocks as before, a start-up or a \
             cache does not"
                .to_owned()
        }
        Doubt::LateDeaths | Doubt::Uneven if survivors.cut => {
            let usual = site.lifetimes.quantile(0.999).map_or(0.0, Time::seconds);
            format!("{}: blocks live up to {usual:.0} s here", observing(8.0 * usual, seen))
        }
        Doubt::Few | Doubt::Short | Doubt::Sampled
            if site.allocations > 0
                && let Some(sampled) = sampled =>
        {
            finer(sampled, site, seen)
        }
        Doubt::Few | Doubt::Short if site.allocations > 0 => {
            let rate = site.live_blocks as f64 / seen.duration_s.max(1e-9);
            let needed = (3.0 * MIN_SURVIVORS / rate.max(1e-9)).max(MIN_DURATION_S);
            let needed = needed.max(2.0 * seen.duration_s);
            format!("{} under the same load: too few blocks stayed so far", observing(needed, seen))
        }
        Doubt::NeverFreed => {
            // At its pace so far it has as many as a suspect needs then.
            let needed = never_freed::blocks(DEFAULT_MIN_CONFIDENCE, f64::MAX);
            let pace = survivors.blocks.max(1.0) / seen.duration_s.max(1e-9);
            let needed_s = (needed / pace).max(2.0 * seen.duration_s);
            format!(
                "a look at what refers to its blocks (--scan), or {}: next to none was ever freed, \
                 which is a leak or not full yet",
                observing(needed_s, seen)
            )
        }
        _ => {
            let needed = (3.0 * seen.duration_s).max(30.0);
            format!("{} under steady load", observing(needed, seen))
        }
    }
}

/// How long to observe on the whole, and when that will be: in steps, so that sites that need about
/// as long are told together.
fn observing(needed_s: f64, seen: &Observation) -> String {
    const STEPS: [f64; 13] = [
        5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21_600.0,
        86_400.0,
    ];
    let left = (needed_s - seen.duration_s).max(0.0);
    let step = STEPS.into_iter().find(|step| left <= *step);
    let step = step.unwrap_or_else(|| (left / 86_400.0).ceil() * 86_400.0);
    let when = match step {
        ..120.0 => format!("{step} s"),
        ..7200.0 => format!("{} min", step / 60.0),
        ..86_400.0 => format!("{} h", step / 3600.0),
        _ => format!("{} d", step / 86_400.0),
    };
    format!("observing for longer (in about {when})")
}

/// How much finer a sample, or how much longer an observation, would show what this one does not. In
/// powers of two: sites that need about the same are told together.
fn finer(sampled: &Sampled, site: &Site, seen: &Observation) -> String {
    let recorded = (site.live_blocks as f64).max(1.0);
    let (bytes, error) = sampled.gained;
    let few = 3.0 * MIN_SURVIVORS / recorded;
    // The error of a sum falls with the root of how many were recorded.
    let unclear = if bytes > 0.0 { (2.0 * NORMAL_95 * error / bytes).powi(2) } else { 2.0 };
    let times = few.max(unclear).clamp(2.0, 1e6).log2().ceil().exp2();
    let longer = (times * seen.duration_s).max(MIN_DURATION_S).log2().ceil().exp2();
    let mean = sampled.mean.0 as f64 / times;
    let mean = if mean < 64.0 { 0.0 } else { mean.floor() };
    format!(
        "a finer sample (--sample {mean}), or observing for {longer:.0} s under the same load: too \
         little was recorded to tell growth from chance"
    )
}

/// A number of blocks: as counted, or about as many as were recorded stand for.
fn about(counted: u64, estimate: Estimate, site: &Site) -> String {
    if site.estimates().is_none() {
        return group(counted);
    }
    let (low, high) = estimate.interval();
    let most = (high - estimate.value).max(estimate.value - low);
    format!("about {} \u{b1} {}", group(estimate.value.round() as u64), group(most.ceil() as u64))
}

/// So many of every so many, rounded down so that "1,000 of 1,000" means all: of a thousand, or of as many as
/// it takes to say two digits.
fn of_every(part: u64, whole: u64) -> (String, String) {
    let (mut every, whole) = (1000, u128::from(whole.max(1)));
    while part > 0 && u128::from(part) * every / whole < 10 && every < 1_000_000_000 {
        every *= 10;
    }
    let told = |number: u128| group(u64::try_from(number).unwrap_or(u64::MAX));
    (told(u128::from(part) * every / whole), told(every))
}

/// Digits in groups of three.
pub(super) fn group(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(group(7), "7");
        assert_eq!(group(41_200), "41,200");
        assert_eq!(group(1_000_000), "1,000,000");
        let told = |part, whole| {
            let (part, whole) = of_every(part, whole);
            format!("{part} of {whole}")
        };
        assert_eq!(told(999, 1000), "999 of 1,000");
        assert_eq!(told(u64::MAX, u64::MAX), "1,000 of 1,000");
        assert_eq!(told(42, 49_558), "84 of 100,000");
        assert_eq!(told(1, u64::MAX), "0 of 1,000,000,000");
        assert_eq!(told(0, 0), "0 of 1,000");
    }
}
