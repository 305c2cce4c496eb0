//! Whether a site accumulates, and how sure that is. The confidence is a product of factors, each
//! 1 where the evidence is as a leak would leave it, under caps for what the observation cannot
//! exclude. The factor or cap that costs most is kept: it says what would decide the matter.

use super::backlog::Backlog;
use super::never_freed;
use super::observation::{MIN_DURATION_S, Observation};
use super::sampled::Sampled;
use super::statistics::{ramp, theil_sen, variation};
use super::survivors::Survivors;
use super::trend::{decline_of, evenness, has_ceased, pace, recent};
use crate::event::StackId;
use crate::ledger::{Cohort, Ledger, Site, StackEnd};

/// A site with fewer survivors does not accumulate visibly.
pub(super) const MIN_SURVIVORS: f64 = 20.0;

/// The same where most of the site's blocks are freed, so that those that stay stand out.
const FEW_SURVIVORS: f64 = 12.0;

/// Survivors must come from at least this many different epochs.
pub(super) const MIN_EPOCHS: usize = 5;

/// Whatever the evidence, a verdict from counts alone is no surer than this.
const SUREST: f64 = 0.97;

/// How much wear costs where the survivor age had to be cut.
const LATE_CUT: f64 = 2.0;

/// From this logarithm of likelihoods on, constant growth is taken for granted against filling.
const SURE_OF_CURVE: f64 = 3.0;

/// What keeps the confidence down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Nothing in particular.
    None,
    /// Survivors are few.
    Few,
    /// The observation is short.
    Short,
    /// Next to nothing was ever freed: it may be what is not full yet.
    NeverFreed,
    /// It slows down, as a cache that fills.
    Slowing,
    /// The share of blocks that stay depends on their age.
    Uneven,
    /// Old blocks are freed after all.
    LateDeaths,
    /// It comes in few, irregular steps.
    Irregular,
    /// It stopped with the load, which may have been the start-up.
    LoadStopped,
    /// Lost frees may explain it.
    LostFrees,
    /// A module that releases blocks unseen may explain it.
    Unseen,
    /// Frees of blocks older than the trace may explain it.
    Unmatched,
    /// Whose blocks they are was lost, or not taken.
    NoStack,
    /// The choice of the sample may explain it.
    Sampled,
}

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

/// Keeps the product of the factors, and which was the lowest.
struct Scale {
    confidence: f64,
    doubt: Doubt,
    lowest: f64,
}

impl Scale {
    fn factor(&mut self, factor: f64, doubt: Doubt) {
        self.confidence *= factor;
        self.blame(factor, doubt);
    }

    fn cap(&mut self, cap: f64, doubt: Doubt) {
        if self.confidence > cap {
            self.blame(cap / self.confidence, doubt);
            self.confidence = cap;
        }
    }

    fn blame(&mut self, by: f64, doubt: Doubt) {
        if by < self.lowest.min(0.999) {
            (self.lowest, self.doubt) = (by, doubt);
        }
    }
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
        let frees = site.frees > site.allocations / 2;
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
        let stays = growth.stays(cohorts, survivors, seen, frees, [pace.1, evenness.1, decline.1]);
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
        cohorts: &[Cohort],
        survivors: &Survivors,
        seen: &Observation,
        frees: bool,
        [pace, evenness, decline]: [f64; 3],
    ) -> Option<Scale> {
        let least = if frees { FEW_SURVIVORS } else { MIN_SURVIVORS };
        if survivors.blocks < least || survivors.distinct() < MIN_EPOCHS {
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
        let mut scale = Scale { confidence: SUREST, doubt: Doubt::None, lowest: 1.0 };
        scale.factor(0.8 + 0.2 * ramp(survivors.blocks, MIN_SURVIVORS, 100.0), Doubt::Few);
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
        let mut scale = Scale { confidence: SUREST, doubt: Doubt::None, lowest: 1.0 };
        scale.factor(0.8 + 0.2 * ramp(backlog.gains.blocks, MIN_SURVIVORS, 100.0), Doubt::Few);
        scale.factor(ramp(backlog.evidence, 0.0, SURE_OF_CURVE), Doubt::Slowing);
        scale
    }
}

/// Frees that were lost leave survivors behind in proportion to the births; frees of unknown blocks
/// may be the deaths that survivors would have replaced (a steady cache, attached to).
fn losses(scale: &mut Scale, cohorts: &[Cohort], survivors: &Survivors, seen: &Observation) {
    let born = survivors.sum(cohorts, |c| c.born);
    let explained = seen.frees_missed * born as f64;
    if explained > 0.0 {
        let left = if survivors.blocks < 3.0 * explained + 10.0 {
            0.3
        } else {
            1.0 - explained / survivors.blocks
        };
        scale.factor(left, Doubt::LostFrees);
    }
    // Nothing tells which blocks such a module is given: it may have freed every survivor.
    if seen.releases_unseen {
        scale.cap(0.45, Doubt::Unseen);
    }
    if seen.bytes_lost {
        scale.factor(0.9, Doubt::LostFrees);
    }
    let recent = survivors.epochs.len() / 2;
    let stayed: f64 = survivors.counts[recent..].iter().sum();
    let unmatched: u64 =
        survivors.epochs[recent..].iter().map(|&e| seen.activity[e].unmatched).sum();
    if unmatched as f64 >= 0.5 * stayed || seen.frees_hidden {
        scale.cap(0.45, Doubt::Unmatched);
    }
}

fn caps(
    scale: &mut Scale,
    ledger: &Ledger,
    site: &Site,
    survivors: &Survivors,
    seen: &Observation,
) {
    if seen.duration_s < MIN_DURATION_S {
        scale.cap(0.45, Doubt::Short);
    }
    if never_freed::is(site) {
        // What fills in each of several processes has its bound in each.
        let blocks = survivors.blocks / seen.processes as f64;
        scale.cap(never_freed::cap(blocks, seen.duration_s), Doubt::NeverFreed);
    }
    // A start-up builds what it keeps in an irregular rush; a leak follows the load.
    if seen.from_start && seen.duration_s < 10.0 {
        let rough = survivors.steadiness() < 0.85 || variation(&survivors.counts) > 0.6;
        if rough {
            scale.cap(0.6, Doubt::Irregular);
        }
    }
    // A site that came to life late has only its own short past to show.
    let span = survivors.epochs.len() as f64 / seen.load_end.max(1) as f64;
    scale.cap(0.5 + 0.47 * ramp(span, 0.1, 0.4), Doubt::Short);
    if seen.load_stopped() {
        scale.cap(stopped(site, survivors, seen), Doubt::LoadStopped);
    }
    match ledger.stacks().end(site.stack) {
        StackEnd::Lost => scale.cap(0.3, Doubt::NoStack),
        _ if site.stack == StackId::TRUNCATED => scale.cap(0.3, Doubt::NoStack),
        StackEnd::NotTaken => scale.cap(0.6, Doubt::NoStack),
        StackEnd::Complete | StackEnd::Truncated => {}
    }
    if site.estimated {
        scale.cap(0.85, Doubt::Few);
    }
    if site.tallied {
        scale.cap(0.9, Doubt::Few);
    }
}

/// The process fell idle and the site with it. A leak does so when its load stops, and so does
/// everything a start-up builds: it takes a run of work long enough, or several, to tell.
fn stopped(site: &Site, survivors: &Survivors, seen: &Observation) -> f64 {
    let run = seen.last_run();
    let several = survivors.from < run.saturating_sub(1)
        && survivors.epochs.iter().any(|&e| e >= run)
        && run > 0;
    let serves = seen.churn_without(site.allocations, site.frees) >= 0.5;
    stop_cap(seen, several, serves, survivors.steadiness() > 0.85)
}

/// The same by what is known of the site: whether it grew in several runs of work, whether the rest
/// of the process freed most of what it allocated, whether the site grew evenly.
pub(super) fn stop_cap(seen: &Observation, several: bool, serves: bool, even: bool) -> f64 {
    let run = seen.last_run();
    let length = seen.load_end - run;
    let from_startup = run == 0 && seen.from_start;
    let long = length as f64 * seen.width_s >= 10.0 && serves && even;
    let wide = length * 4 >= seen.busy.len();
    match (several, from_startup) {
        (true, _) => 0.85,
        (false, true) if long && wide => 0.75,
        (false, false) if wide && serves => 0.75,
        _ => 0.45,
    }
}
