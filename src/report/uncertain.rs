//! How far the estimates of a sampled process may be off, as the report says it.

use serde::{Deserialize, Serialize};

use crate::ledger::{Estimate, EstimatedTotals, Site};
use crate::verdict::Estimated;

/// How far one estimate may be off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Uncertainty {
    /// Its standard error.
    pub standard_error: f64,
    /// The truth is at least this,
    pub low: f64,
    /// and at most this, in 95 of 100 samples.
    pub high: f64,
}

impl From<Estimate> for Uncertainty {
    fn from(estimate: Estimate) -> Self {
        let (low, high) = estimate.interval();
        Uncertainty { standard_error: estimate.standard_error(), low, high }
    }
}

impl Uncertainty {
    /// How far the truth may be from this value, in 95 of 100 samples, on the wider side.
    pub fn reach(&self, value: f64) -> f64 {
        (self.high - value).max(value - self.low).max(0.0)
    }
}

/// Of the sums over all processes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is the field of the totals it is named after")]
pub struct TotalsUncertainty {
    pub allocations: Uncertainty,
    pub frees: Uncertainty,
    pub live_blocks: Uncertainty,
    pub live_bytes: Uncertainty,
}

impl From<EstimatedTotals> for TotalsUncertainty {
    fn from(totals: EstimatedTotals) -> Self {
        TotalsUncertainty {
            allocations: totals.allocations.into(),
            frees: totals.frees.into(),
            live_blocks: totals.live_blocks.into(),
            live_bytes: totals.live_bytes.into(),
        }
    }
}

/// Of one site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is the field of the site it is named after")]
pub struct SiteUncertainty {
    pub allocations: Uncertainty,
    pub live_blocks: Uncertainty,
    pub live_bytes: Uncertainty,
    pub freed_at_end: Uncertainty,
    pub growth_bytes_per_s: Uncertainty,
    pub blocks_per_event: Option<Uncertainty>,
}

impl From<Estimated> for SiteUncertainty {
    fn from(site: Estimated) -> Self {
        SiteUncertainty {
            allocations: site.allocations.into(),
            live_blocks: site.live_blocks.into(),
            live_bytes: site.live_bytes.into(),
            freed_at_end: site.freed_at_end.into(),
            growth_bytes_per_s: site.growth_bytes_per_s.into(),
            blocks_per_event: site.blocks_per_event.map(Uncertainty::from),
        }
    }
}

impl SiteUncertainty {
    /// Of a site that is no suspect; `None` where its process was not sampled.
    pub fn of(site: &Site) -> Option<Self> {
        site.estimates().map(|_| SiteUncertainty {
            allocations: site.estimated_allocations().into(),
            live_blocks: site.estimated_live_blocks().into(),
            live_bytes: site.estimated_live_bytes().into(),
            ..SiteUncertainty::default()
        })
    }
}

/// A whole number: as counted, or the estimate where there is one. What was counted goes through no
/// float, which could not hold it.
pub fn whole(counted: u64, estimate: Option<Estimate>) -> u64 {
    estimate.map_or(counted, |estimate| estimate.value.round() as u64)
}
