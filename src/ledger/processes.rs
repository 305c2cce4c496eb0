//! One traced process image as the ledger sees it: what it is, its live blocks, what was lost or
//! unmatched in it, how busy it was in each epoch, and its frees that came twice. A process that
//! ended keeps its last live set; a new image, a fork's child too, begins with none.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::blocks::{Block, Blocks};
use super::epochs::{EPOCHS, Grid};
use super::memory::Measured;
use super::modules::{Mapping, Mappings};
use super::sampling::Sampling;
use super::series::Series;
use super::sites::SiteId;
use super::teardown::Teardown;
use super::tombstones::{Tombstones, WINDOW};
use crate::event::{
    Address, Exception, Exit, HeapId, Lost, Metric, Process, ProcessId, Scan, StackId, Tid, Time,
};

/// How busy a process was in one epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Blocks allocated.
    pub allocations: u64,
    /// Blocks freed.
    pub frees: u64,
    /// Frees of blocks whose allocation was not seen.
    pub unmatched: u64,
}

/// What was lost of one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LostCounts {
    /// Allocations.
    pub allocations: u64,
    /// Frees: each can make a freed block look alive.
    pub frees: u64,
    /// Stacks.
    pub stacks: u64,
    /// Events of unknown kind: allocations and frees among them.
    pub events: u64,
    /// Bytes of the recording.
    pub bytes: u64,
    /// Libraries that allocate and free unseen.
    pub libraries: u64,
}

impl LostCounts {
    pub(super) fn add(&mut self, what: Lost, count: u64) {
        let sum = match what {
            Lost::Allocations => &mut self.allocations,
            Lost::Frees => &mut self.frees,
            Lost::Stacks => &mut self.stacks,
            Lost::Events => &mut self.events,
            Lost::Bytes => &mut self.bytes,
            Lost::Libraries => &mut self.libraries,
        };
        *sum = sum.saturating_add(count);
    }

    /// These and others.
    pub(super) fn and(self, other: LostCounts) -> LostCounts {
        LostCounts {
            allocations: self.allocations.saturating_add(other.allocations),
            frees: self.frees.saturating_add(other.frees),
            stacks: self.stacks.saturating_add(other.stacks),
            events: self.events.saturating_add(other.events),
            bytes: self.bytes.saturating_add(other.bytes),
            libraries: self.libraries.saturating_add(other.libraries),
        }
    }

    /// Whether an allocation may be missing.
    pub fn allocations_missing(&self) -> bool {
        self.allocations > 0 || self.events > 0 || self.bytes > 0
    }

    /// Whether an allocation may be missing, or may never have been in sight.
    pub fn allocations_unseen(&self) -> bool {
        self.allocations_missing() || self.libraries > 0
    }

    /// How many frees may be missing, as far as was counted.
    pub fn frees_missing(&self) -> u64 {
        self.frees.saturating_add(self.events)
    }
}

/// Where and where from a block was freed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OverRelease {
    /// The site of the block that was freed twice.
    pub site: SiteId,
    /// The stack of the second free.
    pub stack: StackId,
}

/// How often, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverReleases {
    /// How often a block of that site was freed again there.
    pub count: u64,
    /// The first time.
    pub first: Time,
    /// The last time.
    pub last: Time,
    /// The stack of the first free, of the pair seen last.
    pub first_free: StackId,
    /// Nanoseconds between the two frees, of the pair seen last.
    pub apart: Time,
}

/// One process image.
#[derive(Debug)]
pub struct Image {
    /// Its id.
    pub id: ProcessId,
    /// What the source says of it; `None` if it never did.
    pub process: Option<Process>,
    /// How it was sampled; `None` where every block is told.
    pub sampling: Option<Sampling>,
    /// When its observation began.
    pub began: Time,
    /// When it ended; `None` while it runs.
    pub ended: Option<Time>,
    /// How it ended.
    pub exit: Option<Exit>,
    /// Blocks allocated.
    pub allocations: u64,
    /// Blocks freed.
    pub frees: u64,
    /// Blocks that must have been freed unseen: their address was given out again.
    pub frees_unseen: u64,
    /// Frees of blocks whose allocation was not seen.
    pub frees_unmatched: u64,
    /// Second frees that lost events, an unseen free or an unseen allocation may explain; part of
    /// `frees_unmatched`.
    pub frees_unexplained: u64,
    /// Frees of blocks that were allocated unseen: nothing is known to have lived there, here or in
    /// the process this one was forked from. Part of `frees_unmatched`. Not counted where blocks
    /// may be older than the trace.
    pub frees_foreign: u64,
    /// Of `frees_unseen`, those whose address had been freed once too often before: the allocator
    /// gave it out twice for that.
    pub given_twice: u64,
    /// Where in the ledger the image is that this one was forked from.
    pub(super) forked_from: Option<usize>,
    /// What was lost of this process alone; [`super::Ledger::lost_in`] has all that concerns it.
    pub lost: LostCounts,
    /// Whether a module of it releases blocks past the tracer.
    pub releases_unseen: bool,
    /// Whether a module of it allocates past the tracer.
    pub allocates_unseen: bool,
    /// Whether its snapshots list some of its stacks only.
    pub lists_some: bool,
    /// For how long of its beginning nothing was seen; `None`: nothing was missed, or it ran before the trace.
    pub unseen_first: Option<Time>,
    /// The latest reachability scan of it.
    pub scan: Option<Scan>,
    /// The sites of whose blocks it told.
    pub(super) reached: Vec<SiteId>,
    /// Where the process's epochs lie.
    pub grid: Grid,
    pub(super) activity: [Activity; EPOCHS],
    pub(super) activity_shift: u32,
    pub(super) blocks: Blocks,
    pub(super) tombstones: Tombstones,
    pub(super) teardown: Teardown,
    pub(super) sites: FxHashMap<StackId, SiteId>,
    pub(super) over: BTreeMap<OverRelease, OverReleases>,
    /// Addresses that were freed too often, and how often more than they were given out since.
    released: FxHashMap<Address, u32>,
    pub(super) mappings: Mappings,
    pub(super) heaps: Heaps,
    pub(super) samples: BTreeMap<Metric, Series<Time, u64>>,
    pub(super) measured: Measured,
    pub(super) snapshots: Series<u32, Time>,
    /// The first exceptions told of it.
    exceptions: Vec<Raised>,
}

/// An exception, with when and where it was raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is its type")]
pub struct Raised {
    pub time: Time,
    pub thread: Tid,
    pub exception: Exception,
}

/// The most exceptions that are kept of one process: a dump has one.
const EXCEPTIONS: usize = 16;

impl Image {
    pub(super) fn new(id: ProcessId, began: Time, sampling: Option<Sampling>) -> Self {
        let grid = Grid::new(began);
        Image {
            id,
            process: None,
            sampling,
            began,
            ended: None,
            exit: None,
            allocations: 0,
            frees: 0,
            frees_unseen: 0,
            frees_unmatched: 0,
            frees_unexplained: 0,
            frees_foreign: 0,
            given_twice: 0,
            forked_from: None,
            lost: LostCounts::default(),
            releases_unseen: false,
            allocates_unseen: false,
            lists_some: false,
            unseen_first: None,
            scan: None,
            reached: Vec::new(),
            grid,
            activity: [Activity::default(); EPOCHS],
            activity_shift: grid.shift(),
            blocks: Blocks::default(),
            tombstones: Tombstones::default(),
            teardown: Teardown::default(),
            sites: FxHashMap::default(),
            over: BTreeMap::new(),
            released: FxHashMap::default(),
            mappings: Mappings::default(),
            heaps: Heaps::default(),
            samples: BTreeMap::new(),
            snapshots: Series::default(),
            measured: Measured::default(),
            exceptions: Vec::new(),
        }
    }

    /// The epoch of this time, and the activity in it.
    #[inline]
    pub(super) fn epoch(&mut self, time: Time) -> (u8, &mut Activity) {
        let epoch = self.grid.reach(time);
        if self.activity_shift != self.grid.shift() {
            self.merge();
        }
        (epoch, &mut self.activity[usize::from(epoch)])
    }

    #[cold]
    fn merge(&mut self) {
        let by = (self.grid.shift() - self.activity_shift).min(7);
        self.activity_shift = self.grid.shift();
        let old = std::mem::replace(&mut self.activity, [Activity::default(); EPOCHS]);
        for (epoch, activity) in old.into_iter().enumerate() {
            let into = &mut self.activity[epoch >> by];
            into.allocations = into.allocations.saturating_add(activity.allocations);
            into.frees = into.frees.saturating_add(activity.frees);
            into.unmatched = into.unmatched.saturating_add(activity.unmatched);
        }
    }

    /// Remembers that an address was freed once too often, while there is room.
    pub(super) fn released_again(&mut self, address: Address) {
        if self.released.len() < WINDOW || self.released.contains_key(&address) {
            let times = self.released.entry(address).or_default();
            *times = times.saturating_add(1);
        }
    }

    /// Counts an address that was given out while its block seemed to live.
    #[cold]
    pub(super) fn given_out_alive(&mut self, address: Address) {
        self.frees_unseen += 1;
        if let Some(times) = self.released.get_mut(&address) {
            self.given_twice += 1;
            *times -= 1;
            if *times == 0 {
                self.released.remove(&address);
            }
        }
    }

    /// What was measured of it: by quantity, when and how much.
    pub fn metrics(&self) -> impl Iterator<Item = (Metric, &[(Time, u64)])> {
        self.samples.iter().map(|(metric, series)| (*metric, series.points()))
    }

    /// Whether allocations were seen from the process's beginning.
    pub fn from_start(&self) -> bool {
        self.process.as_ref().is_some_and(|p| p.from_start)
    }

    /// Live blocks, in no order that means anything.
    pub fn live(&self) -> impl Iterator<Item = &Block> {
        self.blocks.iter()
    }

    /// Its sites, in no order that means anything.
    pub fn sites(&self) -> impl ExactSizeIterator<Item = SiteId> {
        self.sites.values().copied()
    }

    /// How many blocks live, of those seen one by one.
    pub fn live_blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Frees that came twice, by site and stack.
    pub fn over_releases(&self) -> impl Iterator<Item = (&OverRelease, &OverReleases)> {
        self.over.iter()
    }

    /// Its modules, in order of their first mapping.
    pub fn mappings(&self) -> &[Mapping] {
        self.mappings.all()
    }

    /// Remembers an exception, while there is room.
    pub(super) fn raised(&mut self, time: Time, thread: Tid, exception: Exception) {
        if self.exceptions.len() < EXCEPTIONS {
            self.exceptions.push(Raised { time, thread, exception });
        }
    }

    /// The first exceptions told of it, oldest first.
    pub fn exceptions(&self) -> &[Raised] {
        &self.exceptions
    }

    /// The points of one quantity, oldest first, in the metric's unit.
    pub fn samples(&self, metric: Metric) -> &[(Time, u64)] {
        self.samples.get(&metric).map_or(&[], Series::points)
    }

    /// The snapshots that were taken of it: number and time of each.
    pub fn snapshots(&self) -> &[(u32, Time)] {
        self.snapshots.points()
    }
}

/// The heaps of one process, numbered so that a block needs four bytes for its heap.
#[derive(Debug, Default)]
pub(super) struct Heaps {
    numbers: FxHashMap<HeapId, u32>,
    next: u32,
}

impl Heaps {
    /// The heap's number: 0 for the default heap. Numbers are not used again.
    #[inline]
    pub(super) fn number(&mut self, heap: HeapId) -> u32 {
        if heap == HeapId::DEFAULT {
            return 0;
        }
        *self.numbers.entry(heap).or_insert_with(|| {
            self.next = self.next.saturating_add(1);
            self.next
        })
    }

    /// Forgets a destroyed heap; its number, if a block was ever allocated from it. The default
    /// heap stands for what no source names a heap of, and is never destroyed.
    pub(super) fn destroy(&mut self, heap: HeapId) -> Option<u32> {
        self.numbers.remove(&heap)
    }
}
