//! The smallest leak that would have been a suspect: what a report without suspects has to say. It
//! follows from the thresholds, the caps, the length of the observation and what was lost, in
//! blocks of the size that is usual in the process. Where a cap would have kept any leak from
//! being a suspect nothing is claimed, and it is said why.

use super::DEFAULT_MIN_CONFIDENCE;
use super::assessment::Unmeasured;
use super::caps::stop_cap;
use super::growth::MIN_EPOCHS;
use super::never_freed;
use super::observation::{MIN_DURATION_S, Observation};
use super::statistics::median;
use crate::event::{Bytes, Metric};
use crate::ledger::{Image, Ledger, StackEnd};

/// A process of which a larger share of the allocations, or of their stacks, was lost is not measured.
const MOST_LOST: f64 = 0.5;

/// What could have been seen in a trace.
pub(super) struct Detectable {
    /// The largest of the processes' smallest leaks, in bytes per second.
    pub(super) bytes_per_s: Result<f64, Unmeasured>,
    /// How many processes that allocated could not be measured.
    pub(super) unmeasured: u64,
}

/// Over all processes. If those that could not be measured allocated more than the others, nothing
/// can be said of the trace, for the reason that holds for most of it.
pub(super) fn judge<'a>(
    ledger: &Ledger,
    seen: impl Iterator<Item = (&'a Image, &'a Observation)>,
) -> Detectable {
    let mut least = None;
    let (mut measured, mut not) = (0u64, 0u64);
    let mut unmeasured = 0;
    let mut why = (0, Unmeasured::NothingAllocated);
    for (image, seen) in seen {
        match process(ledger, image, seen) {
            Ok(rate) => {
                least = Some(f64::max(rate, least.unwrap_or(0.0)));
                measured = measured.saturating_add(bytes(ledger, image));
            }
            Err(Unmeasured::NothingAllocated) => {}
            // No block was seen by itself: there is nothing to measure, and nothing that was missed.
            Err(
                reason @ (Unmeasured::OneSnapshot
                | Unmeasured::Snapshots
                | Unmeasured::CountersOnly),
            ) => {
                if why.0 == 0 {
                    why.1 = reason;
                }
            }
            Err(reason) => {
                let bytes = bytes(ledger, image);
                not = not.saturating_add(bytes);
                unmeasured += 1;
                if why.0 <= bytes {
                    why = (bytes, reason);
                }
            }
        }
    }
    let bytes_per_s = least.filter(|_| not <= measured).ok_or(why.1);
    Detectable { bytes_per_s, unmeasured }
}

/// What a process allocated.
fn bytes(ledger: &Ledger, image: &Image) -> u64 {
    let sites = image.sites().filter_map(|id| ledger.site(id));
    sites.map(|site| site.allocated_bytes).fold(0, u64::saturating_add)
}

fn process(ledger: &Ledger, image: &Image, seen: &Observation) -> Result<f64, Unmeasured> {
    let lost = ledger.lost_in(image);
    if image.allocations == 0 && !lost.allocations_missing() {
        return Err(instead(ledger, image));
    }
    if seen.frees_hidden {
        return Err(Unmeasured::Sampled);
    }
    let thinned = lost_share(ledger, image);
    if lost.bytes > 0 || thinned > MOST_LOST {
        return Err(Unmeasured::Lost);
    }
    if seen.releases_unseen {
        return Err(Unmeasured::FreesUnseen);
    }
    let load_s = (seen.load_end as f64 * seen.width_s).min(seen.duration_s);
    // The youngest two epochs are never old enough.
    let old_s = load_s.min(seen.duration_s - 2.0 * seen.width_s);
    let short = old_s < MIN_EPOCHS as f64 * seen.width_s || load_s < MIN_DURATION_S;
    if short {
        let stopped = seen.load_stopped() && seen.duration_s >= 2.0 * MIN_DURATION_S;
        return Err(if stopped { Unmeasured::LoadStopped } else { Unmeasured::Short });
    }
    // As even a leak as there can be would not have been a suspect.
    if seen.load_stopped() && steady_cap(seen) < DEFAULT_MIN_CONFIDENCE {
        return Err(Unmeasured::LoadStopped);
    }
    // As many as the confidence needs with no free ever seen at the site: the inverse of the caps.
    let needed = never_freed::blocks(DEFAULT_MIN_CONFIDENCE, seen.duration_s);
    let unmatched: u64 = seen.activity[seen.activity.len() / 2..].iter().map(|a| a.unmatched).sum();
    let blocks = needed.max(4.0 * unmatched as f64).max(usual_losses(image, seen));
    let sites = image.sites().filter_map(|id| ledger.site(id));
    let sizes = sites.filter_map(|site| site.sizes.median()).map(|size| size.0 as f64);
    let size = median(sizes.collect()).max(1.0);
    let blocks = blocks / (1.0 - thinned);
    let Some(sampling) = image.sampling else { return Ok(blocks / old_s * size) };
    // So many must be recorded, and a leak at the limit must not leave that to chance.
    let size = Bytes(size as u64);
    let passed_over = 1.0 - sampling.probability(size);
    let recorded = blocks + 1.96 * (blocks * passed_over).sqrt() + 2.0 * passed_over;
    Ok(recorded / old_s * sampling.weight(size).bytes().value)
}

/// What there is of a process of which no allocation was seen.
fn instead(ledger: &Ledger, image: &Image) -> Unmeasured {
    let mut sites = image.sites().filter_map(|id| ledger.site(id));
    match image.snapshots().len() {
        1 if sites.any(|site| !site.snapshots.points().is_empty()) => Unmeasured::OneSnapshot,
        2.. if sites.any(|site| !site.snapshots.points().is_empty()) => Unmeasured::Snapshots,
        _ if is_counted(image) => Unmeasured::CountersOnly,
        _ => Unmeasured::NothingAllocated,
    }
}

/// Whether a process is known by its counters. One that was traced has modules, and its resident bytes
/// are taken on the way.
fn is_counted(image: &Image) -> bool {
    let mut metrics = image.metrics().map(|(metric, _)| metric);
    metrics.any(|metric| metric != Metric::Rss || image.mappings().is_empty())
}

/// The cap on a leak that adds blocks whenever the process works.
fn steady_cap(seen: &Observation) -> f64 {
    let run = seen.last_run();
    let first = seen.busy.iter().position(|busy| *busy).unwrap_or(0);
    stop_cap(seen, run > 0 && first < run - 1, seen.churn_without(0, 0) >= 0.5, true)
}

/// The share of the allocations that were lost, or of which it is not known where they were made.
fn lost_share(ledger: &Ledger, image: &Image) -> f64 {
    let lost = ledger.lost_in(image);
    let missing = lost.allocations.saturating_add(lost.events) as f64;
    let unknown = |end| matches!(end, StackEnd::Lost | StackEnd::NotTaken);
    let sites = image.sites().filter_map(|id| ledger.site(id));
    let nowhere = sites.filter(|site| unknown(ledger.stacks().end(site.stack)));
    let nowhere: u64 = nowhere.map(|site| site.allocations).fold(0, u64::saturating_add);
    let nowhere = nowhere.max(lost.stacks).min(image.allocations) as f64;
    (missing + nowhere) / (missing + image.allocations as f64).max(1.0)
}

/// Survivors that lost frees leave at the usual site, three times over.
fn usual_losses(image: &Image, seen: &Observation) -> f64 {
    if seen.frees_missed == 0.0 {
        return 0.0;
    }
    let sites = image.sites().len().max(1) as f64;
    3.0 * seen.frees_missed * image.allocations as f64 / sites + 10.0
}
