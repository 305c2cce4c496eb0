//! What happened at one site in each epoch of its process: how many blocks were born, how many of
//! those still live, how many died, and between which marks the live set moved. Only epochs in
//! which something happened are stored; [`Cohorts::dense`] fills in the others. When the
//! process's epochs merge, a site follows when it is next touched.

use super::epochs::Grid;
use crate::event::Bytes;

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
    /// What happened at another site in the same time.
    pub(super) fn and(&mut self, other: &Cohort) {
        self.born = self.born.saturating_add(other.born);
        self.born_bytes = self.born_bytes.saturating_add(other.born_bytes);
        self.alive = self.alive.saturating_add(other.alive);
        self.alive_bytes = self.alive_bytes.saturating_add(other.alive_bytes);
        self.died = self.died.saturating_add(other.died);
        self.low = self.low.saturating_add(other.low);
        self.high = self.high.saturating_add(other.high);
    }

    pub(super) fn merge(&mut self, later: &Cohort) {
        self.born = self.born.saturating_add(later.born);
        self.born_bytes = self.born_bytes.saturating_add(later.born_bytes);
        self.alive = self.alive.saturating_add(later.alive);
        self.alive_bytes = self.alive_bytes.saturating_add(later.alive_bytes);
        self.died = self.died.saturating_add(later.died);
        self.low = self.low.min(later.low);
        self.high = self.high.max(later.high);
    }
}

/// Of the blocks born in an epoch, those freed in the latest span of the process's frees in which
/// any was (see [`super::teardown`]).
#[derive(Clone, Copy, Debug, Default)]
struct Freed {
    span: u32,
    blocks: u64,
    bytes: u64,
}

impl Freed {
    fn merge(&mut self, later: &Freed) {
        if later.span == self.span {
            self.blocks = self.blocks.saturating_add(later.blocks);
            self.bytes = self.bytes.saturating_add(later.bytes);
        } else if later.span > self.span {
            *self = *later;
        }
    }
}

#[derive(Clone, Debug)]
struct Epoch {
    at: u8,
    cohort: Cohort,
    freed: Freed,
}

/// The epochs of one site.
#[derive(Clone, Debug, Default)]
pub(super) struct Cohorts {
    /// In order of epoch.
    epochs: Vec<Epoch>,
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
        let mut merged: Vec<Epoch> = Vec::with_capacity(self.epochs.len());
        for epoch in &self.epochs {
            let at = epoch.at >> by;
            match merged.last_mut() {
                Some(into) if into.at == at => {
                    into.cohort.merge(&epoch.cohort);
                    into.freed.merge(&epoch.freed);
                }
                _ => merged.push(Epoch { at, ..epoch.clone() }),
            }
        }
        self.epochs = merged;
    }

    /// The cohort of this epoch, which is the last one or later; `live` blocks live as it begins.
    #[inline]
    pub(super) fn current(&mut self, epoch: u8, live: u64) -> &mut Cohort {
        if self.epochs.last().is_none_or(|last| last.at < epoch) {
            let cohort = Cohort { low: live, high: live, ..Cohort::default() };
            self.epochs.push(Epoch { at: epoch, cohort, freed: Freed::default() });
        }
        let last = self.epochs.len() - 1;
        &mut self.epochs[last].cohort
    }

    /// A block that was born in this epoch ended: freed in this span, if its free was seen.
    #[inline]
    pub(super) fn died(&mut self, epoch: u8, size: Bytes, span: Option<u32>) {
        let Some(Epoch { cohort, freed, .. }) =
            self.epochs.iter_mut().rev().find(|of| of.at == epoch)
        else {
            return;
        };
        cohort.alive = cohort.alive.saturating_sub(1);
        cohort.alive_bytes = cohort.alive_bytes.saturating_sub(size.0);
        if let Some(span) = span {
            if freed.span != span {
                *freed = Freed { span, blocks: 0, bytes: 0 };
            }
            freed.blocks += 1;
            freed.bytes = freed.bytes.saturating_add(size.0);
        }
    }

    /// Blocks and bytes born in each of the first `len` epochs and freed in this span.
    pub(super) fn freed_in(&self, span: u32, grid: &Grid, len: usize) -> Vec<(u64, u64)> {
        let by = (grid.shift() - self.shift).min(7);
        let mut freed = vec![(0u64, 0u64); len];
        for epoch in self.epochs.iter().filter(|epoch| epoch.freed.span == span) {
            if let Some((blocks, bytes)) = freed.get_mut(usize::from(epoch.at >> by)) {
                *blocks = blocks.saturating_add(epoch.freed.blocks);
                *bytes = bytes.saturating_add(epoch.freed.bytes);
            }
        }
        freed
    }

    /// All that are stored, with their epoch, youngest first.
    pub(super) fn youngest_first(&mut self) -> impl Iterator<Item = &mut Cohort> {
        self.epochs.iter_mut().rev().map(|epoch| &mut epoch.cohort)
    }

    /// One cohort for each of the first `len` epochs of the grid.
    pub(super) fn dense(&self, grid: &Grid, len: usize) -> Vec<Cohort> {
        let mut followed = self.clone();
        followed.follow(grid);
        let mut live: u64 = 0;
        let mut stored = followed.epochs.iter().peekable();
        (0..len)
            .map(|epoch| match stored.next_if(|of| usize::from(of.at) == epoch) {
                Some(Epoch { cohort, .. }) => {
                    live = live.saturating_add(cohort.born).saturating_sub(cohort.died);
                    *cohort
                }
                None => Cohort { low: live, high: live, ..Cohort::default() },
            })
            .collect()
    }
}
