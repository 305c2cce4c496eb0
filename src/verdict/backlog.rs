//! A site that frees all its blocks in the end and still grows: a queue whose consumer does not keep
//! up. No block of it survives for good, so its survivors tell nothing; its low-water mark does. Looked
//! at against the site's own calls it rises at a constant rate, while what only fills (connections that
//! last, a cache that evicts) rises ever less: from the share that it gained on the whole follows how
//! much less, and the two are weighed against each other.

use super::growth::MIN_SURVIVORS;
use super::observation::Observation;
use super::statistics::theil_sen_over;
use super::survivors::Survivors;
use crate::ledger::{Cohort, Site};

/// So many parts of the site's calls must each gain.
const PARTS: usize = 8;

/// A gain smaller than so many standard deviations of a random walk of as many steps is none: a queue
/// that barely keeps up wanders that far.
const WALK: f64 = 2.0;

/// One site's backlog.
#[derive(Debug)]
pub(super) struct Backlog {
    /// Blocks gained per call: the Theil-Sen slope of the low-water marks against the calls.
    pub(super) per_call: f64,
    /// The same slope of the later half of the calls over that of the earlier.
    pub(super) curve: f64,
    /// What that ratio would be if the site only filled, at the share it gained.
    pub(super) filling: f64,
    /// How much likelier the curve is of constant growth than of filling: natural logarithm.
    pub(super) evidence: f64,
    /// What it gained, epoch by epoch, in the place of survivors.
    pub(super) gains: Survivors,
}

impl Backlog {
    /// `None` where the site freed too little, or gained too little, or not all along.
    pub(super) fn of(site: &Site, cohorts: &[Cohort], seen: &Observation) -> Option<Self> {
        if (site.frees as f64) < MIN_SURVIVORS || (site.live_blocks as f64) < MIN_SURVIVORS {
            return None;
        }
        let end = seen.load_end.min(cohorts.len());
        let from = cohorts[..end].iter().position(|c| c.born > 0)?;
        let epochs: Vec<usize> =
            (from..end).filter(|&e| seen.busy[e] || cohorts[e].born > 0).collect();
        if epochs.len() < PARTS {
            return None;
        }
        let gained = |e: usize| cohorts[e].born as f64 - cohorts[e].died as f64;
        let mut calls = 0.0;
        let points: Vec<(f64, f64)> = epochs
            .iter()
            .map(|&e| {
                // The lowest mark of an epoch of growth is at its beginning.
                let point = (calls, cohorts[e].low as f64);
                calls += cohorts[e].born as f64;
                point
            })
            .collect();
        let net: f64 = epochs.iter().map(|&e| gained(e)).sum();
        let steps = 2.0 * calls - net;
        if net < MIN_SURVIVORS || net < WALK * steps.sqrt() {
            return None;
        }
        let mut parts = [0.0; PARTS];
        for (&e, (before, _)) in epochs.iter().zip(&points) {
            let middle = before + cohorts[e].born as f64 / 2.0;
            parts[((middle / calls * PARTS as f64) as usize).min(PARTS - 1)] += gained(e);
        }
        let least = parts.iter().fold(f64::INFINITY, |least, part| least.min(*part));
        if least < LEAST_PART * net / PARTS as f64 {
            return None;
        }
        let half = points.partition_point(|(before, _)| *before < calls / 2.0);
        let (earlier, later) = (theil_sen_over(&points[..half]), theil_sen_over(&points[half..]));
        if earlier <= 0.0 {
            return None;
        }
        let share = (net / calls).clamp(0.0, 1.0);
        let curve = later / earlier;
        let filling = filling(share);
        // Each half's gain is a sum of calls of which this share stay.
        let error = (4.0 * (1.0 - share) / (calls * share)).sqrt().max(LEAST_ERROR);
        let off = |from: f64| ((curve.min(1.0) - from) / error).powi(2);
        let evidence = if curve <= filling { 0.0 } else { (off(filling) - off(1.0)) / 2.0 };
        let counts: Vec<f64> = epochs.iter().map(|&e| gained(e).max(0.0)).collect();
        let gains = Survivors::gains(from, end, epochs, counts, net);
        Some(Backlog { per_call: theil_sen_over(&points), curve, filling, evidence, gains })
    }
}

impl Backlog {
    /// Blocks gained per second.
    pub(super) fn per_s(&self, seen: &Observation) -> f64 {
        let epochs = self.gains.until.saturating_sub(self.gains.from).max(1);
        self.gains.blocks / (epochs as f64 * seen.width_s)
    }
}

/// No part may gain less than this share of the mean part.
const LEAST_PART: f64 = 0.4;

/// The ratio of two slopes is not known better than this: epochs cut the calls unevenly.
const LEAST_ERROR: f64 = 0.08;

/// Where every block is freed at a constant hazard, the live set after n calls is as many as
/// m (1 - exp(-n / m)). How the slopes of its two halves compare if this share of all still lives.
fn filling(share: f64) -> f64 {
    let (mut low, mut high) = (1e-3, 1e3);
    for _ in 0..40 {
        let m: f64 = f64::sqrt(low * high);
        if m * (1.0 - (-1.0 / m).exp()) < share { low = m } else { high = m }
    }
    (-0.5 / low).exp()
}
