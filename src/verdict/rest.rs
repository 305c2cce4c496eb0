//! What a site is that does not accumulate: steady, a cache, a one-off, or not to be told yet. The
//! rules look at whether births went on, whether the low-water mark returns, and when the live
//! set grew.

use super::assessment::Verdict;
use super::growth::{Growth, MIN_SURVIVORS};
use super::observation::Observation;
use super::scale::Doubt;
use super::statistics::theil_sen;
use super::survivors::Survivors;
use crate::ledger::{Cohort, Site};

/// The verdict and confidence for a site of which [`Growth`] is not convinced.
pub(super) fn classify(
    site: &Site,
    cohorts: &[Cohort],
    survivors: &Survivors,
    seen: &Observation,
    growth: &Growth,
) -> (Verdict, f64) {
    if site.live_blocks == 0 {
        return (Verdict::Steady, 0.95);
    }
    let blamed = [
        Doubt::LostFrees,
        Doubt::Unseen,
        Doubt::Unmatched,
        Doubt::NoStack,
        Doubt::LoadStopped,
        Doubt::Sampled,
    ];
    if growth.confidence > 0.0 && blamed.contains(&growth.doubt) {
        return (Verdict::Undecided, growth.confidence);
    }
    let end = seen.load_end.max(1).min(cohorts.len());
    let first = cohorts.iter().position(|c| c.born > 0).unwrap_or(0);
    let last = cohorts.iter().rposition(|c| c.born > 0).unwrap_or(0);
    let went_on = last + 1 > end - (end.saturating_sub(first)) / 3;
    if !went_on {
        let short = last - first < (cohorts.len() / 4).max(1);
        let few = (site.live_blocks as f64) < MIN_SURVIVORS;
        return if short || few { (Verdict::OneOff, 0.9) } else { (Verdict::Cache, 0.8) };
    }
    if (site.allocations as f64) < MIN_SURVIVORS {
        let spread = last - first >= cohorts.len() / 2 && site.live_blocks >= 3;
        let keeps = site.frees * 2 < site.allocations;
        // Few were recorded; how many there were is another matter.
        if keeps && site.estimates().is_some() {
            return (Verdict::Undecided, 0.3);
        }
        return match (spread && keeps, keeps) {
            (true, _) => (Verdict::Undecided, 0.3),
            (_, true) => (Verdict::OneOff, 0.7),
            _ => (Verdict::Steady, 0.7),
        };
    }
    flatness(cohorts, first.min(end - 1), end, survivors, growth)
}

fn flatness(
    cohorts: &[Cohort],
    first: usize,
    end: usize,
    survivors: &Survivors,
    growth: &Growth,
) -> (Verdict, f64) {
    let lows: Vec<f64> = cohorts[first..end].iter().map(|c| c.low as f64).collect();
    let highs = cohorts[first..end].iter().map(|c| c.high).max().unwrap_or(0) as f64;
    let later = &lows[lows.len() / 2..];
    let rise = theil_sen(later) * later.len() as f64;
    let flat = rise <= (0.1 * highs).max(2.0);
    let early = cohorts[first..end].iter().take(lows.len().div_ceil(4)).map(|c| c.high).max();
    let grew = (early.unwrap_or(0) as f64) < 0.6 * highs;
    match (flat, growth.doubt) {
        // A single object that is reallocated again and again is always alive, and steady.
        (true, _) if grew && highs >= MIN_SURVIVORS => (Verdict::Cache, 0.8),
        (true, _) => (Verdict::Steady, 0.85),
        (false, Doubt::Slowing | Doubt::Uneven | Doubt::LateDeaths) if survivors.blocks > 0.0 => {
            (Verdict::Cache, 0.6)
        }
        _ => (Verdict::Undecided, growth.confidence.max(0.2)),
    }
}
