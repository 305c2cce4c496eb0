//! What happened at one site in each epoch of its process: how many blocks were born, how many of
//! those still live, how many died, and between which marks the live set moved. Only epochs in
//! which something happened are stored; [`Cohorts::dense`] fills in the others. When the
//! process's epochs merge, a site follows when it is next touched.

use super::epochs::Grid;

/// One epoch of one site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cohort {
    /// Blocks allocated in the epoch.
    pub born: u64,
    /// Their bytes.
    pub born_bytes: u64,
    /// Those of them that still live.
    pub alive: u64,
    /// Their bytes.
    pub alive_bytes: u64,
    /// Blocks of any age that were freed in the epoch.
    pub died: u64,
    /// The fewest live blocks at any moment of the epoch.
    pub low: u64,
    /// The most.
    pub high: u64,
}

impl Cohort {
    fn merge(&mut self, later: &Cohort) {
        self.born = self.born.saturating_add(later.born);
        self.born_bytes = self.born_bytes.saturating_add(later.born_bytes);
        self.alive = self.alive.saturating_add(later.alive);
        self.alive_bytes = self.alive_bytes.saturating_add(later.alive_bytes);
        self.died = self.died.saturating_add(later.died);
        self.low = self.low.min(later.low);
        self.high = self.high.max(later.high);
    }
}

/// The epochs of one site.
#[derive(Clone, Debug, Default)]
pub(super) struct Cohorts {
    /// In order of epoch.
    epochs: Vec<(u8, Cohort)>,
    shift: u32,
}

impl Cohorts {
    pub(super) fn new(grid: &Grid) -> Self {
        Cohorts { epochs: Vec::new(), shift: grid.shift() }
    }

    /// Merges what the grid has merged since.
    #[inline]
    pub(super) fn follow(&mut self, grid: &Grid) {
        if self.shift != grid.shift() {
            self.merge(grid);
        }
    }

    #[cold]
    fn merge(&mut self, grid: &Grid) {
        let by = (grid.shift() - self.shift).min(7);
        self.shift = grid.shift();
        let mut merged: Vec<(u8, Cohort)> = Vec::with_capacity(self.epochs.len());
        for (epoch, cohort) in &self.epochs {
            let epoch = epoch >> by;
            match merged.last_mut() {
                Some((last, into)) if *last == epoch => into.merge(cohort),
                _ => merged.push((epoch, *cohort)),
            }
        }
        self.epochs = merged;
    }

    /// The cohort of this epoch, which is the last one or later; `live` blocks live as it begins.
    #[inline]
    pub(super) fn current(&mut self, epoch: u8, live: u64) -> &mut Cohort {
        if self.epochs.last().is_none_or(|(last, _)| *last < epoch) {
            self.epochs.push((epoch, Cohort { low: live, high: live, ..Cohort::default() }));
        }
        let last = self.epochs.len() - 1;
        &mut self.epochs[last].1
    }

    /// The cohort of an earlier epoch, if anything happened in it.
    #[inline]
    pub(super) fn at(&mut self, epoch: u8) -> Option<&mut Cohort> {
        self.epochs.iter_mut().rev().find(|(at, _)| *at == epoch).map(|(_, cohort)| cohort)
    }

    /// All that are stored, with their epoch, youngest first.
    pub(super) fn youngest_first(&mut self) -> impl Iterator<Item = &mut Cohort> {
        self.epochs.iter_mut().rev().map(|(_, cohort)| cohort)
    }

    /// One cohort for each of the first `len` epochs of the grid.
    pub(super) fn dense(&self, grid: &Grid, len: usize) -> Vec<Cohort> {
        let mut followed = self.clone();
        followed.follow(grid);
        let mut live: u64 = 0;
        let mut stored = followed.epochs.iter().peekable();
        (0..len)
            .map(|epoch| match stored.next_if(|(at, _)| usize::from(*at) == epoch) {
                Some((_, cohort)) => {
                    live = live.saturating_add(cohort.born).saturating_sub(cohort.died);
                    *cohort
                }
                None => Cohort { low: live, high: live, ..Cohort::default() },
            })
            .collect()
    }
}
