//! A site: all blocks with the same stack within one process. Each field is a running sum or a
//! bounded series; nothing here grows with the number of events. A site counts, it does not judge.

use super::blocks::Block;
use super::cohorts::{Cohort, Cohorts};
use super::epochs::Grid;
use super::estimates::Estimates;
use super::lifetimes::Lifetimes;
use super::sampling::{Estimate, Sampling, Weight};
use super::series::Series;
use super::sizes::Sizes;
use crate::event::{Bytes, Function, ProcessId, Reach, StackId, Tally, Time};

/// A site within one ledger. Ids are small and count up from 0 in order of first allocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteId(pub u32);

/// The live set of a site when a snapshot was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is its name")]
pub struct LiveSet {
    pub blocks: u64,
    pub bytes: Bytes,
}

/// All blocks with the same stack within one process. Always true:
/// `allocations == frees + frees_unseen + live_blocks`. Of a sampled process these are the blocks that
/// were recorded; [`Site::estimates`] has what they stand for.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its process.
    pub process: ProcessId,
    /// Its stack.
    pub stack: StackId,
    /// Blocks allocated.
    pub allocations: u64,
    /// Bytes allocated.
    pub allocated_bytes: u64,
    /// Blocks whose free was seen, alone, in a realloc or with their heap.
    pub frees: u64,
    /// Blocks that must have been freed, because their address was given out again.
    pub frees_unseen: u64,
    /// How often blocks were freed, those counted once that were freed in a row, with none allocated here in
    /// between: the emptying of a list or of a thread's cache is one.
    pub free_runs: u64,
    /// Blocks that live.
    pub live_blocks: u64,
    /// Their bytes.
    pub live_bytes: u64,
    /// The most blocks that lived at once.
    pub peak_blocks: u64,
    /// The most bytes that lived at once.
    pub peak_bytes: u64,
    /// When the first block was allocated.
    pub first: Time,
    /// When the last block was allocated.
    pub last: Time,
    /// The sizes asked for.
    pub sizes: Sizes,
    /// How long the freed blocks lived.
    pub lifetimes: Lifetimes,
    /// The live set in each snapshot, by the snapshot's number.
    pub snapshots: Series<u32, LiveSet>,
    /// Whether blocks were counted of which it is not known whether they live.
    pub tallied: bool,
    /// Whether any of the counts are estimates from sampling.
    pub estimated: bool,
    function: Function,
    function_lead: u32,
    freeing: bool,
    cohorts: Cohorts,
    /// Only in a sampled process.
    pub(super) estimates: Option<Box<Estimates>>,
    /// What the process's latest scan found of the blocks.
    pub(super) reach: Vec<Reach>,
}

impl Site {
    pub(super) fn new(process: ProcessId, stack: StackId, time: Time, grid: &Grid) -> Self {
        Site {
            process,
            stack,
            allocations: 0,
            allocated_bytes: 0,
            frees: 0,
            frees_unseen: 0,
            free_runs: 0,
            live_blocks: 0,
            live_bytes: 0,
            peak_blocks: 0,
            peak_bytes: 0,
            first: time,
            last: time,
            sizes: Sizes::default(),
            lifetimes: Lifetimes::default(),
            snapshots: Series::default(),
            tallied: false,
            estimated: false,
            function: Function::Unknown,
            function_lead: 0,
            freeing: false,
            cohorts: Cohorts::new(grid),
            estimates: None,
            reach: Vec::new(),
        }
    }

    /// What its process's latest reachability scan found of its blocks; nothing where none was made, or no
    /// block lived then.
    pub fn reach(&self) -> &[Reach] {
        &self.reach
    }

    /// The function that allocates here: the one that most allocations came by, if more than
    /// half of them did; otherwise one of those seen.
    pub fn function(&self) -> Function {
        self.function
    }

    /// What the recorded blocks stand for; `None` where every block was recorded.
    pub fn estimates(&self) -> Option<&Estimates> {
        self.estimates.as_deref()
    }

    /// Blocks allocated, estimated or counted.
    pub fn estimated_allocations(&self) -> Estimate {
        let counted = || Estimate::exact(self.allocations as f64);
        self.estimates().map_or_else(counted, |e| e.allocated().blocks())
    }

    /// Blocks whose free was seen, estimated or counted.
    pub fn estimated_frees(&self) -> Estimate {
        let counted = || Estimate::exact(self.frees as f64);
        self.estimates().map_or_else(counted, |e| e.freed().blocks())
    }

    /// Live blocks, estimated or counted.
    pub fn estimated_live_blocks(&self) -> Estimate {
        let counted = || Estimate::exact(self.live_blocks as f64);
        self.estimates().map_or_else(counted, Estimates::live_blocks)
    }

    /// Live bytes, estimated or counted.
    pub fn estimated_live_bytes(&self) -> Estimate {
        let counted = || Estimate::exact(self.live_bytes as f64);
        self.estimates().map_or_else(counted, Estimates::live_bytes)
    }

    /// Another site's counts beside its own; nothing that tells of single epochs.
    pub(super) fn and(&mut self, other: &Site) {
        for (sum, of) in [
            (&mut self.allocations, other.allocations),
            (&mut self.allocated_bytes, other.allocated_bytes),
            (&mut self.frees, other.frees),
            (&mut self.frees_unseen, other.frees_unseen),
            (&mut self.free_runs, other.free_runs),
            (&mut self.live_blocks, other.live_blocks),
            (&mut self.live_bytes, other.live_bytes),
            (&mut self.peak_blocks, other.peak_blocks),
            (&mut self.peak_bytes, other.peak_bytes),
        ] {
            *sum = sum.saturating_add(of);
        }
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.lifetimes.and(&other.lifetimes);
        self.tallied |= other.tallied;
        self.estimated |= other.estimated;
    }

    /// Of the blocks born in each of the first `len` epochs, those freed in this span of the process's
    /// frees, and their bytes.
    pub(super) fn freed_in(&self, span: u32, grid: &Grid, len: usize) -> Vec<(u64, u64)> {
        self.cohorts.freed_in(span, grid, len)
    }

    /// One cohort for each of the first `len` epochs of its process's grid.
    pub(super) fn epochs(&self, grid: &Grid, len: usize) -> Vec<Cohort> {
        self.cohorts.dense(grid, len)
    }

    #[inline]
    pub(super) fn born(&mut self, grid: &Grid, epoch: u8, time: Time, size: Bytes, by: Function) {
        self.cohorts.follow(grid);
        let cohort = self.cohorts.current(epoch, self.live_blocks);
        cohort.born = cohort.born.saturating_add(1);
        cohort.born_bytes = cohort.born_bytes.saturating_add(size.0);
        cohort.alive = cohort.alive.saturating_add(1);
        cohort.alive_bytes = cohort.alive_bytes.saturating_add(size.0);
        self.live_blocks = self.live_blocks.saturating_add(1);
        cohort.high = cohort.high.max(self.live_blocks);
        self.allocations = self.allocations.saturating_add(1);
        self.allocated_bytes = self.allocated_bytes.saturating_add(size.0);
        self.live_bytes = self.live_bytes.saturating_add(size.0);
        self.peak_blocks = self.peak_blocks.max(self.live_blocks);
        self.peak_bytes = self.peak_bytes.max(self.live_bytes);
        self.last = time;
        self.freeing = false;
        self.sizes.record(size, 1);
        self.vote(by);
    }

    /// A block of this site ended: its free was seen, at this time and in this span of the process's
    /// frees, or must have happened.
    #[inline]
    pub(super) fn died(
        &mut self,
        grid: &Grid,
        epoch: u8,
        block: &Block,
        freed: Option<(Time, u32)>,
    ) {
        let Block { born, size, .. } = *block;
        self.cohorts.follow(grid);
        let live = self.live_blocks;
        self.live_blocks = live.saturating_sub(1);
        self.live_bytes = self.live_bytes.saturating_sub(size.0);
        let now = self.cohorts.current(epoch, live);
        now.died = now.died.saturating_add(1);
        now.low = now.low.min(self.live_blocks);
        self.cohorts.died(grid.index(born), size, freed.map(|(_, span)| span));
        match freed {
            Some((time, _)) => {
                self.frees = self.frees.saturating_add(1);
                self.free_runs += u64::from(!self.freeing);
                self.freeing = true;
                self.lifetimes.record(time.0.saturating_sub(born.0), 1);
            }
            None => self.frees_unseen += 1,
        }
    }

    /// Adds counts without addresses. Where as much was freed as was allocated, these are the same
    /// blocks, and nothing that lives is touched. Otherwise which blocks were freed is not known: they
    /// are taken from the youngest cohorts, as most blocks die young; a live set can only come out
    /// too small, never negative.
    pub(super) fn tally(&mut self, grid: &Grid, epoch: u8, time: Time, tally: &Tally) {
        self.cohorts.follow(grid);
        self.estimated |= tally.estimated;
        let (born, bytes) = (tally.allocated, tally.allocated_bytes.0);
        let pairs = born == tally.freed && tally.allocated_bytes == tally.freed_bytes;
        let live = self.live_blocks;
        let cohort = self.cohorts.current(epoch, live);
        cohort.born = cohort.born.saturating_add(born);
        cohort.born_bytes = cohort.born_bytes.saturating_add(bytes);
        self.allocations = self.allocations.saturating_add(born);
        self.allocated_bytes = self.allocated_bytes.saturating_add(bytes);
        if pairs {
            cohort.died = cohort.died.saturating_add(born);
            self.frees = self.frees.saturating_add(born);
        } else {
            self.tallied = true;
            cohort.alive = cohort.alive.saturating_add(born);
            cohort.alive_bytes = cohort.alive_bytes.saturating_add(bytes);
            let standing = live.saturating_add(born);
            let died = tally.freed.min(standing);
            cohort.died = cohort.died.saturating_add(died);
            self.live_blocks = standing - died;
            cohort.high = cohort.high.max(self.live_blocks);
            cohort.low = cohort.low.min(self.live_blocks);
            let live_bytes = self.live_bytes.saturating_add(bytes);
            self.live_bytes = live_bytes.saturating_sub(tally.freed_bytes.0);
            self.frees = self.frees.saturating_add(died);
            self.take_youngest(died);
        }
        // They come and go as the work does.
        self.free_runs = self.free_runs.saturating_add(tally.freed);
        self.freeing = false;
        self.peak_blocks = self.peak_blocks.max(self.live_blocks);
        self.peak_bytes = self.peak_bytes.max(self.live_bytes);
        if let Some(mean) = bytes.checked_div(born) {
            self.last = time;
            self.count_sizes(mean, born, tally.sizes);
        }
        // What was not told apart lived for less than the resolution: it is taken to have lived that
        // long, so that a block that still lives does not look old too soon.
        for (power, count) in tally.lifetimes.iter().take(64).enumerate().filter(|(_, n)| **n > 0) {
            let lived = if power == 0 { tally.resolution.0.max(1) } else { 1 << power };
            self.lifetimes.record(lived, *count);
        }
    }

    /// Between the smallest and the largest, blocks counted together stand as so many of their mean.
    fn count_sizes(&mut self, mean: u64, count: u64, sizes: Option<(Bytes, Bytes)>) {
        let mut rest = count;
        for size in sizes.map(|(smallest, largest)| [smallest, largest]).into_iter().flatten() {
            if rest > 0 && size.0 != mean {
                self.sizes.record(size, 1);
                rest -= 1;
            }
        }
        self.sizes.record(Bytes(mean), rest);
    }

    fn take_youngest(&mut self, died: u64) {
        let mut left = died;
        for cohort in self.cohorts.youngest_first() {
            let taken = left.min(cohort.alive);
            let share = u128::from(cohort.alive_bytes) * u128::from(taken)
                / u128::from(cohort.alive.max(1));
            cohort.alive -= taken;
            cohort.alive_bytes -= u64::try_from(share).unwrap_or(cohort.alive_bytes);
            left -= taken;
        }
    }

    /// A majority vote in one pass (Boyer and Moore): a stack has one allocating function in all
    /// but freak cases.
    #[inline]
    fn vote(&mut self, by: Function) {
        if self.function == by {
            self.function_lead = self.function_lead.saturating_add(1);
        } else if self.function_lead == 0 {
            (self.function, self.function_lead) = (by, 1);
        } else {
            self.function_lead -= 1;
        }
    }

    #[cold]
    pub(super) fn estimate_born(&mut self, grid: &Grid, epoch: u8, size: Bytes, by: Sampling) {
        self.estimates_mut(grid).born(grid, epoch, by.weight(size));
    }

    #[cold]
    pub(super) fn estimate_died(
        &mut self,
        grid: &Grid,
        epoch: u8,
        block: &Block,
        freed: Option<(Time, u32)>,
        by: Sampling,
    ) {
        let weight: Weight = by.weight(block.size);
        self.estimates_mut(grid).died(grid, epoch, block.born, weight, freed);
    }

    #[cold]
    pub(super) fn estimate_tally(&mut self, grid: &Grid, epoch: u8, tally: &Tally) {
        self.estimates_mut(grid).tally(grid, epoch, tally);
    }

    fn estimates_mut(&mut self, grid: &Grid) -> &mut Estimates {
        self.estimated = true;
        self.estimates.get_or_insert_with(|| Box::new(Estimates::new(grid)))
    }
}
