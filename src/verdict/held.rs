//! What a reachability scan adds to a verdict. That nobody refers to a block any more is direct evidence: nobody
//! can free it. What is still referenced may be meant to be kept, and is judged by its numbers alone. Only blocks
//! old enough to count as survivors decide. Where frees may be missing, a block that seems lost may be one
//! that was freed unseen; and a site whose old blocks are freed after all hides its pointers from a scan: neither is
//! accused for what was not found.

use super::assessment::{Evidence, Held, Judged, Verdict};
use super::explanation::Explanation;
use super::growth::{MIN_EPOCHS, MIN_SURVIVORS};
use super::observation::{MIN_DURATION_S, Observation};
use super::site::fact;
use super::statistics::ramp;
use super::survivors::Survivors;
use crate::event::{Bytes, Reach, RootKind, Time};
use crate::ledger::{Estimate, Grid, Ledger, Sampling, Site, Together};

/// From this share of a site's old blocks on the site counts as lost.
const MOST: f64 = 0.9;
/// Fewer lost blocks say nothing: a pointer may have been in a form that is not looked for.
const HANDFUL: u64 = 5;
/// A larger share of missed frees, or of old blocks that were freed after all, speaks against the scan.
const FREES_MISSED_MOST: f64 = 0.01;
const LATE_DEATHS_MOST: f64 = 0.2;

/// The old blocks of a site, as the scan found them.
#[derive(Debug, Default)]
struct Found {
    blocks: u64,
    lost: u64,
    lost_bytes: Estimate,
    /// The epochs in which the lost ones were allocated, in order.
    epochs: Vec<usize>,
}

/// What its sites, one or several as one, are judged against.
struct Subject<'a> {
    /// The first allocation.
    first: Time,
    survivors: Survivors,
    grid: Grid,
    seen: &'a Observation,
}

/// The verdict with what was found of the site's blocks; as it was where they were not looked for.
pub(super) fn judge(ledger: &Ledger, site: &Site, seen: &Observation, judged: Judged) -> Judged {
    let Some(image) = ledger.image(site.process) else { return judged };
    if judged.before_teardown.is_some() {
        return judged;
    }
    let subject = || {
        let survivors = Survivors::of(site, &ledger.cohorts(site), seen);
        let grid = ledger.grid(image).0;
        Subject { first: site.first, survivors, grid, seen }
    };
    with_scans(ledger, &[site], subject, judged)
}

/// The same of sites that are judged as one, by what was found of all of their blocks that were looked for.
pub(super) fn judge_together(
    ledger: &Ledger,
    sites: &[&Site],
    sum: &Together,
    seen: &Observation,
    judged: Judged,
) -> Judged {
    let Some(leader) = ledger.image(sum.leader) else { return judged };
    let subject = || {
        let survivors = Survivors::of(&sum.site, &sum.cohorts, seen);
        let grid = ledger.grid(leader).0;
        Subject { first: sum.site.first, survivors, grid, seen }
    };
    with_scans(ledger, sites, subject, judged)
}

fn with_scans<'a>(
    ledger: &Ledger,
    sites: &[&Site],
    subject: impl FnOnce() -> Subject<'a>,
    mut judged: Judged,
) -> Judged {
    let scan = |site: &&Site| {
        let scan = ledger.image(site.process)?.scan.as_ref()?;
        (scan.failed.is_none() && !site.reach().is_empty()).then_some(scan)
    };
    if !sites.iter().any(|site| scan(site).is_some()) {
        return judged;
    }
    let Subject { first, survivors, grid, seen } = subject();
    let old =
        old(ledger, sites, |born| Some(grid.epoch(born)).filter(|epoch| *epoch < survivors.until));
    judged.evidence.extend(evidence(sites, &old));
    let most = old.lost >= HANDFUL && old.lost as f64 >= MOST * old.blocks as f64;
    // Of another moment's memory some that were freed meanwhile always seem lost.
    let exact = sites.iter().filter_map(scan).all(|scan| scan.exact);
    let many = old.lost as f64 >= MIN_SURVIVORS && old.keeps_coming(survivors.until);
    let many = many && (exact || most);
    // What is missing of a process's own memory may well refer to them.
    let all_read = sites.iter().filter_map(scan).all(|scan| scan.unread.own.0 == 0);
    judged.held = match old.blocks {
        0 => Held::NotMeasured,
        _ if (most || many) && !all_read => Held::NotMeasured,
        _ if most || many => Held::Lost,
        _ => Held::Referenced,
    };
    let trusted = all_read
        && !seen.releases_unseen
        && !seen.bytes_lost
        && seen.frees_missed <= FREES_MISSED_MOST
        && survivors.late_deaths <= LATE_DEATHS_MOST
        && seen.duration_s >= MIN_DURATION_S;
    match judged.verdict {
        Verdict::Growth if judged.held == Held::Lost && trusted => {
            judged.verdict = Verdict::Leak;
            judged.decided_by = None;
            judged.confidence = surer(judged.confidence).max(by_number(old.lost));
        }
        // What slows down may look like a cache that fills: but nobody keeps what nobody refers to.
        Verdict::Undecided | Verdict::Cache
            if many && trusted && (most || judged.verdict == Verdict::Undecided) =>
        {
            let from = old.epochs.first().copied().unwrap_or_default();
            let span = survivors.until.saturating_sub(from).max(1) as f64 * seen.width_s;
            let growth = old.lost_bytes.per(span);
            judged.verdict = Verdict::Leak;
            judged.confidence = by_number(old.lost);
            judged.growth_bytes_per_s = growth.value;
            if let Some(estimated) = &mut judged.estimated {
                estimated.growth_bytes_per_s = growth;
            }
            judged.since = grid.start(from).max(first);
            judged.decided_by = None;
            let words = format!(
                "Nothing in the process refers any more to {} of the {} older blocks {} here, so \
                 nobody can free them. They came from ",
                super::explain::group(old.lost),
                super::explain::group(old.blocks),
                if judged.estimated.is_some() { "recorded" } else { "allocated" },
            );
            let after = " on, and kept coming.".to_owned();
            judged.explanation = Explanation::around(words, judged.since, after);
        }
        _ => {}
    }
    judged
}

fn old(ledger: &Ledger, sites: &[&Site], epoch: impl Fn(Time) -> Option<usize>) -> Found {
    let mut found = Found::default();
    for site in sites {
        let sampling = ledger.image(site.process).and_then(|image| image.sampling);
        for reach in site.reach() {
            let Some(epoch) = epoch(reach.born) else { continue };
            found.blocks = found.blocks.saturating_add(reach.blocks);
            if reach.root.is_none() {
                found.lost = found.lost.saturating_add(reach.blocks);
                found.lost_bytes = found.lost_bytes.and(stands_for(reach, sampling));
                found.epochs.push(epoch);
            }
        }
    }
    found.epochs.sort_unstable();
    found.epochs.dedup();
    found
}

/// The bytes that these blocks stand for: of a sample, as if each were of their mean size.
fn stands_for(reach: &Reach, sampling: Option<Sampling>) -> Estimate {
    let Some(sampling) = sampling else { return Estimate::exact(reach.bytes.0 as f64) };
    let one = sampling.weight(Bytes(reach.bytes.0 / reach.blocks.max(1))).bytes();
    let blocks = reach.blocks as f64;
    Estimate { value: one.value * blocks, variance: one.variance * blocks, grain: one.grain }
}

impl Found {
    /// Whether lost blocks come from several epochs and were still added in the last third of those that are
    /// old enough: what a start-up loses it loses once.
    fn keeps_coming(&self, until: usize) -> bool {
        self.epochs.len() >= MIN_EPOCHS
            && self.epochs.last().is_some_and(|last| (last + 1) * 3 >= until * 2)
    }
}

/// A quarter of the doubt is left.
fn surer(confidence: f64) -> f64 {
    (1.0 - (1.0 - confidence) / 4.0).min(0.99)
}

/// How sure the number of lost blocks alone makes.
fn by_number(lost: u64) -> f64 {
    0.8 + 0.15 * ramp(lost as f64, MIN_SURVIVORS, 5.0 * MIN_SURVIVORS)
}

fn evidence(sites: &[&Site], old: &Found) -> Vec<Evidence> {
    let sum = |kind: Option<RootKind>| {
        let all = sites.iter().flat_map(|site| site.reach());
        let of = all.filter(|reach| reach.root.map(|root| root.kind) == kind);
        of.fold(0, |sum: u64, reach| sum.saturating_add(reach.blocks))
    };
    let kinds = [
        ("lost", None),
        ("held-by-global", Some(RootKind::Global)),
        ("held-by-thread-local", Some(RootKind::ThreadLocal)),
        ("held-by-mapping", Some(RootKind::Mapping)),
        ("held-by-untold", Some(RootKind::Untold)),
        ("held-by-stack", Some(RootKind::Stack)),
        ("held-by-register", Some(RootKind::Register)),
    ];
    let found = kinds.into_iter().map(|(name, kind)| (name, sum(kind))).filter(|of| of.1 > 0);
    [("scanned-old", old.blocks), ("lost-old", old.lost)]
        .into_iter()
        .chain(found)
        .map(|(name, blocks)| fact(name, blocks as f64, "blocks"))
        .collect()
}
