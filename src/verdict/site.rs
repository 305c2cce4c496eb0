//! One site's way through the method: survivors, growth, and if it does not accumulate, what it
//! is instead; with the numbers that were looked at.

use super::assessment::{Evidence, Held, Judged, Verdict};
use super::growth::Growth;
use super::observation::Observation;
use super::survivors::Survivors;
use super::{explain, rest, snapshots};
use crate::event::Time;
use crate::ledger::{Cohort, Ledger, Site, SiteId};

/// A site is said to accumulate from this confidence on; below, something else explains it better.
const SAYS_GROWTH: f64 = 0.5;

pub(super) fn judge(
    ledger: &Ledger,
    id: SiteId,
    site: &Site,
    seen: &Observation,
    per_event: Option<f64>,
) -> Judged {
    if let Some(judged) = by_snapshots(ledger, id, site) {
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
    per_event: Option<f64>,
) -> (Judged, Growth) {
    let survivors = Survivors::of(site, cohorts, seen);
    let growth = Growth::of(ledger, site, cohorts, &survivors, seen);
    let (verdict, confidence) = if growth.confidence >= SAYS_GROWTH {
        (Verdict::Growth, growth.confidence)
    } else {
        rest::classify(site, cohorts, &survivors, seen, &growth)
    };
    let since = since(ledger, site, cohorts, &survivors, verdict);
    let judged = Judged {
        site: id,
        process: site.process,
        stack: site.stack,
        verdict,
        confidence,
        evidence: evidence(site, cohorts, &survivors, seen, &growth),
        growth_bytes_per_s: if verdict.accumulates() {
            growth.slope.unwrap_or(0.0) * mean_bytes(cohorts, &survivors)
        } else {
            0.0
        },
        since,
        held: Held::NotMeasured,
        blocks_per_event: per_event,
        decided_by: (verdict == Verdict::Undecided)
            .then(|| explain::decided_by(&growth, site, &survivors, seen)),
        explanation: explain::explain(verdict, site, cohorts, &survivors, since),
        before_teardown: None,
    };
    (judged, growth)
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
) -> Vec<Evidence> {
    let mut evidence = vec![
        fact("allocations", site.allocations as f64, "blocks"),
        fact("frees", site.frees as f64, "blocks"),
        fact("live", site.live_blocks as f64, "blocks"),
        fact("observed", seen.duration_s, "s"),
    ];
    if site.frees_unseen > 0 {
        evidence.push(fact("frees-unseen", site.frees_unseen as f64, "blocks"));
    }
    if let Some(usual) = site.lifetimes.quantile(0.999) {
        evidence.push(fact("lifetime-p99.9", usual.seconds(), "s"));
    }
    if survivors.blocks > 0.0 {
        let born = survivors.sum(cohorts, |c| c.born);
        let alive = survivors.sum(cohorts, |c| c.alive);
        evidence.extend([
            fact("survivor-age", survivors.age_s, "s"),
            fact("survivors", alive as f64, "blocks"),
            fact("survivors-of", born as f64, "blocks"),
            fact("survivor-epochs", survivors.distinct() as f64, "epochs"),
            fact("late-deaths", survivors.late_deaths, "share"),
            fact("steadiness", growth.steadiness, "share"),
        ]);
        let slope = growth.slope.map(|slope| fact("low-water-slope", slope, "blocks/s"));
        evidence.extend(slope);
        let ratios = [("pace", growth.pace), ("evenness", growth.evenness)];
        let finite = ratios.into_iter().filter(|(_, value)| value.is_finite() && *value < 1e9);
        evidence.extend(finite.map(|(name, value)| fact(name, value, "ratio")));
    }
    if seen.frees_missed > 0.0 {
        evidence.push(fact("frees-missed", seen.frees_missed, "share"));
    }
    evidence
}

fn by_snapshots(ledger: &Ledger, id: SiteId, site: &Site) -> Option<Judged> {
    let growth = snapshots::judge(ledger, site)?;
    Some(Judged {
        site: id,
        process: site.process,
        stack: site.stack,
        verdict: growth.verdict,
        confidence: growth.confidence,
        evidence: vec![
            fact("snapshots", growth.snapshots as f64, "snapshots"),
            fact("gained", growth.blocks, "blocks"),
        ],
        growth_bytes_per_s: growth.bytes_per_s,
        since: site.first,
        held: Held::NotMeasured,
        blocks_per_event: None,
        decided_by: (growth.verdict == Verdict::Undecided)
            .then(|| "a further snapshot, after as much work again".to_owned()),
        explanation: format!(
            "{} snapshots list this stack's live blocks; from the first to the last there are {} \
             more. Snapshots tell of no free, so that a cache that fills looks alike.",
            growth.snapshots, growth.blocks
        ),
        before_teardown: None,
    })
}

pub(super) fn fact(fact: &'static str, value: f64, unit: &'static str) -> Evidence {
    Evidence { fact, value, unit }
}
