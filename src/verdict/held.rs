//! What a reachability scan adds to a verdict. That nobody refers to a block any more is direct evidence: nobody
//! can free it. What is still referenced may be meant to be kept, and is judged by its numbers alone. Only blocks
//! old enough to count as survivors decide. Where frees may be missing, a block that seems lost may be one
//! that was freed unseen; and a site whose old blocks are freed after all hides its pointers from a scan: neither is
//! accused for what was not found.

use super::assessment::{Evidence, Held, Judged, Verdict};
use super::growth::{MIN_EPOCHS, MIN_SURVIVORS};
use super::observation::{MIN_DURATION_S, Observation};
use super::site::fact;
use super::statistics::ramp;
use super::survivors::Survivors;
use crate::event::RootKind;
use crate::ledger::{Ledger, Site};

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
    lost_bytes: u64,
    /// The epochs in which the lost ones were allocated, in order.
    epochs: Vec<usize>,
}

/// The verdict with what was found of the site's blocks; as it was where they were not looked for.
pub(super) fn judge(ledger: &Ledger, site: &Site, seen: &Observation, judged: Judged) -> Judged {
    let scanned = |image: &&crate::ledger::Image| {
        image.scan.as_ref().is_some_and(|scan| scan.failed.is_none())
    };
    let Some(image) = ledger.image(site.process).filter(scanned) else { return judged };
    if site.reach().is_empty() || judged.before_teardown.is_some() {
        return judged;
    }
    let survivors = Survivors::of(site, &ledger.cohorts(site), seen);
    let grid = ledger.grid(image).0;
    let old = old(site, |born| Some(grid.epoch(born)).filter(|epoch| *epoch < survivors.until));
    let mut judged = judged;
    judged.evidence.extend(evidence(site, &old));
    let most = old.lost >= HANDFUL && old.lost as f64 >= MOST * old.blocks as f64;
    let many = old.lost as f64 >= MIN_SURVIVORS && old.keeps_coming(survivors.until);
    judged.held = match old.blocks {
        0 => Held::NotMeasured,
        _ if most || many => Held::Lost,
        _ => Held::Referenced,
    };
    let trusted = !seen.releases_unseen
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
            let first = old.epochs.first().copied().unwrap_or_default();
            let span = survivors.until.saturating_sub(first).max(1) as f64 * seen.width_s;
            judged.verdict = Verdict::Leak;
            judged.confidence = by_number(old.lost);
            judged.growth_bytes_per_s = old.lost_bytes as f64 / span;
            judged.since = grid.start(first).max(site.first);
            judged.decided_by = None;
            judged.explanation = format!(
                "Nothing in the process refers any more to {} of the {} older blocks allocated here, so \
                 nobody can free them. They came from {:.1} s on, and kept coming.",
                super::explain::group(old.lost),
                super::explain::group(old.blocks),
                judged.since.seconds()
            );
        }
        _ => {}
    }
    judged
}

fn old(site: &Site, epoch: impl Fn(crate::event::Time) -> Option<usize>) -> Found {
    let mut found = Found::default();
    for reach in site.reach() {
        let Some(epoch) = epoch(reach.born) else { continue };
        found.blocks = found.blocks.saturating_add(reach.blocks);
        if reach.root.is_none() {
            found.lost = found.lost.saturating_add(reach.blocks);
            found.lost_bytes = found.lost_bytes.saturating_add(reach.bytes.0);
            found.epochs.push(epoch);
        }
    }
    found.epochs.sort_unstable();
    found.epochs.dedup();
    found
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

fn evidence(site: &Site, old: &Found) -> Vec<Evidence> {
    let sum = |kind: Option<RootKind>| {
        let of = site.reach().iter().filter(|reach| reach.root.map(|root| root.kind) == kind);
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
