//! One site's way through the method: survivors, growth, and if it does not accumulate, what it
//! is instead; with the numbers that were looked at.

use super::assessment::{Estimated, Evidence, Held, Judged, Verdict};
use super::growth::Growth;
use super::observation::Observation;
use super::sampled::Sampled;
use super::snapshots::Gains;
use super::survivors::Survivors;
use super::{DEFAULT_MIN_CONFIDENCE, explain, rest, snapshots};
use crate::event::Time;
use crate::ledger::{Cohort, Estimate, Ledger, Site, SiteId};

/// A site is said to accumulate from this confidence on; below, something else explains it better.
const SAYS_GROWTH: f64 = 0.5;

pub(super) fn judge(
    ledger: &Ledger,
    id: SiteId,
    site: &Site,
    seen: &Observation,
    per_event: Option<Estimate>,
    gains: &Gains,
) -> Judged {
    if let Some(judged) = by_snapshots(ledger, id, site, gains) {
        return judged;
    }
    by_blocks(ledger, id, site, &ledger.cohorts(site), seen, per_event).0
}

/// The verdict on blocks seen one by one, or in tallies, and the growth it rests on.
pub(super) fn by_blocks(
    ledger: &Ledger,
    id: SiteId,
    site: &Site,
    cohorts: &[Cohort],
    seen: &Observation,
    per_event: Option<Estimate>,
) -> (Judged, Growth) {
    let survivors = Survivors::of(site, cohorts, seen);
    let sampled = Sampled::of(ledger, site, &survivors, seen, per_event);
    let sampled = sampled.as_ref();
    let growth = Growth::of(ledger, site, cohorts, &survivors, seen, sampled);
    let (verdict, confidence) = if growth.confidence >= SAYS_GROWTH {
        (Verdict::Growth, growth.confidence)
    } else {
        rest::classify(site, cohorts, &survivors, seen, &growth)
    };
    let basis = growth.backlog.as_ref().map_or(&survivors, |backlog| &backlog.gains);
    let since = since(ledger, site, cohorts, basis, verdict);
    let judged = Judged {
        site: id,
        process: site.process,
        stack: site.stack,
        verdict,
        confidence,
        evidence: evidence(site, cohorts, &survivors, seen, &growth, sampled),
        growth_bytes_per_s: match sampled {
            _ if !verdict.accumulates() => 0.0,
            Some(sampled) => sampled.estimated.growth_bytes_per_s.value,
            None => match &growth.backlog {
                Some(backlog) => backlog.per_s(seen) * mean_bytes(cohorts, &backlog.gains),
                None => growth.slope.unwrap_or(0.0) * mean_bytes(cohorts, &survivors),
            },
        },
        since,
        held: Held::NotMeasured,
        blocks_per_event: per_event.map(|per_event| per_event.value),
        decided_by: (verdict == Verdict::Undecided || is_unsure(verdict, confidence))
            .then(|| explain::decided_by(&growth, site, &survivors, seen, sampled)),
        explanation: explain::explain(
            verdict,
            site,
            cohorts,
            &survivors,
            since,
            growth.backlog.as_ref(),
        ),
        before_teardown: None,
        group: None,
        part_of: None,
        estimated: sampled.map(|sampled| sampled.estimated),
    };
    (judged, growth)
}

/// Whether a site is said to accumulate, but not surely enough to be a suspect.
fn is_unsure(verdict: Verdict, confidence: f64) -> bool {
    verdict.accumulates() && confidence < DEFAULT_MIN_CONFIDENCE
}

fn since(
    ledger: &Ledger,
    site: &Site,
    cohorts: &[Cohort],
    survivors: &Survivors,
    verdict: Verdict,
) -> Time {
    let first = if verdict.accumulates() {
        survivors.from
    } else {
        cohorts.iter().position(|c| c.alive > 0).unwrap_or(0)
    };
    let start = ledger.image(site.process).map_or(Time(0), |i| ledger.grid(i).0.start(first));
    start.max(site.first)
}

fn mean_bytes(cohorts: &[Cohort], survivors: &Survivors) -> f64 {
    let alive = survivors.sum(cohorts, |c| c.alive).max(1);
    survivors.sum(cohorts, |c| c.alive_bytes) as f64 / alive as f64
}

fn evidence(
    site: &Site,
    cohorts: &[Cohort],
    survivors: &Survivors,
    seen: &Observation,
    growth: &Growth,
    sampled: Option<&Sampled>,
) -> Vec<Evidence> {
    // What the method counts are recorded blocks; what they stand for is said beside.
    let blocks = if sampled.is_some() { "recorded blocks" } else { "blocks" };
    let estimate = |name, counted, of: fn(&Estimated) -> Estimate, unit| match sampled {
        Some(sampled) => estimated(name, of(&sampled.estimated), unit),
        None => fact(name, counted, unit),
    };
    let mut evidence = vec![
        estimate("allocations", site.allocations as f64, |e| e.allocations, "blocks"),
        estimate("frees", site.frees as f64, |e| e.frees, "blocks"),
        estimate("live", site.live_blocks as f64, |e| e.live_blocks, "blocks"),
        fact("observed", seen.duration_s, "s"),
    ];
    evidence.extend(sampled.into_iter().flat_map(|sampled| sampled.evidence(site)));
    if site.frees_unseen > 0 {
        evidence.push(fact("frees-unseen", site.frees_unseen as f64, blocks));
    }
    let counted = || site.lifetimes.quantile(0.999);
    if let Some(usual) = site.estimates().map_or_else(counted, |e| e.lifetime(0.999)) {
        evidence.push(fact("lifetime-p99.9", usual.seconds(), "s"));
    }
    if survivors.blocks > 0.0 {
        let born = survivors.sum(cohorts, |c| c.born);
        let alive = survivors.sum(cohorts, |c| c.alive);
        evidence.extend([
            fact("survivor-age", survivors.age_s, "s"),
            fact("survivors", alive as f64, blocks),
            fact("survivors-of", born as f64, blocks),
            fact("survivor-epochs", survivors.distinct() as f64, "epochs"),
            fact("late-deaths", survivors.late_deaths, "share"),
            fact("steadiness", growth.steadiness, "share"),
        ]);
        let slope = growth.slope.map(|slope| match sampled {
            Some(sampled) => estimated("low-water-slope", sampled.blocks_per_s, "blocks/s"),
            None => fact("low-water-slope", slope, "blocks/s"),
        });
        evidence.extend(slope);
        let ratios =
            [("pace", growth.pace), ("evenness", growth.evenness), ("decline", growth.decline)];
        let finite = ratios.into_iter().filter(|(_, value)| value.is_finite() && *value < 1e9);
        evidence.extend(finite.map(|(name, value)| fact(name, value, "ratio")));
    }
    if let Some(backlog) = &growth.backlog {
        evidence.extend([
            fact("backlog-per-call", backlog.per_call, "blocks per call"),
            fact("backlog-curve", backlog.curve, "ratio"),
            fact("backlog-curve-filling", backlog.filling, "ratio"),
        ]);
    }
    if seen.frees_missed > 0.0 {
        evidence.push(fact("frees-missed", seen.frees_missed, "share"));
    }
    evidence
}

fn by_snapshots(ledger: &Ledger, id: SiteId, site: &Site, gains: &Gains) -> Option<Judged> {
    let growth = snapshots::judge(ledger, site, gains)?;
    let more = explain::group(growth.blocks as u64);
    let told = match (growth.snapshots, growth.by_share) {
        (1, _) if growth.unlisted.is_some_and(|count| count > 0) => {
            "One of the snapshots lists this stack. They list some stacks only: where it is not listed, how much lived \
             is not known."
                .to_owned()
        }
        (1, _) => {
            "One snapshot lists this stack's live blocks, and one shows no growth.".to_owned()
        }
        (_, Some(share)) => format!(
            "From one snapshot to the other this stack's live blocks became {more} more, {:.0} % of the bytes \
             that all stacks gained: it stands out, and that is all this rests on. Two snapshots show a \
             difference, and a cache that fills looks alike: a third one after as much work again would tell.",
            (share * 100.0).floor()
        ),
        (some, None) if let Some(unlisted) = growth.unlisted => format!(
            "From the first to the last of the {some} snapshots that list this stack its live blocks became {more} more. \
             {}They count what was allocated since they began and tell of no free: blocks that live longer than was \
             looked, and a cache that fills, look alike.",
            match unlisted {
                0 => String::new(),
                some => format!("{some} more do not list it, which tells nothing. "),
            }
        ),
        (some, None) => format!(
            "From the first to the last of {some} snapshots this stack's live blocks became {more} more. \
             Snapshots tell of no free, so that a cache that fills looks alike.",
        ),
    };
    let mut evidence = vec![
        fact("snapshots", growth.snapshots as f64, "snapshots"),
        fact("gained", growth.blocks, "blocks"),
        fact("gained-bytes", growth.bytes, "bytes"),
    ];
    if let Some(count) = growth.unlisted {
        evidence.push(fact("unlisted", count as f64, "snapshots"));
    }
    Some(Judged {
        site: id,
        process: site.process,
        stack: site.stack,
        verdict: growth.verdict,
        confidence: growth.confidence,
        evidence,
        growth_bytes_per_s: growth.bytes_per_s,
        since: site.first,
        held: Held::NotMeasured,
        blocks_per_event: None,
        decided_by: (growth.verdict == Verdict::Undecided).then(|| {
            let next = "a further snapshot, after as much work again";
            if growth.nowhere { "snapshots that list this stack" } else { next }.to_owned()
        }),
        explanation: told.into(),
        before_teardown: None,
        group: None,
        part_of: None,
        estimated: None,
    })
}

pub(super) fn fact(fact: &'static str, value: f64, unit: &'static str) -> Evidence {
    Evidence { fact, value, unit, standard_error: None }
}

fn estimated(fact: &'static str, of: Estimate, unit: &'static str) -> Evidence {
    Evidence { fact, value: of.value, unit, standard_error: Some(of.standard_error()) }
}
