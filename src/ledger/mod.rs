//! The ledger: live blocks and, per site, counts, bytes, lifetimes and growth. It folds events in
//! time order and depends on nothing else: no clock, no arrival, no file. Memory is in proportion
//! to live blocks and distinct stacks, never to events. It judges nothing and names nothing.

mod blocks;
mod cohorts;
mod earlier;
mod epochs;
mod estimates;
mod fold;
mod lifetimes;
mod marks;
mod memory;
mod modules;
mod processes;
mod sampling;
mod series;
mod sites;
mod sizes;
mod stacks;
mod teardown;
mod together;
mod tombstones;

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::event::{Bytes, Fact, FactKind, ProcessId, StackId, Time};

pub use blocks::Block;
pub use cohorts::Cohort;
pub use earlier::Earlier;
pub use epochs::{EPOCHS, Grid};
pub use estimates::{EpochWeights, Estimates};
pub use lifetimes::Lifetimes;
pub use marks::{MarkedSpan, Marks};
pub use memory::{KnownMemory, Memory};
pub use modules::{Mapping, Modules};
pub use processes::{Activity, Image, LostCounts, OverRelease, OverReleases, Raised};
pub use sampling::{Estimate, NORMAL_95, Sampling, Weight};
pub use series::{POINTS, Series};
pub use sites::{LiveSet, Site, SiteId};
pub use sizes::Sizes;
pub use stacks::{Frames, MAX_DEPTH, StackEnd, Stacks};
pub use teardown::TornDown;
pub use together::Together;
pub use tombstones::WINDOW;

/// Everything the events said, folded.
#[derive(Debug, Default)]
pub struct Ledger {
    now: Time,
    began: Option<Time>,
    last_epoch: Option<Time>,
    epochs: u64,
    stacks: Stacks,
    sites: Vec<Site>,
    images: Vec<Image>,
    by_process: FxHashMap<ProcessId, usize>,
    /// The image of the event before: most events are of the same process.
    last_image: usize,
    modules: Modules,
    marks: Marks,
    facts: BTreeMap<(FactKind, String), Fact>,
    snapshots: Series<u32, Time>,
    /// What was lost of who knows which process, with events after it.
    lost_anywhere: LostCounts,
    /// The same with nothing after it: what came before is whole.
    lost_at_end: LostCounts,
    /// How the process that said so last was sampled: so is one that says nothing of itself.
    sampling: Option<Sampling>,
}

/// Sums over all processes: of a sampled one, what was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Blocks allocated.
    pub allocations: u64,
    /// Blocks freed.
    pub frees: u64,
    /// Blocks that must have been freed unseen.
    pub frees_unseen: u64,
    /// Frees of blocks whose allocation was not seen.
    pub frees_unmatched: u64,
    /// Blocks that live.
    pub live_blocks: u64,
    /// Their bytes.
    pub live_bytes: Bytes,
}

/// The same sums as far as sampling concerns them: what the recorded blocks stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EstimatedTotals {
    /// Blocks allocated.
    pub allocations: Estimate,
    /// Blocks whose free was seen.
    pub frees: Estimate,
    /// Blocks that live.
    pub live_blocks: Estimate,
    /// Their bytes.
    pub live_bytes: Estimate,
}

impl EstimatedTotals {
    fn add(&mut self, site: &Site) {
        self.allocations = self.allocations.and(site.estimated_allocations());
        self.frees = self.frees.and(site.estimated_frees());
        self.live_blocks = self.live_blocks.and(site.estimated_live_blocks());
        self.live_bytes = self.live_bytes.and(site.estimated_live_bytes());
    }
}

impl Ledger {
    /// Time of the latest event.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Time of the first event.
    pub fn began(&self) -> Option<Time> {
        self.began
    }

    /// Time of the latest epoch mark.
    pub fn last_epoch(&self) -> Option<Time> {
        self.last_epoch
    }

    /// How many epoch marks came.
    pub fn epochs(&self) -> u64 {
        self.epochs
    }

    /// The stack tree.
    pub fn stacks(&self) -> &Stacks {
        &self.stacks
    }

    /// Every site, in order of first allocation.
    pub fn sites(&self) -> impl Iterator<Item = (SiteId, &Site)> {
        (0..).map(SiteId).zip(&self.sites)
    }

    /// One site.
    pub fn site(&self, id: SiteId) -> Option<&Site> {
        self.sites.get(id.0 as usize)
    }

    /// Every process image, in order of first sight.
    pub fn images(&self) -> &[Image] {
        &self.images
    }

    /// One process image.
    pub fn image(&self, process: ProcessId) -> Option<&Image> {
        self.images.get(*self.by_process.get(&process)?)
    }

    /// The end of a process's observation: when it ended, or the latest event.
    pub fn end(&self, image: &Image) -> Time {
        image.ended.unwrap_or(self.now)
    }

    /// What happened at a site in each epoch of its process, from the process's first to the one
    /// its observation ends in; at most [`EPOCHS`].
    pub fn cohorts(&self, site: &Site) -> Vec<Cohort> {
        self.image(site.process).map_or_else(Vec::new, |image| {
            let (grid, len) = self.grid(image);
            site.epochs(&grid, len)
        })
    }

    /// How busy a process was in each of the same epochs.
    pub fn activity(&self, image: &Image) -> Vec<Activity> {
        let (grid, len) = self.grid(image);
        let by = (grid.shift() - image.activity_shift).min(7);
        let mut activity = vec![Activity::default(); len];
        for (epoch, of) in image.activity.iter().enumerate() {
            if let Some(into) = activity.get_mut(epoch >> by) {
                into.allocations = into.allocations.saturating_add(of.allocations);
                into.frees = into.frees.saturating_add(of.frees);
                into.unmatched = into.unmatched.saturating_add(of.unmatched);
            }
        }
        activity
    }

    /// A process's epochs up to the end of its observation, and how many there are.
    pub fn grid(&self, image: &Image) -> (Grid, usize) {
        let mut grid = image.grid;
        let last = grid.reach(self.end(image));
        (grid, usize::from(last) + 1)
    }

    /// The modules, and the names the trace carries.
    pub fn modules(&self) -> &Modules {
        &self.modules
    }

    /// The marks.
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// The facts, each as it was said last, by kind and subject.
    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.facts.values()
    }

    /// The snapshots of all processes: number and time of each.
    pub fn snapshots(&self) -> &[(u32, Time)] {
        self.snapshots.points()
    }

    /// Sums over all processes.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for site in &self.sites {
            totals.allocations = totals.allocations.saturating_add(site.allocations);
            totals.frees = totals.frees.saturating_add(site.frees);
            totals.frees_unseen = totals.frees_unseen.saturating_add(site.frees_unseen);
            totals.live_blocks = totals.live_blocks.saturating_add(site.live_blocks);
            totals.live_bytes.0 = totals.live_bytes.0.saturating_add(site.live_bytes);
        }
        totals.frees_unmatched = self.images.iter().map(|i| i.frees_unmatched).sum();
        totals
    }

    /// What the recorded blocks of all processes stand for; `None` where none was sampled.
    pub fn estimated_totals(&self) -> Option<EstimatedTotals> {
        self.images.iter().find(|image| image.sampling.is_some())?;
        let mut totals = EstimatedTotals::default();
        self.sites.iter().for_each(|site| totals.add(site));
        Some(totals)
    }

    /// The same of one process; `None` where it was not sampled.
    pub fn estimated_totals_of(&self, image: &Image) -> Option<EstimatedTotals> {
        image.sampling?;
        let mut totals = EstimatedTotals::default();
        let mut sites: Vec<SiteId> = image.sites().collect();
        // Sums of floats depend on their order.
        sites.sort_unstable();
        sites.into_iter().filter_map(|id| self.site(id)).for_each(|site| totals.add(site));
        Some(totals)
    }

    /// Whether a process is a traced one's child that executed nothing: what it inherited is its
    /// parent's.
    pub fn forked(&self, image: &Image) -> bool {
        let parent = image.process.as_ref().map(|process| process.parent);
        !image.from_start()
            && self.images.iter().take_while(|older| older.id != image.id).any(|older| {
                let pid = older.process.as_ref().map(|process| process.pid);
                pid == parent && pid.is_some_and(|pid| pid != 0) && older.began < image.began
            })
    }

    /// Whether every block of a process that lives is known: it was seen from its beginning, and nothing of
    /// it was lost, left out of a sample, or allocated unseen.
    pub fn knows_all_blocks(&self, image: &Image) -> bool {
        image.from_start()
            && image.sampling.is_none()
            && !image.allocates_unseen
            && !self.lost_in(image).allocations_unseen()
    }

    /// Hands out every live block of a process with the beginning of the epoch in which it was allocated, and its
    /// stack, in no order that means anything.
    pub fn live_blocks_of(&self, image: &Image, each: &mut dyn FnMut(&Block, Time, StackId)) {
        let grid = self.grid(image).0;
        for block in image.live() {
            if let Some(site) = self.site(block.site) {
                each(block, grid.start(grid.epoch(block.born)), site.stack);
            }
        }
    }

    /// What was lost, over all processes.
    pub fn lost(&self) -> LostCounts {
        let anywhere = self.lost_anywhere.and(self.lost_at_end);
        self.images.iter().fold(anywhere, |sum, image| sum.and(image.lost))
    }

    /// What was lost that may have been this process's: its own losses, and those of
    /// [`ProcessId::EVERY`]. Not those behind the last event, as of a file that was cut: they end
    /// the observation and leave no hole in it.
    pub fn lost_in(&self, image: &Image) -> LostCounts {
        image.lost.and(self.lost_anywhere)
    }
}
