//! The survivors of one site: blocks that outlived what is usual there by far. Only cohorts that
//! are old enough count, one cohort counts for no more than four usual ones (so that neither a
//! start-up population nor a single burst looks like an accumulation), and what happened before
//! the first of them is left out.

use super::growth::{MIN_EPOCHS, MIN_SURVIVORS};
use super::observation::Observation;
use super::statistics::median;
use crate::event::Time;
use crate::ledger::{Cohort, Site};

/// Blocks older than this many times the p99.9 freed lifetime are survivors.
const LIFETIMES: f64 = 4.0;

/// Where that is more than half of the observation, these shares of it are tried instead.
const CUT_AGES: [f64; 3] = [1.0 / 3.0, 1.0 / 2.0, 2.0 / 3.0];

/// So many deaths are added to those seen beyond an age, since none seen is not none to come; where blocks
/// are freed many at a time, as many times that.
const UNSEEN_DEATHS: f64 = 0.5;

/// One site's survivors.
#[derive(Debug)]
pub(super) struct Survivors {
    /// The age in seconds from which a block is one.
    pub(super) age_s: f64,
    /// Whether that age had to be cut to a third of the observation.
    pub(super) cut: bool,
    /// The first epoch with survivors worth the name.
    pub(super) from: usize,
    /// The first epoch that is not old enough.
    pub(super) until: usize,
    /// The epochs from `from` on that are old enough and in which the process worked.
    pub(super) epochs: Vec<usize>,
    /// Survivors in each of them.
    pub(super) counts: Vec<f64>,
    /// Their sum.
    pub(super) blocks: f64,
    /// Of the blocks that reached that age, the share that was freed after all.
    pub(super) late_deaths: f64,
    /// How many times over a block of that age is expected to be freed in the time that the oldest
    /// were watched beyond it: the hazard of the Kaplan-Meier estimate's tail.
    pub(super) wear: f64,
}

impl Survivors {
    pub(super) fn of(site: &Site, cohorts: &[Cohort], seen: &Observation) -> Self {
        let usual = site.lifetimes.quantile(0.999).map_or(0.0, Time::seconds);
        let wanted = (LIFETIMES * usual).max(2.0 * seen.width_s);
        let cut = wanted > seen.duration_s / 2.0;
        if !cut {
            return Self::older_than(wanted, false, site, cohorts, seen);
        }
        // The older, the fewer, but the clearer what stays from what lives long.
        let ages = CUT_AGES.map(|share| share * seen.duration_s);
        let enough = |of: &Survivors| of.blocks >= MIN_SURVIVORS && of.distinct() >= MIN_EPOCHS;
        let all = ages.map(|age| Self::older_than(age, true, site, cohorts, seen));
        let [first, others @ ..] = all;
        let better = |best: Survivors, of: Survivors| {
            if enough(&of) && of.wear < best.wear { of } else { best }
        };
        others.into_iter().fold(first, better)
    }

    fn older_than(
        age_s: f64,
        cut: bool,
        site: &Site,
        cohorts: &[Cohort],
        seen: &Observation,
    ) -> Self {
        let old = ((seen.duration_s - age_s) / seen.width_s).max(0.0) as usize;
        let old = &cohorts[..old.min(cohorts.len())];

        let alive = |c: &Cohort| c.alive as f64;
        let typical = median(old.iter().filter(|c| c.alive > 0).map(alive).collect());
        let most = (4.0 * typical).max(3.0);
        let capped: Vec<f64> = old.iter().map(|c| alive(c).min(most)).collect();
        let all: f64 = capped.iter().sum();
        let mut sum = 0.0;
        let from = capped.iter().position(|s| {
            sum += s;
            sum > all * 0.02
        });
        let from = from.unwrap_or(capped.len());
        let epochs: Vec<usize> =
            (from..capped.len()).filter(|&e| seen.busy[e] || old[e].born > 0).collect();
        let counts: Vec<f64> = epochs.iter().map(|&e| capped[e]).collect();

        let old_alive: f64 = old.iter().map(alive).sum();
        let (died_late, beyond_s) = site.lifetimes.beyond(Time((age_s * 1e9) as u64));
        let died_late = died_late as f64;
        // Watched beyond that age: what died until it died, what lives until now.
        let since = |e: usize| seen.duration_s - (e as f64 + 0.5) * seen.width_s - age_s;
        let watched: f64 =
            old.iter().enumerate().map(|(e, c)| alive(c) * since(e).max(0.0)).sum::<f64>()
                + beyond_s;
        let wear = match died_late {
            0.0 if site.frees == 0 => 0.0,
            deaths => {
                let deaths = deaths + UNSEEN_DEATHS * at_a_time(site);
                deaths * (seen.duration_s - age_s) / watched.max(1e-9)
            }
        };
        Survivors {
            age_s,
            cut,
            from,
            until: old.len(),
            blocks: counts.iter().sum(),
            epochs,
            counts,
            late_deaths: died_late / (died_late + old_alive).max(1.0),
            wear,
        }
    }

    /// What was gained in these epochs, where no block stays for good.
    pub(super) fn gains(
        from: usize,
        until: usize,
        epochs: Vec<usize>,
        counts: Vec<f64>,
        blocks: f64,
    ) -> Self {
        let (age_s, cut, late_deaths, wear) = (0.0, false, 0.0, 0.0);
        Survivors { age_s, cut, from, until, epochs, counts, blocks, late_deaths, wear }
    }

    /// The sum of a count over their epochs.
    pub(super) fn sum(&self, cohorts: &[Cohort], of: fn(&Cohort) -> u64) -> u64 {
        self.epochs.iter().map(|&e| of(&cohorts[e])).fold(0, u64::saturating_add)
    }

    /// How many different epochs have any.
    pub(super) fn distinct(&self) -> usize {
        self.counts.iter().filter(|s| **s > 0.0).count()
    }

    /// The share of eight equal parts of their epochs to which each brings at least a quarter of
    /// the mean.
    pub(super) fn steadiness(&self) -> f64 {
        let parts = self.counts.len().min(8);
        if parts == 0 {
            return 0.0;
        }
        let mut sums = vec![0.0; parts];
        let mut sizes = vec![0.0; parts];
        for (n, count) in self.counts.iter().enumerate() {
            sums[n * parts / self.counts.len()] += count;
            sizes[n * parts / self.counts.len()] += 1.0;
        }
        let mean = self.blocks / self.counts.len() as f64;
        let brings = |(sum, size): (&f64, &f64)| *sum > 0.0 && *sum >= 0.25 * mean * size;
        sums.iter().zip(&sizes).filter(|pair| brings(*pair)).count() as f64 / parts as f64
    }
}

/// How many blocks of the site are freed at a time. Where they come and go at random it is two in a row.
fn at_a_time(site: &Site) -> f64 {
    (site.frees as f64 / site.free_runs.max(1) as f64 - 1.0).max(1.0)
}
