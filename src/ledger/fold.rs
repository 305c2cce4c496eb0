//! How each event changes the ledger. Allocation and release come first and are kept short: all
//! other events together are rare. Nothing here can fail: what does not fit what came before is
//! counted (lost stacks, unmatched and unseen frees) and shown wherever a conclusion is.

use super::Ledger;
use super::blocks::Block;
use super::memory;
use super::processes::{Image, LostCounts, OverRelease, OverReleases};
use super::sampling::Sampling;
use super::sites::{LiveSet, Site, SiteId};
use super::tombstones::Tombstone;
use crate::event::{
    Address, Alloc, Bytes, Event, Exception, Exit, FactKind, Free, FreedBefore, Function,
    HeapCreate, HeapId, Lost, Metric, Process, ProcessId, Reach, Realloc, Sample, Scan, Snapshot,
    StackId, Tally, Time, What,
};

/// How many forks back an inherited block is looked for.
const GENERATIONS: usize = 16;

impl Ledger {
    /// Folds the next event. Events come in time order; a time that goes backwards counts as the
    /// latest time seen.
    #[inline]
    pub fn apply(&mut self, event: &Event) {
        self.now = self.now.max(event.time);
        if self.began.is_none() {
            self.began = Some(event.time);
        }
        if self.lost_at_end != LostCounts::default() && !matches!(event.what, What::Loss(_)) {
            self.not_the_end();
        }
        match &event.what {
            What::Alloc(alloc) => self.alloc(event.process, alloc),
            What::Free(free) => self.free(event.process, free),
            What::Realloc(realloc) => self.realloc(event.process, realloc),
            What::Stack(node) => self.stacks.define(*node),
            _ => self.rare(event),
        }
    }

    /// An event came behind a loss: it left a hole.
    #[cold]
    fn not_the_end(&mut self) {
        let hole = std::mem::take(&mut self.lost_at_end);
        self.lost_anywhere = self.lost_anywhere.and(hole);
    }

    fn rare(&mut self, event: &Event) {
        let now = self.now;
        match &event.what {
            What::Alloc(_) | What::Free(_) | What::Realloc(_) | What::Stack(_) => {}
            What::Module(module) => {
                self.modules.identify(module);
                self.image_mut(event.process).mappings.map(module);
            }
            What::ModuleUnload(base) => self.image_mut(event.process).mappings.unmap(*base),
            What::Process(process) => self.process(event.process, process),
            What::FreedBefore(before) => self.freed_before(event.process, before),
            What::ProcessExit(exit) => {
                let image = self.image_mut(event.process);
                image.exit = Some(*exit);
                image.ended = (*exit != Exit::StillRunning).then_some(now);
            }
            What::HeapDestroy(heap) => self.destroy(event.process, *heap),
            What::Loss(loss) if event.process == ProcessId::EVERY => {
                let in_place = loss.what == Lost::Bytes || self.lost_at_end.bytes > 0;
                let lost = if in_place { &mut self.lost_at_end } else { &mut self.lost_anywhere };
                lost.add(loss.what, loss.count);
            }
            What::Loss(loss) => self.image_mut(event.process).lost.add(loss.what, loss.count),
            What::Mark(mark) => self.marks.set(self.began.unwrap_or(now), now, mark),
            What::Tally(tally) => self.tally(event.process, tally),
            What::Snapshot(snapshot) => self.snapshot(event.process, snapshot),
            What::Sample(sample) => self.sample(event.process, *sample),
            What::Fact(fact) => {
                match fact.kind {
                    FactKind::FreesUnseen => self.image_mut(event.process).releases_unseen = true,
                    FactKind::AllocationsUnseen => {
                        self.image_mut(event.process).allocates_unseen = true;
                    }
                    FactKind::SeenLate => {
                        let unseen = fact.value.as_deref().and_then(|value| value.parse().ok());
                        self.image_mut(event.process).unseen_first = unseen.map(Time);
                    }
                    FactKind::ListsSome => self.image_mut(event.process).lists_some = true,
                    _ => {}
                }
                self.facts.insert((fact.kind, fact.subject.clone()), fact.as_ref().clone());
            }
            What::Epoch => {
                self.epochs += 1;
                self.last_epoch = Some(now);
            }
            What::Name(name) => self.modules.name(name),
            What::Scan(scan) => self.scan(event.process, scan),
            What::Reach(reach) => self.reach(event.process, reach),
            What::HeapCreate(create) => self.create(event.process, create),
            What::Exception(exception) => {
                let stack = self.stacks.resolve(exception.stack);
                let exception = Exception { stack, ..*exception };
                self.image_mut(event.process).raised(now, event.thread, exception);
            }
            // Nothing is concluded from threads.
            What::Thread(_) | What::ThreadExit => {}
        }
    }

    #[inline]
    fn alloc(&mut self, process: ProcessId, alloc: &Alloc) {
        // NULL is a failed allocation, not a block.
        if alloc.address == Address(0) {
            return;
        }
        let now = self.now;
        let stack = self.stacks.resolve(alloc.stack);
        let at = self.image_index(process);
        let image = &mut self.images[at];
        let (epoch, activity) = image.epoch(now);
        activity.allocations = activity.allocations.saturating_add(1);
        image.allocations = image.allocations.saturating_add(1);
        image.teardown.allocated(1);
        let id = site_of(image, &mut self.sites, stack, now);
        let heap = image.heaps.number(alloc.heap);
        let sampling = image.sampling;
        let old = image.blocks.insert(Block::new(alloc.address, now, alloc.size, id, heap));
        if let Some(old) = old {
            image.given_out_alive(alloc.address);
            let site = &mut self.sites[old.site.0 as usize];
            site.died(&image.grid, epoch, &old, None);
            if let Some(sampling) = sampling {
                site.estimate_died(&image.grid, epoch, &old, None, sampling);
            }
        }
        let site = &mut self.sites[id.0 as usize];
        site.born(&image.grid, epoch, now, alloc.size, alloc.function);
        if let Some(sampling) = sampling {
            site.estimate_born(&image.grid, epoch, alloc.size, sampling);
        }
    }

    #[inline]
    fn free(&mut self, process: ProcessId, free: &Free) {
        if free.address == Address(0) {
            return;
        }
        let now = self.now;
        let at = self.image_index(process);
        let image = &mut self.images[at];
        let Some(block) = image.blocks.remove(free.address) else {
            if image.sampling.is_some() {
                unmatched_in_sample(image, now, free.address);
                return;
            }
            image.epoch(now).1.unmatched += 1;
            let stack = self.stacks.resolve(free.stack);
            let lossy = self.lost_anywhere.and(image.lost).allocations_unseen();
            if !unmatched(image, lossy, now, free.address, stack) {
                self.foreign(at, free.address);
            }
            return;
        };
        let (epoch, activity) = image.epoch(now);
        activity.frees = activity.frees.saturating_add(1);
        image.frees = image.frees.saturating_add(1);
        image.teardown.freed(now, 1, image.grid.width());
        let site = &mut self.sites[block.site.0 as usize];
        let freed = Some((now, image.teardown.span()));
        site.died(&image.grid, epoch, &block, freed);
        if let Some(sampling) = image.sampling {
            site.estimate_died(&image.grid, epoch, &block, freed, sampling);
        }
        let stack = self.stacks.resolve(free.stack);
        image.tombstones.bury(Tombstone {
            address: free.address,
            freed: now,
            site: block.site,
            stack,
            tainted: block.tainted(),
        });
    }

    /// A realloc is a free of the old block and an allocation of the new one, in place too. A block
    /// that stayed where it was leaves no tombstone that could matter: its address is live again.
    fn realloc(&mut self, process: ProcessId, realloc: &Realloc) {
        let Realloc { old, new, size, stack, function, heap } = *realloc;
        self.free(process, &Free { address: old, stack, function, heap });
        self.alloc(process, &Alloc { address: new, size, stack, function, heap });
    }

    fn process(&mut self, id: ProcessId, process: &Process) {
        let at = self.image_index(id);
        let parent = |image: &Image| {
            let pid = image.process.as_ref().map(|process| process.pid);
            image.id != id && image.ended.is_none() && pid == Some(process.parent)
        };
        // What began with its image has inherited nothing.
        let forked = !process.from_start && process.parent != 0;
        let forked_from = forked.then(|| self.images.iter().rposition(parent)).flatten();
        self.sampling = process.sampled.map(|mean| Sampling { mean });
        let sampling = self.sampling;
        let image = &mut self.images[at];
        // A block must weigh at its death what it weighed at its birth.
        if image.allocations == 0 {
            image.sampling = sampling;
        }
        image.forked_from = forked_from.or(image.forked_from);
        image.process = Some(process.clone());
    }

    /// What a source says of a block that it had only counted, as a tombstone of it would have
    /// said. What was seen one by one counts for more, where it is as recent.
    fn freed_before(&mut self, process: ProcessId, before: &FreedBefore) {
        let FreedBefore { address, site, stack, freed } = *before;
        let (site, stack) = (self.stacks.resolve(site), self.stacks.resolve(stack));
        let at = self.image_index(process);
        let image = &mut self.images[at];
        // In a sample, a block that was not recorded may have lived there since.
        if image.sampling.is_some() {
            return;
        }
        // Somebody was given the address since: the free that follows is of that block.
        if address == Address(0) || image.blocks.get(address).is_some() {
            return;
        }
        let unknown = site == StackId::NOT_TAKEN;
        match image.tombstones.find_mut(address) {
            Some(known) if unknown || known.freed >= freed => {
                if known.stack == StackId::NOT_TAKEN {
                    known.stack = stack;
                }
            }
            _ => {
                let site = match unknown {
                    true => SiteId(u32::MAX),
                    false => site_of(image, &mut self.sites, site, freed),
                };
                image.tombstones.bury(Tombstone { address, freed, site, stack, tainted: unknown });
            }
        }
    }

    /// A free of an address where nothing is known to have been: the block is older than what is
    /// seen of the process, or was allocated unseen.
    #[cold]
    fn foreign(&mut self, at: usize, address: Address) {
        if !self.is_inherited(at, address) {
            self.images[at].frees_foreign += 1;
        }
    }

    /// Whether a block at this address may be older than the image: its parent had it at the fork.
    /// Of a process whose parent is not known, nobody can say.
    fn is_inherited(&self, at: usize, address: Address) -> bool {
        let mut child = &self.images[at];
        for _ in 0..GENERATIONS {
            let Some(parent) = child.forked_from.and_then(|parent| self.images.get(parent)) else {
                return !child.from_start();
            };
            let forked = child.began;
            let lives = parent.blocks.get(address).is_some_and(|block| block.born <= forked);
            let freed = || parent.tombstones.find(address).is_some_and(|t| t.freed >= forked);
            if lives || freed() {
                return true;
            }
            child = parent;
        }
        false
    }

    /// A heap is a block, too: one that is never destroyed leaks as a block does.
    fn create(&mut self, process: ProcessId, create: &HeapCreate) {
        let alloc = Alloc {
            address: Address(create.heap.0),
            size: Bytes(0),
            stack: create.stack,
            function: Function::RtlCreateHeap,
            heap: HeapId::DEFAULT,
        };
        self.alloc(process, &alloc);
    }

    fn destroy(&mut self, process: ProcessId, heap: HeapId) {
        self.destroy_blocks(process, heap);
        let at = self.image_index(process);
        // One that was created before the trace began is not known as a block.
        if self.images[at].blocks.get(Address(heap.0)).is_some() {
            let function = Function::RtlDestroyHeap;
            let (address, stack) = (Address(heap.0), StackId::NOT_TAKEN);
            self.free(process, &Free { address, stack, function, heap: HeapId::DEFAULT });
        }
    }

    fn destroy_blocks(&mut self, process: ProcessId, heap: HeapId) {
        let now = self.now;
        let at = self.image_index(process);
        let image = &mut self.images[at];
        let Some(number) = image.heaps.destroy(heap) else { return };
        let gone = image.blocks.destroy(number);
        let (epoch, activity) = image.epoch(now);
        activity.frees = activity.frees.saturating_add(gone.len() as u64);
        image.frees = image.frees.saturating_add(gone.len() as u64);
        image.teardown.freed(now, gone.len() as u64, image.grid.width());
        for block in gone {
            let site = &mut self.sites[block.site.0 as usize];
            let freed = Some((now, image.teardown.span()));
            site.died(&image.grid, epoch, &block, freed);
            if let Some(sampling) = image.sampling {
                site.estimate_died(&image.grid, epoch, &block, freed, sampling);
            }
        }
    }

    fn tally(&mut self, process: ProcessId, tally: &Tally) {
        let now = self.now;
        let stack = self.stacks.resolve(tally.stack);
        let at = self.image_index(process);
        let image = &mut self.images[at];
        let (epoch, activity) = image.epoch(now);
        activity.allocations = activity.allocations.saturating_add(tally.allocated);
        activity.frees = activity.frees.saturating_add(tally.freed);
        image.allocations = image.allocations.saturating_add(tally.allocated);
        image.frees = image.frees.saturating_add(tally.freed);
        image.teardown.tallied(tally.since, now, tally.allocated);
        let id = site_of(image, &mut self.sites, stack, tally.since.min(now));
        let site = &mut self.sites[id.0 as usize];
        site.tally(&image.grid, epoch, now, tally);
        if image.sampling.is_some() {
            site.estimate_tally(&image.grid, epoch, tally);
        }
    }

    fn snapshot(&mut self, process: ProcessId, snapshot: &Snapshot) {
        let now = self.now;
        let Snapshot { number, blocks, bytes, .. } = *snapshot;
        let stack = self.stacks.resolve(snapshot.stack);
        if self.snapshots.points().last().is_none_or(|(last, _)| *last < number) {
            self.snapshots.push(number, now);
        }
        let at = self.image_index(process);
        let image = &mut self.images[at];
        image.epoch(now);
        // Those of another process say nothing of what this one's stacks held.
        if image.snapshots.points().last().is_none_or(|(last, _)| *last < number) {
            image.snapshots.push(number, now);
        }
        let id = site_of(image, &mut self.sites, stack, now);
        let site = &mut self.sites[id.0 as usize];
        match site.snapshots.last_mut() {
            // UMDH lists a stack once a heap: entries of one snapshot add up.
            Some((last, live)) if *last >= number => {
                live.blocks = live.blocks.saturating_add(blocks);
                live.bytes.0 = live.bytes.0.saturating_add(bytes.0);
            }
            _ => site.snapshots.push(number, LiveSet { blocks, bytes }),
        }
    }

    fn sample(&mut self, process: ProcessId, sample: Sample) {
        let now = self.now;
        let at = self.image_index(process);
        let of_memory = matches!(sample.metric, Metric::PrivateBytes | Metric::Rss);
        let image = &mut self.images[at];
        if of_memory {
            let latest = image.snapshots.points().last().map(|(number, _)| *number);
            let sites = image.sites.values().map(|id| &self.sites[id.0 as usize]);
            // Of what is not listed nobody knows.
            let known = memory::known(sites, latest).filter(|_| !image.lists_some);
            image.measured.push(now, sample.metric, sample.value, known);
        }
        image.samples.entry(sample.metric).or_default().push(now, sample.value);
    }

    fn scan(&mut self, process: ProcessId, scan: &Scan) {
        let at = self.image_index(process);
        let image = &mut self.images[at];
        image.scan = Some(scan.clone());
        for site in image.reached.drain(..) {
            self.sites[site.0 as usize].reach = Vec::new();
        }
    }

    /// Of blocks that are not known to live it says nothing: their allocations were lost.
    fn reach(&mut self, process: ProcessId, reach: &Reach) {
        let stack = self.stacks.resolve(reach.stack);
        let at = self.image_index(process);
        let image = &mut self.images[at];
        if let Some(site) = image.sites.get(&stack) {
            let of = &mut self.sites[site.0 as usize].reach;
            if of.is_empty() {
                image.reached.push(*site);
            }
            of.push(*reach);
        }
    }

    #[inline]
    fn image_index(&mut self, process: ProcessId) -> usize {
        match self.images.get(self.last_image) {
            Some(image) if image.id == process => self.last_image,
            _ => self.find_image(process),
        }
    }

    fn find_image(&mut self, process: ProcessId) -> usize {
        self.last_image = *self.by_process.entry(process).or_insert_with(|| {
            self.images.push(Image::new(process, self.now, self.sampling));
            self.images.len() - 1
        });
        self.last_image
    }

    fn image_mut(&mut self, process: ProcessId) -> &mut Image {
        let at = self.image_index(process);
        &mut self.images[at]
    }
}

/// The site of a stack in a process; a new one at first sight.
#[inline]
fn site_of(image: &mut Image, sites: &mut Vec<Site>, stack: StackId, first: Time) -> SiteId {
    *image.sites.entry(stack).or_insert_with(|| {
        sites.push(Site::new(image.id, stack, first, &image.grid));
        SiteId(sites.len() as u32 - 1)
    })
}

/// A free of an address at which nothing lives. If a block was freed there before and nothing that
/// was lost so far can have been allocated there since, that block was freed twice. A loss may be
/// told late: the judge looks again. Whether any free is remembered there.
#[cold]
fn unmatched(image: &mut Image, lossy: bool, now: Time, address: Address, stack: StackId) -> bool {
    image.frees_unmatched += 1;
    let Some(tombstone) = image.tombstones.find(address).copied() else { return false };
    if lossy || tombstone.tainted {
        image.frees_unexplained += 1;
        return true;
    }
    image.released_again(address);
    let key = OverRelease { site: tombstone.site, stack };
    let new = OverReleases {
        count: 0,
        first: now,
        last: now,
        first_free: tombstone.stack,
        apart: Time(0),
    };
    let seen = image.over.entry(key).or_insert(new);
    seen.count += 1;
    seen.last = now;
    seen.first_free = tombstone.stack;
    seen.apart = Time(now.0.saturating_sub(tombstone.freed.0));
    true
}

/// A free of an address at which nothing recorded lives, in a sampled process. The source meant none:
/// it takes a block for a recorded one now and then. Even where a recorded block was freed there
/// before, one that was not recorded may have lived there since, so nobody is accused; that is counted.
/// A process that inherited blocks, or ran before, frees those of them that were recorded elsewhere.
#[cold]
fn unmatched_in_sample(image: &mut Image, now: Time, address: Address) {
    if !image.from_start() {
        image.epoch(now).1.unmatched += 1;
        image.frees_unmatched += 1;
    }
    if image.tombstones.find(address).is_some() {
        image.frees_unexplained += 1;
    }
}
