//! Whether a site keeps growing as it did: its survivors' rate, late against early and over the whole,
//! by the clock, by the work of the process and by the site's own calls; their share of each cohort;
//! and whether the recent past still brings any. All of it is given with what chance may do to it.

use super::observation::Observation;
use super::statistics::{decline, error, last_third, median, ratio, theil_sen};
use super::survivors::Survivors;
use crate::ledger::Cohort;

/// So many standard errors a decline may be chance.
const FAVOURED_ERRORS: f64 = 1.5;

/// Survivors in the last third of their epochs over those before, per epoch in which the process
/// worked. Where the load itself fell, up to 1.6 times that, as the frees of other sites tell.
pub(super) fn pace(
    cohorts: &[Cohort],
    survivors: &Survivors,
    seen: &Observation,
    frees: bool,
) -> (f64, f64) {
    let by_time = last_third(&survivors.counts);
    let of = |time: f64, work: f64| time.max(work.min(1.6 * time));
    let by = |done: Vec<f64>| {
        let mean = done.iter().sum::<f64>() / done.len().max(1) as f64;
        let rates: Vec<f64> =
            survivors.counts.iter().zip(&done).map(|(count, done)| count * mean / done).collect();
        last_third(&rates)
    };
    let work = seen.work(&survivors.epochs, |e| cohorts[e].died).map(by);
    let pace = work.map_or(by_time, |by_work| (of(by_time.0, by_work.0), of(by_time.1, by_work.1)));
    let calls = calls(cohorts, survivors, frees).map(by);
    calls.map_or(pace, |by_calls| (pace.0.max(by_calls.0), pace.1.max(by_calls.1)))
}

/// The calls of the site itself, where most of its blocks are freed: of these a leak keeps a share. Where
/// they stay, calls and survivors are the same thing.
fn calls(cohorts: &[Cohort], survivors: &Survivors, frees: bool) -> Option<Vec<f64>> {
    let calls = || survivors.epochs.iter().map(|&e| (cohorts[e].born as f64).max(1.0)).collect();
    frees.then(calls)
}

/// By how much the rate of survivors falls over their epochs, and one standard error in the site's
/// favour; against the clock or the work of the process, whichever shows less of it.
pub(super) fn decline_of(
    cohorts: &[Cohort],
    survivors: &Survivors,
    seen: &Observation,
    frees: bool,
) -> (f64, f64) {
    // What a start-up puts down at once is no rate that falls.
    let typical = median(survivors.counts.iter().copied().filter(|c| *c > 0.0).collect());
    let counts: Vec<f64> = survivors.counts.iter().map(|c| c.min(2.0 * typical.max(1.0))).collect();
    let favoured = |(decline, error): (f64, f64)| (decline, decline - FAVOURED_ERRORS * error);
    let clocks = [
        Some(vec![1.0; counts.len()]),
        seen.work(&survivors.epochs, |e| cohorts[e].died),
        calls(cohorts, survivors, frees),
    ];
    let declines = clocks.into_iter().flatten().map(|widths| favoured(decline(&counts, &widths)));
    declines.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default()
}

/// The share of blocks that survive, older half of the epochs against the younger: the smaller
/// over the larger, signed by nothing; a leak keeps a constant share.
pub(super) fn evenness(cohorts: &[Cohort], survivors: &Survivors) -> (f64, f64) {
    let (older, younger) = survivors.epochs.split_at(survivors.epochs.len() / 2);
    let share = |epochs: &[usize]| {
        let sum = |of: fn(&Cohort) -> u64| {
            epochs.iter().map(|&e| of(&cohorts[e])).fold(0, u64::saturating_add)
        };
        sum(|c| c.alive) as f64 / sum(|c| c.born).max(1) as f64
    };
    let (older_share, younger_share) = (share(older), share(younger));
    let error = error(&survivors.counts, older.len(), younger.len());
    let (low, high) = (older_share.min(younger_share), older_share.max(younger_share));
    let (_, favoured) = ratio(low, high, error);
    (older_share / younger_share.max(f64::MIN_POSITIVE), favoured)
}

/// Where survivors must be so old that the recent past has none: whether the low-water marks still
/// rise in it, as a share of their rise before. 1 where survivors reach into the recent past.
pub(super) fn recent(
    lows: &[f64],
    cohorts: &[Cohort],
    survivors: &Survivors,
    seen: &Observation,
) -> f64 {
    let third = lows.len() / 3;
    let reached = survivors.epochs.last().map_or(0, |last| last + 1);
    if third < 2 || reached + third / 2 >= seen.load_end {
        return if cohorts[..seen.load_end].iter().rev().take(third + 2).any(|c| c.born > 0) {
            1.0
        } else {
            0.0
        };
    }
    let (before, after) = lows.split_at(lows.len() - third);
    let earlier = theil_sen(before);
    if earlier <= 0.0 { 0.0 } else { theil_sen(after) / earlier }
}

/// Whether a site that added blocks in each of five sixths of its time adds next to none in the
/// last sixth, though the process works: a warm-up is over sooner than its last third tells.
pub(super) fn has_ceased(cohorts: &[Cohort], survivors: &Survivors, seen: &Observation) -> bool {
    let load = survivors.from.min(seen.load_end)..seen.load_end;
    let alive: Vec<f64> = load.filter(|&e| seen.busy[e]).map(|e| cohorts[e].alive as f64).collect();
    let sixth = alive.len() / 6;
    if sixth == 0 {
        return false;
    }
    let (before, last) = alive.split_at(alive.len() - sixth);
    let mean = before.iter().sum::<f64>() / before.len() as f64;
    let regular = before
        .chunks(sixth)
        .all(|part| part.iter().sum::<f64>() >= 0.25 * mean * part.len() as f64);
    let expected = mean * sixth as f64;
    regular && expected >= 10.0 && last.iter().sum::<f64>() < 0.1 * expected
}
