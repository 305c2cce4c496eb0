//! What the recorded blocks of one site of a sampled process stand for, in sum and in each epoch. It
//! is kept beside the plain counts, which stay what was recorded, and only for sampled processes.
//! Always true, to the last bit: allocated is freed, freed unseen and live together.

use hdrhistogram::Histogram;

use super::epochs::Grid;
use super::sampling::{Estimate, Weight};
use crate::event::{Tally, Time};

/// One epoch of one site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EpochWeights {
    /// Blocks allocated in the epoch.
    pub born: Weight,
    /// Those of them that still live.
    pub alive: Weight,
    /// Blocks of any age that ended in the epoch.
    pub died: Weight,
}

#[derive(Clone, Debug)]
struct Epoch {
    at: u8,
    weights: EpochWeights,
    /// Of those born in it, the ones freed in the latest span of the process's frees.
    span: u32,
    freed: Weight,
}

impl Epoch {
    fn merge(&mut self, later: &Epoch) {
        self.weights.born.add(later.weights.born);
        self.weights.alive.add(later.weights.alive);
        self.weights.died.add(later.weights.died);
        if later.span == self.span {
            self.freed.add(later.freed);
        } else if later.span > self.span {
            (self.span, self.freed) = (later.span, later.freed);
        }
    }
}

/// What one site's recorded blocks stand for.
#[derive(Clone, Debug, Default)]
pub struct Estimates {
    allocated: Weight,
    freed: Weight,
    freed_unseen: Weight,
    live: Weight,
    lifetimes: Option<Box<Histogram<u64>>>,
    /// In order of epoch.
    epochs: Vec<Epoch>,
    shift: u32,
}

/// Lifetimes are kept in units of 1,024 ns and weights in sixteenths.
const UNIT: u32 = 10;
const SIXTEENTHS: f64 = 16.0;

impl Estimates {
    pub(super) fn new(grid: &Grid) -> Self {
        Estimates { shift: grid.shift(), ..Estimates::default() }
    }

    /// Blocks allocated.
    pub fn allocated(&self) -> Weight {
        self.allocated
    }

    /// Blocks whose free was seen.
    pub fn freed(&self) -> Weight {
        self.freed
    }

    /// Blocks that live.
    pub fn live_blocks(&self) -> Estimate {
        self.live.blocks().of(self.allocated.blocks())
    }

    /// Their bytes.
    pub fn live_bytes(&self) -> Estimate {
        self.live.bytes().of(self.allocated.bytes())
    }

    /// The lifetime below which this share (0 to 1) of the freed blocks lived; `None` without any.
    pub fn lifetime(&self, share: f64) -> Option<Time> {
        let histogram = self.lifetimes.as_ref().filter(|h| !h.is_empty())?;
        Some(Time(histogram.value_at_quantile(share).saturating_mul(1 << UNIT)))
    }

    /// What happened in each of the first `len` epochs of the process.
    pub fn epochs(&self, grid: &Grid, len: usize) -> Vec<EpochWeights> {
        let by = (grid.shift() - self.shift).min(7);
        let mut dense = vec![EpochWeights::default(); len];
        for epoch in &self.epochs {
            if let Some(into) = dense.get_mut(usize::from(epoch.at >> by)) {
                into.born.add(epoch.weights.born);
                into.alive.add(epoch.weights.alive);
                into.died.add(epoch.weights.died);
            }
        }
        dense
    }

    pub(super) fn born(&mut self, grid: &Grid, epoch: u8, weight: Weight) {
        self.allocated.add(weight);
        self.live.add(weight);
        let now = self.current(grid, epoch);
        now.born.add(weight);
        now.alive.add(weight);
    }

    /// A block that was born then ended now: freed in this span after so long, if its free was seen.
    pub(super) fn died(
        &mut self,
        grid: &Grid,
        epoch: u8,
        born: Time,
        weight: Weight,
        freed: Option<(Time, u32)>,
    ) {
        self.live.take(weight);
        self.current(grid, epoch).died.add(weight);
        let birth = grid.index(born);
        if let Some(epoch) = self.epochs.iter_mut().rev().find(|of| of.at == birth) {
            epoch.weights.alive.take(weight);
            if let Some((_, span)) = freed {
                if epoch.span != span {
                    (epoch.span, epoch.freed) = (span, Weight::default());
                }
                epoch.freed.add(weight);
            }
        }
        match freed {
            Some((time, _)) => {
                self.freed.add(weight);
                self.lived(time.0.saturating_sub(born.0), weight);
            }
            None => self.freed_unseen.add(weight),
        }
    }

    /// Counts without addresses are of all blocks, sampled or not. Which were freed is not known: they
    /// are taken from the youngest epochs, as in the plain counts.
    pub(super) fn tally(&mut self, grid: &Grid, epoch: u8, tally: &Tally) {
        self.born(grid, epoch, Weight::exact(tally.allocated, tally.allocated_bytes.0));
        let died = Weight::exact(tally.freed, tally.freed_bytes.0);
        let died = self.live.without(self.live.without(died));
        self.live.take(died);
        self.freed.add(died);
        self.current(grid, epoch).died.add(died);
        let mut left = died;
        for epoch in self.epochs.iter_mut().rev() {
            let rest = epoch.weights.alive.without(left);
            left.take(epoch.weights.alive.without(rest));
            epoch.weights.alive = rest;
        }
    }

    /// As it was before the blocks freed in this span were, at the end of epoch `last`; and these.
    pub(super) fn before(&self, span: u32, grid: &Grid, last: usize) -> (Estimates, Weight) {
        let mut before = self.clone();
        before.follow(grid);
        before.epochs.retain(|epoch| usize::from(epoch.at) <= last);
        (before.allocated, before.live) = Default::default();
        let (mut died, mut freed) = (Weight::default(), Weight::default());
        for epoch in &mut before.epochs {
            if epoch.span == span {
                epoch.weights.alive.add(epoch.freed);
                freed.add(epoch.freed);
                epoch.freed = Weight::default();
            }
            before.allocated.add(epoch.weights.born);
            before.live.add(epoch.weights.alive);
            if usize::from(epoch.at) < last {
                died.add(epoch.weights.died);
            }
        }
        let ended = before.allocated.without(before.live);
        before.freed = ended.without(before.freed_unseen);
        if let Some(newest) = before.epochs.last_mut().filter(|of| usize::from(of.at) == last) {
            newest.weights.died = ended.without(died);
        }
        (before, freed)
    }

    fn lived(&mut self, lived: u64, weight: Weight) {
        if self.lifetimes.is_none() {
            let Ok(mut empty) = Histogram::new(1) else { return };
            empty.auto(true);
            self.lifetimes = Some(Box::new(empty));
        }
        if let Some(histogram) = &mut self.lifetimes {
            let count = (weight.blocks().value * SIXTEENTHS).round() as u64;
            // One digit of any 54-bit value fits an automatic histogram: there is no error to see.
            let _ = histogram.record_n((lived >> UNIT).max(1), count);
        }
    }

    fn current(&mut self, grid: &Grid, epoch: u8) -> &mut EpochWeights {
        self.follow(grid);
        if self.epochs.last().is_none_or(|last| last.at < epoch) {
            let (weights, freed) = Default::default();
            self.epochs.push(Epoch { at: epoch, weights, span: 0, freed });
        }
        let last = self.epochs.len() - 1;
        &mut self.epochs[last].weights
    }

    /// Merges what the grid has merged since.
    fn follow(&mut self, grid: &Grid) {
        let by = (grid.shift() - self.shift).min(7);
        if by == 0 {
            return;
        }
        self.shift = grid.shift();
        let mut merged: Vec<Epoch> = Vec::with_capacity(self.epochs.len());
        for epoch in &self.epochs {
            let at = epoch.at >> by;
            match merged.last_mut() {
                Some(into) if into.at == at => into.merge(epoch),
                _ => merged.push(Epoch { at, ..epoch.clone() }),
            }
        }
        self.epochs = merged;
    }
}
