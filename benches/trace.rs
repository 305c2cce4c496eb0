//! How fast events are written and read, and how many bytes each takes: a broker-like mix of
//! 1,000 sites, four threads, blocks of mixed lifetimes. Prints the size; run with
//! `cargo bench --bench trace`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark")]

use std::io;

use divan::Bencher;
use divan::counter::ItemsCount;
use unfreed::event::*;
use unfreed::read::trace::{Header, Reader, Writer};

const EVENTS: usize = 2_000_000;
const SITES: u64 = 1_000;
const DEPTH: u64 = 24;

fn main() {
    let events = events();
    let bytes = written(&events).len();
    println!(
        "{} events, {bytes} bytes: {:.2} bytes per event",
        events.len(),
        bytes as f64 / events.len() as f64
    );
    divan::main();
}

/// A fixed sequence of numbers that look random (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Sites with skewed weights and one or a few sizes each; half of all blocks are freed soon and
/// their addresses used again, as thread caches do, the rest at random.
fn events() -> Vec<Event> {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut events = Vec::with_capacity(EVENTS + 1000);
    let mut time = 0;
    let mut push = |events: &mut Vec<Event>, thread: u64, passed: u64, what| {
        time += passed;
        let thread = Tid(4_000_000 + thread as u32);
        events.push(Event { time: Time(time), process: ProcessId(0), thread, what });
    };
    let mut stacks = Vec::new();
    let mut next = StackId::FIRST.0;
    for _ in 0..SITES {
        let mut caller = StackId::COMPLETE;
        for _ in 0..DEPTH {
            let module = Some(ModuleId(dice.below(40) as u32));
            let frame = Frame { module, offset: dice.below(1 << 20), trust: Trust::Table };
            push(&mut events, 0, 0, What::Stack(StackNode { caller, frame }));
            caller = StackId(next);
            next += 1;
        }
        stacks.push((caller, 16 + dice.below(300)));
    }
    let mut live: Vec<Address> = Vec::new();
    let mut spare: Vec<Address> = Vec::new();
    let mut top = 0x5555_5000_0000;
    let mut thread = 0;
    while events.len() < EVENTS {
        if dice.below(16) == 0 {
            thread = dice.below(4);
        }
        let passed = 150 + dice.below(1500);
        if live.len() > 1000 && dice.below(100) < 49 {
            let recent = live.len() as u64 - 1 - dice.below(8);
            let index = if dice.below(2) == 0 { recent } else { dice.below(live.len() as u64) };
            let address = live.swap_remove(index as usize);
            spare.push(address);
            let (stack, heap) = (StackId::NOT_TAKEN, HeapId::DEFAULT);
            let free = Free { address, stack, function: Function::Free, heap };
            push(&mut events, thread, passed, What::Free(free));
        } else {
            let site = dice.below(SITES).min(dice.below(SITES)).min(dice.below(SITES));
            let (stack, size) = stacks[site as usize];
            let size = Bytes(size + if site.is_multiple_of(3) { dice.below(64) } else { 0 });
            let address = spare.pop().unwrap_or_else(|| {
                top += 16 + size.0.next_multiple_of(16);
                Address(top)
            });
            live.push(address);
            let function = if site.is_multiple_of(4) { Function::New } else { Function::Malloc };
            let alloc = Alloc { address, size, stack, function, heap: HeapId::DEFAULT };
            push(&mut events, thread, passed, What::Alloc(alloc));
        }
    }
    events
}

fn written(events: &[Event]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &Header::default()).unwrap();
    for event in events {
        writer.write(event).unwrap();
    }
    writer.finish().unwrap();
    bytes
}

#[divan::bench(sample_count = 20)]
fn encode(bencher: Bencher<'_, '_>) {
    let events = events();
    bencher.counter(ItemsCount::new(events.len())).bench(|| {
        let mut writer = Writer::new(io::sink(), &Header::default()).unwrap();
        for event in &events {
            writer.write(event).unwrap();
        }
        writer.finish().unwrap()
    });
}

#[divan::bench(sample_count = 20)]
fn decode(bencher: Bencher<'_, '_>) {
    let bytes = written(&events());
    bencher.counter(ItemsCount::new(EVENTS)).bench(|| {
        let mut reader = Reader::new(&bytes[..]).unwrap();
        let mut events = Vec::new();
        let mut count = 0;
        while reader.next_chunk(&mut events).unwrap() {
            count += events.len();
        }
        count
    });
}
