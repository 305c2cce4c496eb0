//! Several sites looked at as one: those that differ only in how deep a recursion was, or in which
//! of a server's sibling processes they are. Sums, on the epochs of the process that was seen for
//! longest; epochs of others go where their middle lies. The lowest mark of the sum is at least the
//! sum of the lowest marks, which is what is kept. Nothing of it is stored.

use super::Ledger;
use super::cohorts::Cohort;
use super::processes::{Activity, Image};
use super::sites::{Site, SiteId};
use crate::event::{ProcessId, Time};

/// Sites as one.
#[derive(Clone, Debug)]
pub struct Together {
    /// Their sums. Stack and process are those of the first with the most live blocks.
    pub site: Site,
    /// Their epochs, on the grid of [`Together::leader`].
    pub cohorts: Vec<Cohort>,
    /// The process whose epochs these are: the one that began first.
    pub leader: ProcessId,
    /// Which site gave its name.
    pub named_after: SiteId,
}

impl Ledger {
    /// `None` of no sites.
    pub fn together(&self, ids: &[SiteId]) -> Option<Together> {
        let sites: Vec<(SiteId, &Site, &Image)> = ids
            .iter()
            .filter_map(|id| {
                let site = self.site(*id)?;
                Some((*id, site, self.image(site.process)?))
            })
            .collect();
        let leader = sites.iter().map(|(_, _, image)| *image).min_by_key(|i| (i.began, i.id))?;
        let (named_after, first, _) =
            sites.iter().max_by_key(|(id, site, _)| (site.live_blocks, std::cmp::Reverse(*id)))?;
        let mut sum = (*first).clone();
        let mut cohorts = vec![Cohort::default(); self.grid(leader).1];
        for (id, site, image) in &sites {
            if id != named_after {
                sum.and(site);
            }
            let laid = self.lay(leader, image, &self.cohorts(site));
            cohorts.iter_mut().zip(&laid).for_each(|(sum, cohort)| sum.and(cohort));
        }
        Some(Together { site: sum, cohorts, leader: leader.id, named_after: *named_after })
    }

    /// One process's epochs on those of the leader.
    fn lay(&self, leader: &Image, image: &Image, cohorts: &[Cohort]) -> Vec<Cohort> {
        let mut laid: Vec<Option<Cohort>> = vec![None; self.grid(leader).1];
        for (epoch, cohort) in cohorts.iter().enumerate() {
            match &mut laid[self.place(leader, image, epoch)] {
                Some(into) => into.merge(cohort),
                none => *none = Some(*cohort),
            }
        }
        let mut live: u64 = 0;
        let fill = |of: Option<Cohort>| {
            let of = of.unwrap_or(Cohort { low: live, high: live, ..Cohort::default() });
            live = live.saturating_add(of.born).saturating_sub(of.died);
            of
        };
        laid.into_iter().map(fill).collect()
    }

    /// What these processes did, on the epochs of the first to begin.
    pub fn activity_together(&self, leader: &Image, images: &[&Image]) -> Vec<Activity> {
        let mut sum = vec![Activity::default(); self.grid(leader).1];
        for image in images {
            for (epoch, of) in self.activity(image).into_iter().enumerate() {
                if let Some(into) = sum.get_mut(self.place(leader, image, epoch)) {
                    into.allocations = into.allocations.saturating_add(of.allocations);
                    into.frees = into.frees.saturating_add(of.frees);
                    into.unmatched = into.unmatched.saturating_add(of.unmatched);
                }
            }
        }
        sum
    }

    /// The leader's epoch in which the middle of another process's epoch lies.
    fn place(&self, leader: &Image, image: &Image, epoch: usize) -> usize {
        let (grid, len) = self.grid(leader);
        let (own, _) = self.grid(image);
        if own == grid {
            return epoch.min(len - 1);
        }
        let middle = own.start(epoch).0.saturating_add(own.width() / 2);
        grid.epoch(Time(middle)).min(len - 1)
    }
}
