//! The ledger against a naive model that keeps everything, over random event sequences; what it
//! does at its edges; and what a live block costs, growth included.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use unfreed::event::{
    Address, Alloc, Bytes, Event, Exit, Frame, Free, Function, HeapId, Loss, Lost, Process,
    ProcessId, Realloc, Snapshot, StackId, StackNode, Tally, Tid, Time, Trust, What,
};
use unfreed::ledger::{Ledger, Site};
use unfreed::verdict::judge;

/// What each thread holds of memory, and the most it held: tests run side by side.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn count(by: isize) {
    let _ = HELD.try_with(|held| {
        held.set(held.get() + by);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: every call is passed on unchanged to the system's allocator; counting touches only
// const-initialised thread-local cells, which neither allocate nor drop.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

const STACKS: u32 = 5;

fn event(time: u64, process: u32, what: What) -> Event {
    Event { time: Time(time), process: ProcessId(process), thread: Tid(0), what }
}

fn stack(n: u32) -> StackId {
    StackId(StackId::FIRST.0 + n)
}

fn alloc(address: u64, size: u64, at: u32, heap: u64) -> What {
    What::Alloc(Alloc {
        address: Address(address),
        size: Bytes(size),
        stack: stack(at),
        function: Function::Malloc,
        heap: HeapId(heap),
    })
}

fn free(address: u64) -> What {
    What::Free(Free {
        address: Address(address),
        stack: StackId::NOT_TAKEN,
        function: Function::Free,
        heap: HeapId::DEFAULT,
    })
}

fn realloc(old: u64, new: u64, size: u64, at: u32) -> What {
    What::Realloc(Realloc {
        old: Address(old),
        new: Address(new),
        size: Bytes(size),
        stack: stack(at),
        function: Function::Realloc,
        heap: HeapId::DEFAULT,
    })
}

fn ledger() -> Ledger {
    let mut ledger = Ledger::default();
    for n in 0..STACKS {
        let frame = Frame { module: None, offset: n.into(), trust: Trust::Table };
        let caller = StackId::COMPLETE;
        ledger.apply(&event(0, 0, What::Stack(StackNode { caller, frame })));
    }
    ledger
}

/// Size, stack, heap, time of birth, whether it displaced another.
type LiveBlock = (u64, u32, u64, u64, bool);

/// Everything, kept.
#[derive(Default)]
struct Model {
    /// By process and address.
    live: HashMap<(u32, u64), LiveBlock>,
    /// By process and stack: allocations, frees, unseen frees.
    sites: BTreeMap<(u32, u32), (u64, u64, u64)>,
    /// By process and address: the stack of the block freed last there, and whether it displaced.
    freed: HashMap<(u32, u64), (u32, bool)>,
    unmatched: u64,
    /// By process and stack.
    doubles: BTreeMap<(u32, u32), u64>,
    lossy: BTreeMap<u32, bool>,
}

impl Model {
    fn apply(&mut self, time: u64, process: u32, what: &What) {
        match what {
            What::Alloc(a) => {
                let at = a.stack.0 - StackId::FIRST.0;
                self.alloc(time, process, a.address.0, a.size.0, at, a.heap.0);
            }
            What::Free(f) => self.free(process, f.address.0),
            What::Realloc(r) => {
                self.free(process, r.old.0);
                let at = r.stack.0 - StackId::FIRST.0;
                self.alloc(time, process, r.new.0, r.size.0, at, r.heap.0);
            }
            What::HeapDestroy(heap) => {
                let sites = &mut self.sites;
                self.live.retain(|(of, _), (_, at, in_heap, ..)| {
                    let stays = *of != process || *in_heap != heap.0;
                    if !stays {
                        sites.get_mut(&(process, *at)).unwrap().1 += 1;
                    }
                    stays
                });
            }
            What::Loss(_) => drop(self.lossy.insert(process, true)),
            _ => {}
        }
    }

    fn alloc(&mut self, time: u64, process: u32, address: u64, size: u64, at: u32, heap: u64) {
        let old = self.live.remove(&(process, address));
        if let Some((_, old, ..)) = old {
            self.sites.get_mut(&(process, old)).unwrap().2 += 1;
        }
        self.live.insert((process, address), (size, at, heap, time, old.is_some()));
        self.sites.entry((process, at)).or_default().0 += 1;
    }

    fn free(&mut self, process: u32, address: u64) {
        if let Some((_, at, _, _, displaced)) = self.live.remove(&(process, address)) {
            self.sites.get_mut(&(process, at)).unwrap().1 += 1;
            self.freed.insert((process, address), (at, displaced));
            return;
        }
        self.unmatched += 1;
        match self.freed.get(&(process, address)) {
            Some((at, false)) if !self.lossy.contains_key(&process) => {
                *self.doubles.entry((process, *at)).or_default() += 1;
            }
            _ => {}
        }
    }
}

/// Few addresses and heaps, so that they meet often.
fn any_what() -> impl Strategy<Value = What> {
    let address = || (1u64..40).prop_map(|n| n * 16);
    prop_oneof![
        10 => (address(), 0u64..5000, 0..STACKS, 0u64..3).prop_map(|(a, s, k, h)| alloc(a, s, k, h)),
        8 => address().prop_map(free),
        3 => (address(), address(), 0u64..5000, 0..STACKS).prop_map(|(o, n, s, k)| realloc(o, n, s, k)),
        1 => (1u64..3).prop_map(|h| What::HeapDestroy(HeapId(h))),
        1 => Just(What::Epoch),
    ]
}

proptest! {
    #[test]
    fn counts_as_a_model_that_keeps_everything(
        steps in prop::collection::vec((0u64..200_000_000, 0u32..3, any_what()), 0..400),
        lost in prop::option::of((0usize..400, 0u32..3)),
    ) {
        let mut ledger = ledger();
        let mut model = Model::default();
        let mut time = 0;
        for (n, (gap, process, what)) in steps.iter().enumerate() {
            time += gap;
            if let Some((at, of)) = lost && at == n {
                let loss = What::Loss(Loss { what: Lost::Allocations, count: 1 });
                model.apply(time, of, &loss);
                ledger.apply(&event(time, of, loss));
            }
            model.apply(time, *process, what);
            ledger.apply(&event(time, *process, what.clone()));
        }
        check(&ledger, &model);
        judge(&ledger);
    }

    /// Whatever a damaged trace says, counting and judging go through.
    #[test]
    fn wild_numbers_do_no_harm(
        steps in prop::collection::vec(
            (any::<u64>(), any::<u32>(), any::<u32>(), any::<u64>(), any::<u64>(), 0u8..9), 0..100),
    ) {
        let mut ledger = ledger();
        for (time, process, id, a, b, kind) in steps {
            let wild = StackId(id);
            let what = match kind {
                0 => What::Alloc(Alloc {
                    address: Address(a), size: Bytes(b), stack: wild,
                    function: Function::Unknown, heap: HeapId(b),
                }),
                1 => free(a),
                2 => realloc(a, b, a ^ b, 0),
                3 => What::Stack(StackNode {
                    caller: wild,
                    frame: Frame { module: None, offset: a, trust: Trust::Recorded },
                }),
                4 => What::Tally(Box::new(Tally {
                    stack: wild, since: Time(a), allocated: b, allocated_bytes: Bytes(a),
                    freed: a, freed_bytes: Bytes(b), lifetimes: vec![a; 64], estimated: true, sizes: Some((Bytes(a), Bytes(b))), resolution: Time(b),
                })),
                5 => What::Snapshot(Box::new(Snapshot {
                    number: id, stack: wild, blocks: a, bytes: Bytes(b),
                })),
                6 => What::Loss(Loss { what: Lost::Frees, count: a }),
                7 => What::ProcessExit(Exit::Unknown),
                _ => What::HeapDestroy(HeapId(b)),
            };
            ledger.apply(&event(time, process % 4, what));
        }
        for (_, site) in ledger.sites() {
            prop_assert!(ledger.stacks().frames(site.stack).count() <= ledger.stacks().len());
        }
        judge(&ledger);
    }
}

fn check(ledger: &Ledger, model: &Model) {
    let mut seen = 0;
    for (_, site) in ledger.sites() {
        let key = (site.process.0, site.stack.0 - StackId::FIRST.0);
        let (allocations, frees, unseen) = model.sites[&key];
        assert_eq!((site.allocations, site.frees, site.frees_unseen), (allocations, frees, unseen));
        assert_eq!(site.allocations, site.frees + site.frees_unseen + site.live_blocks);
        let live = || model.live.iter().filter(|((of, _), (_, at, ..))| (*of, *at) == key);
        assert_eq!(site.live_blocks, live().count() as u64);
        assert_eq!(site.live_bytes, live().map(|(_, (size, ..))| size).sum::<u64>());
        check_epochs(ledger, site, live().map(|(_, (.., born, _))| *born).collect());
        seen += 1;
    }
    assert_eq!(seen, model.sites.len());
    assert_eq!(ledger.totals().frees_unmatched, model.unmatched);
    let mut doubles = BTreeMap::new();
    for image in ledger.images() {
        assert!(image.over_releases().all(|(_, seen)| seen.count > 0));
        for (place, seen) in image.over_releases() {
            let at = ledger.site(place.site).unwrap().stack.0 - StackId::FIRST.0;
            *doubles.entry((image.id.0, at)).or_default() += seen.count;
        }
    }
    assert_eq!(doubles, model.doubles);
}

fn check_epochs(ledger: &Ledger, site: &Site, births: Vec<u64>) {
    let image = ledger.image(site.process).unwrap();
    let (grid, len) = ledger.grid(image);
    let cohorts = ledger.cohorts(site);
    assert_eq!(cohorts.len(), len);
    assert_eq!(cohorts.iter().map(|c| c.born).sum::<u64>(), site.allocations);
    assert_eq!(cohorts.iter().map(|c| c.died).sum::<u64>(), site.frees + site.frees_unseen);
    assert_eq!(cohorts.iter().map(|c| c.alive_bytes).sum::<u64>(), site.live_bytes);
    assert!(cohorts.iter().all(|c| c.low <= c.high && c.high <= site.peak_blocks));
    for (epoch, cohort) in cohorts.iter().enumerate() {
        let span = grid.start(epoch).0..grid.start(epoch + 1).0;
        let alive = births.iter().filter(|born| span.contains(born)).count() as u64;
        assert_eq!(cohort.alive, alive, "epoch {epoch} of {len}");
    }
}

#[test]
fn an_address_given_out_again_closes_the_old_block_and_accuses_nobody() {
    let mut ledger = ledger();
    for what in [alloc(16, 10, 0, 0), alloc(16, 20, 1, 0), free(16), free(16)] {
        ledger.apply(&event(1, 0, what));
    }
    let image = &ledger.images()[0];
    assert_eq!((image.frees_unseen, image.frees_unmatched, image.frees_unexplained), (1, 1, 1));
    assert_eq!(image.over_releases().count(), 0);
    assert_eq!(ledger.totals().live_blocks, 0);
}

#[test]
fn a_process_that_ended_keeps_its_live_set_and_a_child_begins_empty() {
    let mut ledger = ledger();
    let started = Process { from_start: true, ..Process::default() };
    ledger.apply(&event(1, 0, alloc(16, 10, 0, 0)));
    ledger.apply(&event(2, 1, What::Process(Box::new(started))));
    ledger.apply(&event(3, 1, free(16)));
    ledger.apply(&event(4, 0, What::ProcessExit(Exit::Status(0))));
    ledger.apply(&event(9, 1, What::Epoch));
    assert_eq!(ledger.image(ProcessId(0)).unwrap().live_blocks(), 1);
    let child = ledger.image(ProcessId(1)).unwrap();
    assert_eq!((child.live_blocks(), child.frees_unmatched), (0, 1));
    assert_eq!(ledger.end(ledger.image(ProcessId(0)).unwrap()), Time(4));
}

#[test]
fn a_tally_adds_counts_and_what_died_young_leaves_the_old_alone() {
    let mut ledger = ledger();
    let tally = |allocated: u64, freed: u64, since: u64| {
        What::Tally(Box::new(Tally {
            stack: stack(0),
            since: Time(since),
            allocated,
            allocated_bytes: Bytes(allocated * 8),
            freed,
            freed_bytes: Bytes(freed * 8),
            sizes: None,
            lifetimes: vec![0, 0, freed],
            resolution: Time(0),
            estimated: false,
        }))
    };
    ledger.apply(&event(10, 0, tally(100, 40, 0)));
    ledger.apply(&event(30_000_000, 0, tally(50, 50, 10)));
    let (_, site) = ledger.sites().next().unwrap();
    assert_eq!((site.allocations, site.frees, site.live_blocks), (150, 90, 60));
    assert_eq!(site.live_bytes, 480);
    let alive: Vec<u64> = ledger.cohorts(site).iter().map(|c| c.alive).collect();
    assert_eq!(alive, [60, 0]);
    assert_eq!(site.lifetimes.len(), 90);
}

/// The tables double one at a time: the peak while they do is measured, not the rest after.
#[test]
fn a_live_block_costs_at_most_128_bytes_at_any_size() {
    // Blocks of a heap that can be destroyed are also kept by heap.
    for heap in [0, 7] {
        let mut ledger = ledger();
        let held = HELD.get();
        let mut most = 0.0f64;
        for n in 0..1_000_000u64 {
            PEAK.set(HELD.get());
            ledger.apply(&event(n, 0, alloc(0x7f00_0000_0000 + n * 48, 64, 0, heap)));
            // Below that, what the ledger costs empty weighs in.
            if n > 10_000 {
                most = most.max((PEAK.get() - held) as f64 / n as f64);
            }
        }
        println!("heap {heap}: at most {most:.1} bytes per live block from 10,000 to 1,000,000");
        assert!(most <= 128.0, "{most} bytes per live block");
    }
}

/// Each heap has a block; all that were not destroyed stay.
#[test]
fn a_heap_is_destroyed_without_a_look_at_the_blocks_of_others() {
    let mut ledger = ledger();
    const BLOCKS: u64 = 100_000;
    for n in 0..BLOCKS {
        ledger.apply(&event(n, 0, alloc(0x10_0000 + n * 16, 8, 0, 1)));
    }
    // Ten billion looks if each destruction went through all blocks.
    for n in 0..BLOCKS {
        ledger.apply(&event(BLOCKS + n, 0, alloc(16, 8, 1, 2 + n)));
        ledger.apply(&event(BLOCKS + n, 0, What::HeapDestroy(HeapId(2 + n))));
        ledger.apply(&event(BLOCKS + n, 0, What::HeapDestroy(HeapId::DEFAULT)));
    }
    let image = &ledger.images()[0];
    assert_eq!((image.live_blocks() as u64, image.frees), (BLOCKS, BLOCKS));
    ledger.apply(&event(3 * BLOCKS, 0, What::HeapDestroy(HeapId(1))));
    assert_eq!(ledger.images()[0].live_blocks(), 0);
}

/// A trace that maps ever more modules, each once: what is known must be found, not searched for.
#[test]
fn many_modules_are_mapped_and_unmapped_in_little_time() {
    use unfreed::event::{Module, ModuleId};
    use unfreed_symbols::ModuleIdentity;
    let mut ledger = ledger();
    const MODULES: u32 = 100_000;
    let module = |n: u32| {
        What::Module(Box::new(Module {
            id: ModuleId(n),
            identity: ModuleIdentity::default(),
            base: Address(u64::from(n) << 12),
            size: Bytes(4096),
        }))
    };
    for n in 0..MODULES {
        ledger.apply(&event(0, 0, module(n)));
    }
    for n in 0..MODULES {
        ledger.apply(&event(1, 0, What::ModuleUnload(Address(u64::from(n) << 12))));
    }
    let mappings = ledger.images()[0].mappings();
    assert_eq!(mappings.len(), MODULES as usize);
    assert!(mappings.iter().all(|mapping| !mapping.mapped));
}
