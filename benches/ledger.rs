//! How fast the ledger folds, and how much memory a live block takes with ten million of them,
//! growth included. `cargo bench --bench ledger` prints events per second; the memory figure is
//! the process's own peak as the system counts it, and the bench fails over 128 bytes a block.

use divan::counter::ItemsCount;
use unfreed::event::{
    Address, Alloc, Bytes, Event, Frame, Free, Function, HeapId, ProcessId, StackId, StackNode,
    Tid, Time, Trust, What,
};
use unfreed::ledger::Ledger;

const LIVE: u64 = 10_000_000;
const STACKS: u32 = 2_000;

fn main() {
    memory();
    divan::main();
}

/// A server's day in small: of every ten blocks nine are freed within some hundred events.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn churn(bencher: divan::Bencher) {
    bench(bencher, 900);
}

/// Over a million live blocks: the block map is far larger than the caches.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn churn_over_many_live(bencher: divan::Bencher) {
    bench(bencher, 500);
}

/// Nothing is freed, and the allocator gives out one address after the other.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn survivors(bencher: divan::Bencher) {
    const EVENTS: u64 = 2_000_000;
    let mut events = Vec::with_capacity(EVENTS as usize + STACKS as usize);
    define_stacks(&mut |event| events.push(event));
    let (mut seed, mut address) = (1u64, 0x5555_0000_0010);
    for n in 0..EVENTS {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let stack = (seed >> 33) as u32 % STACKS;
        let size = 24 + u64::from(stack % 16) * 8;
        events.push(alloc(n * 100, address, size, stack));
        address += (size + 8).next_multiple_of(16);
    }
    fold(bencher, &events);
}

/// A verdict over 20,000 sites, as the dashboard asks for at every epoch mark.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn judge_many_sites(bencher: divan::Bencher) {
    const SITES: u32 = 20_000;
    let mut ledger = Ledger::default();
    for n in 0..SITES {
        let frame = Frame { module: None, offset: u64::from(n), trust: Trust::Table };
        let caller = StackId::COMPLETE;
        ledger.apply(&event(0, What::Stack(StackNode { caller, frame })));
    }
    for n in 0..2_000_000u64 {
        ledger.apply(&alloc(n * 5_000, spread(n), 64, (n % u64::from(SITES)) as u32));
        if n % 3 != 0 && n > 500 {
            ledger.apply(&free(n * 5_000, spread(n - 500)));
        }
    }
    bencher.counter(ItemsCount::new(SITES)).bench_local(|| unfreed::verdict::judge(&ledger));
}

fn bench(bencher: divan::Bencher, freed_per_mille: u64) {
    fold(bencher, &churning(4_000_000, freed_per_mille));
}

fn fold(bencher: divan::Bencher, events: &[Event]) {
    bencher.counter(ItemsCount::new(events.len())).bench_local(|| {
        let mut ledger = Ledger::default();
        for event in events {
            ledger.apply(event);
        }
        divan::black_box(ledger.totals())
    });
}

fn memory() {
    let Some(before) = resident("VmRSS:") else { return };
    let mut ledger = Ledger::default();
    define_stacks(&mut |event| ledger.apply(&event));
    for n in 0..LIVE {
        ledger.apply(&alloc(n * 100, spread(n), 64, (n % u64::from(STACKS)) as u32));
    }
    let peak = resident("VmHWM:").unwrap_or(before);
    let bytes = (peak - before) as f64 / LIVE as f64;
    println!("{LIVE} live blocks: {bytes:.1} bytes each at the peak");
    assert!(bytes <= 128.0, "{bytes} bytes per live block");
    assert_eq!(ledger.totals().live_blocks, LIVE);
}

fn churning(count: usize, freed_per_mille: u64) -> Vec<Event> {
    let mut events = Vec::with_capacity(count + STACKS as usize);
    define_stacks(&mut |event| events.push(event));
    let mut live: Vec<u64> = Vec::new();
    let mut seed = 1u64;
    let mut n = 0;
    while events.len() < count {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let time = events.len() as u64 * 1_000;
        let random = seed >> 33;
        if random % 1_000 < freed_per_mille / 2 + 50 && live.len() > 200 {
            let at = live.len() - 1 - (random as usize / 1_000) % 200;
            let address = live.swap_remove(at);
            events.push(free(time, address));
        } else {
            n += 1;
            live.push(spread(n));
            let stack = (random % u64::from(STACKS)) as u32;
            events.push(alloc(time, spread(n), 16 + random % 512, stack));
        }
    }
    events
}

/// As an allocator gives addresses out: nearby, aligned, in no strict order.
fn spread(n: u64) -> u64 {
    0x7f00_0000_0000 + (n ^ (n & 0x3f) << 3) * 48
}

fn define_stacks(into: &mut dyn FnMut(Event)) {
    for n in 0..STACKS {
        let caller = if n == 0 { StackId::COMPLETE } else { StackId(StackId::FIRST.0 + n / 2) };
        let frame = Frame { module: None, offset: u64::from(n), trust: Trust::Table };
        into(event(0, What::Stack(StackNode { caller, frame })));
    }
}

fn alloc(time: u64, address: u64, size: u64, stack: u32) -> Event {
    event(
        time,
        What::Alloc(Alloc {
            address: Address(address),
            size: Bytes(size),
            stack: StackId(StackId::FIRST.0 + stack),
            function: Function::Malloc,
            heap: HeapId::DEFAULT,
        }),
    )
}

fn free(time: u64, address: u64) -> Event {
    event(
        time,
        What::Free(Free {
            address: Address(address),
            stack: StackId::NOT_TAKEN,
            function: Function::Free,
            heap: HeapId::DEFAULT,
        }),
    )
}

fn event(time: u64, what: What) -> Event {
    Event { time: Time(time), process: ProcessId(0), thread: Tid(1), what }
}

/// A line of `/proc/self/status`, in bytes; `None` where there is no such file.
fn resident(line: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let value = status.lines().find_map(|l| l.strip_prefix(line))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
