//! Sites known from snapshots of the live set alone (UMDH): no births, no frees, only how much
//! lived when somebody looked. Two snapshots show a difference, not a growth; it takes several
//! that rise in step to be sure.

use super::assessment::Verdict;
use super::statistics::theil_sen;
use crate::ledger::{Ledger, LiveSet, Site};

/// What a series of snapshots says of a site.
#[derive(Debug)]
pub(super) struct SnapshotGrowth {
    pub(super) verdict: Verdict,
    pub(super) confidence: f64,
    pub(super) blocks: f64,
    pub(super) bytes_per_s: f64,
    pub(super) snapshots: usize,
}

/// `None` for a site that no snapshot lists, or that was also seen block by block.
pub(super) fn judge(ledger: &Ledger, site: &Site) -> Option<SnapshotGrowth> {
    if site.allocations > 0 || site.snapshots.points().is_empty() {
        return None;
    }
    // A snapshot that does not list the stack found none of its blocks.
    let none = LiveSet { blocks: 0, bytes: crate::event::Bytes(0) };
    let live = |number: u32| {
        let points = site.snapshots.points();
        points.binary_search_by_key(&number, |p| p.0).map_or(none, |at| points[at].1)
    };
    let times: Vec<f64> = ledger.snapshots().iter().map(|(_, time)| time.seconds()).collect();
    let sets: Vec<LiveSet> = ledger.snapshots().iter().map(|(number, _)| live(*number)).collect();
    let (first, last) = (sets.first()?, sets.last()?);
    let duration = times.last()? - times.first()?;
    let gained = last.blocks as f64 - first.blocks as f64;
    let blocks: Vec<f64> = sets.iter().map(|set| set.blocks as f64).collect();
    let rising = blocks.windows(2).filter(|w| w[1] > w[0]).count();
    let steps = blocks.len() - 1;
    let (verdict, confidence) = if steps == 0 {
        (Verdict::Undecided, 0.2)
    } else if gained <= 0.0 {
        (Verdict::Steady, 0.7)
    } else if gained < super::growth::MIN_SURVIVORS {
        (Verdict::Undecided, 0.3)
    } else if rising < steps || theil_sen(&blocks) <= 0.0 {
        (if rising * 2 <= steps { Verdict::Cache } else { Verdict::Undecided }, 0.4)
    } else {
        (Verdict::Growth, *[0.6, 0.72, 0.8, 0.85].get(steps - 1).unwrap_or(&0.9) * pace(&blocks))
    };
    let bytes = last.bytes.0 as f64 - first.bytes.0 as f64;
    let bytes_per_s = if duration > 0.0 && verdict.accumulates() { bytes / duration } else { 0.0 };
    Some(SnapshotGrowth {
        verdict,
        confidence,
        blocks: gained.max(0.0),
        bytes_per_s: bytes_per_s.max(0.0),
        snapshots: sets.len(),
    })
}

/// 1 if the last step is not much smaller than the mean step, less if it slows down.
fn pace(blocks: &[f64]) -> f64 {
    let steps: Vec<f64> = blocks.windows(2).map(|w| w[1] - w[0]).collect();
    let mean = steps.iter().sum::<f64>() / steps.len() as f64;
    steps.last().map_or(0.0, |last| super::statistics::ramp(last / mean, 0.0, 0.6))
}
