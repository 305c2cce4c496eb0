//! Whether a site accumulates, and how sure that is. The confidence is a product of factors, each
//! 1 where the evidence is as a leak would leave it, under caps for what the observation cannot
//! exclude. The factor or cap that costs most is kept: it says what would decide the matter.

use super::backlog::Backlog;
use super::caps::{caps, losses};
use super::observation::Observation;
use super::sampled::Sampled;
use super::scale::{Doubt, Scale};
use super::statistics::{ramp, theil_sen};
use super::survivors::Survivors;
use super::trend::{decline_of, evenness, has_ceased, pace, recent};
use crate::ledger::{Cohort, Ledger, Site};

/// A site with fewer survivors does not accumulate visibly.
pub(super) const MIN_SURVIVORS: f64 = 20.0;

/// The same where more than a quarter of the site's blocks are freed, and where more than half are: those
/// that stay stand out.
const SOME_SURVIVORS: f64 = 12.0;
pub(super) const FEW_SURVIVORS: f64 = 8.0;

/// The factor for the fewest survivors; and where most blocks are freed, all of them far younger.
const FEWEST: f64 = 0.8;
const STANDS_OUT: f64 = 0.9;

/// Survivors must come from at least this many different epochs.
pub(super) const MIN_EPOCHS: usize = 5;

/// How much wear costs where the survivor age had to be cut.
const LATE_CUT: f64 = 2.0;

/// From this logarithm of likelihoods on, constant growth is taken for granted against filling.
const SURE_OF_CURVE: f64 = 3.0;

/// How far a site accumulates.
#[derive(Debug)]
pub(super) struct Growth {
    /// 0 to 1; 0 where there is too little to say anything.
    pub(super) confidence: f64,
    /// What costs the most confidence.
    pub(super) doubt: Doubt,
    /// Survivors per epoch in the last third of their epochs over those before.
    pub(super) pace: f64,
    /// The share of blocks surviving in the older half of their epochs over the younger.
    pub(super) evenness: f64,
    /// The Theil-Sen slope of the low-water marks, blocks per second; `None` where survivors are
    /// too few to look at it (most sites, so that judging thousands stays fast).
    pub(super) slope: Option<f64>,
    /// See [`Survivors::steadiness`].
    pub(super) steadiness: f64,
    /// By how much the rate of survivors falls over their epochs: exponent of an exponential.
    pub(super) decline: f64,
    /// Where that is what convinces, and not survivors.
    pub(super) backlog: Option<Backlog>,
}

impl Growth {
    pub(super) fn of(
        ledger: &Ledger,
        site: &Site,
        cohorts: &[Cohort],
        survivors: &Survivors,
        seen: &Observation,
        sampled: Option<&Sampled>,
    ) -> Self {
        let frees = frees(site, 2);
        let pace = pace(cohorts, survivors, seen, frees);
        let evenness = evenness(cohorts, survivors);
        let decline = decline_of(cohorts, survivors, seen, frees);
        let mut growth = Growth {
            confidence: 0.0,
            doubt: Doubt::Few,
            pace: pace.0,
            evenness: evenness.0,
            slope: None,
            steadiness: survivors.steadiness(),
            decline: decline.0,
            backlog: None,
        };
        let stays = growth.stays(site, cohorts, survivors, seen, [pace.1, evenness.1, decline.1]);
        let backlog = Backlog::of(site, cohorts, seen);
        let waits = backlog.as_ref().map(|backlog| growth.waits(backlog));
        let by_backlog = match (&stays, &waits) {
            (Some(stays), Some(waits)) => waits.confidence > stays.confidence,
            (None, Some(_)) => true,
            _ => false,
        };
        let Some(mut scale) = (if by_backlog { waits } else { stays }) else { return growth };
        let basis = match &backlog {
            Some(backlog) if by_backlog => &backlog.gains,
            _ => survivors,
        };
        losses(&mut scale, cohorts, basis, seen);
        caps(&mut scale, ledger, site, basis, seen);
        if sampled.is_some_and(|sampled| !sampled.grew()) {
            scale.cap(0.45, Doubt::Sampled);
        }
        (growth.confidence, growth.doubt) = (scale.confidence, scale.doubt);
        growth.backlog = backlog.filter(|_| by_backlog);
        growth
    }

    /// What the survivors say; `None`, and why, where they say that nothing accumulates.
    fn stays(
        &mut self,
        site: &Site,
        cohorts: &[Cohort],
        survivors: &Survivors,
        seen: &Observation,
        [pace, evenness, decline]: [f64; 3],
    ) -> Option<Scale> {
        let least = match site {
            site if frees(site, 2) => FEW_SURVIVORS,
            site if frees(site, 4) => SOME_SURVIVORS,
            _ => MIN_SURVIVORS,
        };
        // What each of several processes sets up as it begins is not growth, however many begin.
        let epochs = survivors.distinct().saturating_sub(seen.starts);
        if survivors.blocks < least || epochs < MIN_EPOCHS {
            return None;
        }
        let load = survivors.from.min(seen.load_end)..seen.load_end;
        let lows: Vec<f64> = cohorts[load].iter().map(|c| c.low as f64).collect();
        let slope = theil_sen(&lows) / seen.width_s;
        self.slope = Some(slope);
        if slope <= 0.0 {
            self.doubt = Doubt::Uneven;
            return None;
        }
        let mut scale = Scale::new();
        let fewest = if frees(site, 2) && !survivors.cut { STANDS_OUT } else { FEWEST };
        scale.few(fewest, survivors.blocks);
        scale.factor(ramp(pace, 0.4, 0.85), Doubt::Slowing);
        scale.factor(1.0 - ramp(decline, 0.15, 0.6), Doubt::Slowing);
        scale.factor(ramp(recent(&lows, cohorts, survivors, seen), 0.1, 0.5), Doubt::Slowing);
        if has_ceased(cohorts, survivors, seen) {
            scale.cap(0.45, Doubt::Slowing);
        }
        scale.factor(ramp(evenness, 0.4, 0.8), Doubt::Uneven);
        let late =
            if survivors.cut { LATE_CUT * survivors.wear } else { 1.5 * survivors.late_deaths };
        scale.factor((1.0 - late).max(0.0), Doubt::LateDeaths);
        scale.factor(0.6 + 0.4 * ramp(self.steadiness, 0.35, 0.75), Doubt::Irregular);
        Some(scale)
    }

    /// What the low-water marks say of blocks that are all freed in the end.
    fn waits(&self, backlog: &Backlog) -> Scale {
        let mut scale = Scale::new();
        scale.few(FEWEST, backlog.gains.blocks);
        scale.factor(ramp(backlog.evidence, 0.0, SURE_OF_CURVE), Doubt::Slowing);
        scale
    }
}

/// Whether more than one in so many of the site's blocks are freed.
fn frees(site: &Site, one_in: u64) -> bool {
    site.frees > site.allocations / one_in
}
