//! A site as it was before its process tore itself down: the blocks freed in the teardown are put
//! back into the epochs they were born in, and out of the lifetimes. Where exactly within an epoch a
//! block lived is not kept, so lifetimes are right to an epoch.

use super::Ledger;
use super::cohorts::Cohort;
use super::processes::Image;
use super::sampling::Estimate;
use super::sites::Site;
use super::teardown::TornDown;
use crate::event::Time;

/// A site before its process's teardown.
#[derive(Clone, Debug)]
pub struct Earlier {
    /// Its counts then.
    pub site: Site,
    /// Its epochs up to then.
    pub cohorts: Vec<Cohort>,
    /// How many blocks the teardown freed: of those recorded, in a sampled process.
    pub freed: u64,
    /// As many as these stand for.
    pub estimated_freed: Estimate,
    /// When the teardown began.
    pub until: Time,
}

impl Ledger {
    /// How a process that ended tore itself down, that is freed far more than it allocated until its
    /// end; `None` if it did not, or runs.
    pub fn teardown(&self, image: &Image) -> Option<TornDown> {
        image.teardown.of(image.began, image.ended?)
    }

    /// The site before its process's teardown; `None` where that freed none of its blocks, or there
    /// was none.
    pub fn earlier(&self, site: &Site) -> Option<Earlier> {
        let image = self.image(site.process)?;
        let until = self.teardown(image)?.began;
        let (grid, len) = self.grid(image);
        let last = grid.epoch(until);
        let mut freed = site.freed_in(image.teardown.span(), &grid, len);
        freed.truncate(last + 1);
        let sum = freed.iter().map(|(blocks, _)| *blocks).fold(0, u64::saturating_add);
        if sum == 0 {
            return None;
        }
        let mut cohorts = site.epochs(&grid, len);
        cohorts.truncate(last + 1);
        let mut lived = Vec::new();
        for (epoch, (cohort, (blocks, bytes))) in cohorts.iter_mut().zip(&freed).enumerate() {
            cohort.alive = cohort.alive.saturating_add(*blocks);
            cohort.alive_bytes = cohort.alive_bytes.saturating_add(*bytes);
            let least = until.0.saturating_sub(grid.start(epoch + 1).0);
            let most = self.end(image).0.saturating_sub(grid.start(epoch).0);
            lived.push((Time(least), Time(most), *blocks));
        }
        let mut before = site.clone();
        before.lifetimes = site.lifetimes.without(&lived);
        let mut estimated_freed = Estimate::exact(sum as f64);
        before.estimates = site.estimates().map(|estimates| {
            let (before, freed) = estimates.before(image.teardown.span(), &grid, last);
            estimated_freed = freed.blocks();
            Box::new(before)
        });
        before.allocations = total(&cohorts, |c| c.born);
        before.allocated_bytes = total(&cohorts, |c| c.born_bytes);
        before.live_blocks = total(&cohorts, |c| c.alive);
        before.live_bytes = total(&cohorts, |c| c.alive_bytes);
        let dead = before.allocations.saturating_sub(before.live_blocks);
        before.frees = dead.saturating_sub(site.frees_unseen);
        let (older, newest) = cohorts.split_at_mut(last);
        let began_with = total(older, |c| c.born).saturating_sub(total(older, |c| c.died));
        if let Some(newest) = newest.first_mut() {
            newest.low = began_with.min(before.live_blocks);
            newest.died = began_with.saturating_add(newest.born).saturating_sub(before.live_blocks);
        }
        Some(Earlier { site: before, cohorts, freed: sum, estimated_freed, until })
    }
}

fn total(cohorts: &[Cohort], of: impl Fn(&Cohort) -> u64) -> u64 {
    cohorts.iter().map(of).fold(0, u64::saturating_add)
}
