//! A small server that serves requests, and the ways in which one site of it can behave. All
//! randomness comes from the seed; time is the simulation's own. `families` are the ways with fixed
//! numbers, judged within minutes; `kinds` draw theirs from the seed and last up to days.

#![allow(dead_code, reason = "each test uses its part")]

mod draws;
mod families;
pub mod kinds;
mod load;
#[path = "../thinned/mod.rs"]
pub mod thinned;

pub use families::FAMILIES;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use unfreed::event::{
    Address, Alloc, Bytes, Event, Exit, Frame, Free, Function, HeapId, Mark, Process, ProcessId,
    Realloc, StackId, StackNode, Tid, Time, Trust, What,
};
use unfreed::ledger::Ledger;

/// What the subject of a family is by construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    Accumulates,
    OverRelease,
    Innocent,
}

/// A kind of behaviour.
pub struct Family {
    pub name: &'static str,
    pub label: Label,
    pub seconds: u64,
    pub from_start: bool,
    pub behave: fn(&mut World),
}

/// What is so by construction, at any moment of the simulation.
#[derive(Clone, Debug)]
pub struct Truth {
    /// The stacks of the sites that a family is about.
    pub subjects: BTreeSet<StackId>,
    /// Blocks that have accumulated until now (of an over-release: how often it happened).
    pub accumulated: u64,
    /// When the first of them came, in seconds.
    pub since: Option<f64>,
    /// When what is innocent first showed it: a block was evicted, expired or flushed, or no more
    /// came. Until then its events are those of a leak, and an honest method can only abstain.
    pub shown: Option<f64>,
    /// The same of the other sites: those that have not shown it yet.
    pub hidden: BTreeSet<StackId>,
    /// Events told until now.
    pub events: u64,
}

/// Looks at the ledger, knowing the truth.
type Watch = Box<dyn FnMut(&Ledger, &Truth)>;

/// A simulated process and the ledger that watches it.
pub struct World {
    ledger: Ledger,
    seed: u64,
    now: f64,
    seconds: f64,
    next_address: u64,
    /// By process, the blocks that were freed and whose addresses may be given out again.
    reusable: Vec<Vec<Held>>,
    /// The process that does what is done next.
    process: u32,
    thread: u32,
    stacks: u32,
    load: load::Load,
    churn: Vec<load::Churn>,
    connections: load::Connections,
    company: Vec<load::Small>,
    /// Whether a leak makes 100 blocks a minute, whatever its kind would draw.
    quick: bool,
    truth: Truth,
    /// Frees to come: time in nanoseconds, block.
    frees: BinaryHeap<Reverse<(u64, u64)>>,
    last_epoch: u64,
    next_epoch: u64,
    /// Whether the marks get rarer with time, for simulated days.
    sparse_marks: bool,
    /// Called at every epoch mark.
    watch: Option<Watch>,
    /// What a sampling agent would have told, beside the whole.
    sampled: Option<(thinned::Thinner, Ledger)>,
}

/// A block of a simulated process: its address, and from bit 48 on the process.
pub type Held = u64;

const ADDRESS_BITS: u32 = 48;

impl World {
    /// The stack of the site a family is about.
    pub const SUBJECT: StackId = StackId(StackId::FIRST.0);
    /// Size of most blocks of the background.
    pub const USUAL: u64 = 96;
    const STACKS: u32 = 12;
    const REQUESTS_PER_S: f64 = 60.0;

    pub fn new(seed: u64, seconds: u64, from_start: bool) -> Self {
        Self::sampled(seed, seconds, from_start, 0)
    }

    /// The same world to the last event, of which a ledger is also told what an agent that samples
    /// tells, with this mean distance. What is not told changes nothing in the world.
    pub fn sampled(seed: u64, seconds: u64, from_start: bool, mean: u64) -> Self {
        let mut world = World {
            ledger: Ledger::default(),
            seed: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d,
            now: 0.0,
            seconds: seconds as f64,
            next_address: 0x7f00_0000_0010,
            reusable: vec![Vec::new()],
            process: 0,
            thread: 1,
            stacks: 0,
            load: load::Load::Even,
            churn: Vec::new(),
            connections: load::Connections::default(),
            company: Vec::new(),
            quick: false,
            truth: Truth {
                subjects: BTreeSet::from([Self::SUBJECT]),
                accumulated: 0,
                since: None,
                shown: None,
                hidden: BTreeSet::new(),
                events: 0,
            },
            frees: BinaryHeap::new(),
            last_epoch: 0,
            next_epoch: 1,
            sparse_marks: false,
            watch: None,
            sampled: (mean > 0).then(|| (thinned::Thinner::new(seed, mean), Ledger::default())),
        };
        world.say(What::Process(Box::new(Process {
            pid: 100,
            name: "server".into(),
            from_start,
            ..Process::default()
        })));
        for n in 0..Self::STACKS {
            world.stack(StackId::COMPLETE, u64::from(n) * 16);
        }
        world
    }

    /// Defines a stack: this frame, called from that one.
    pub fn stack(&mut self, caller: StackId, offset: u64) -> StackId {
        let frame = Frame { module: None, offset, trust: Trust::Table };
        self.say(What::Stack(StackNode { caller, frame }));
        self.stacks += 1;
        StackId(StackId::FIRST.0 + self.stacks - 1)
    }

    pub fn watch(&mut self, watch: impl FnMut(&Ledger, &Truth) + 'static) {
        self.watch = Some(Box::new(watch));
    }

    pub fn finish(mut self) -> Ledger {
        self.pass(self.seconds);
        self.say(What::Epoch);
        self.ledger
    }

    /// What was told by sampling, and the whole.
    pub fn finish_sampled(mut self) -> (Ledger, Ledger) {
        self.pass(self.seconds);
        self.say(What::Epoch);
        (self.sampled.unwrap().1, self.ledger)
    }

    /// The end of a server that is told to stop: it frees all that it still knows, and exits.
    pub fn shut_down(self) -> Ledger {
        self.shut_down_both().1
    }

    /// As [`World::shut_down`]: what was told by sampling, and the whole.
    pub fn shut_down_both(mut self) -> (Option<Ledger>, Ledger) {
        self.pass(self.seconds);
        let mut live: Vec<u64> =
            self.ledger.images()[0].live().map(|block| block.address.0).collect();
        live.sort_unstable();
        let (since, late) = self.latest_work();
        for (n, block) in live.into_iter().enumerate() {
            self.now += 2e-6;
            self.free_event(block);
            // Some work goes on, as to write a log.
            if n % 40 == 0 {
                let line = self.alloc(Self::background(9), 200);
                self.free_event(line);
            }
        }
        // As many again died young before the shutdown and are told only now.
        if late > 0 {
            self.tally(Self::background(9), 200, late, since);
        }
        self.say(What::ProcessExit(Exit::Status(0)));
        self.now += 1.0;
        self.say(What::Epoch);
        (self.sampled.map(|(_, ledger)| ledger), self.ledger)
    }

    /// Serves requests until the end, with the background of a small server: a little start-up,
    /// temporary blocks for each request, a connection now and then. `each` is called on every
    /// request with the time in seconds.
    pub fn serve(&mut self, each: impl FnMut(&mut World, f64)) {
        self.start_up();
        let end = self.seconds;
        self.serve_until(end, each);
    }

    pub fn start_up(&mut self) {
        for n in 0..200 {
            let size = 32 + self.random(400);
            self.keep_at(Self::background(n % 3), size);
            self.pass(self.now + 0.0005);
        }
    }

    pub fn serve_until(&mut self, end: f64, mut each: impl FnMut(&mut World, f64)) {
        while self.now < end {
            let gap = self.exponential(1.0 / Self::REQUESTS_PER_S);
            if self.now + gap >= end {
                break;
            }
            self.pass(self.now + gap);
            for n in 3..7 {
                let lives = self.exponential(0.004);
                self.lend_at(Self::background(n), Self::USUAL, lives);
            }
            if self.random(30) == 0 {
                let lives = self.exponential(0.8);
                self.lend_at(Self::background(7), 512, lives);
            }
            let now = self.now;
            each(self, now);
        }
        self.pass(end);
    }

    /// Nothing happens but a timer.
    pub fn idle_until(&mut self, end: f64) {
        while self.now < end {
            self.pass((self.now + 2.0).min(end));
            self.lend_at(Self::background(8), 32, 0.001);
        }
    }

    fn background(n: u32) -> StackId {
        StackId(StackId::FIRST.0 + 1 + n)
    }

    /// A block that stays.
    pub fn keep(&mut self, size: u64) -> Held {
        self.alloc(Self::SUBJECT, size)
    }

    pub fn keep_at(&mut self, stack: StackId, size: u64) -> Held {
        self.alloc(stack, size)
    }

    /// A block that is freed after so many seconds.
    pub fn lend(&mut self, size: u64, seconds: f64) {
        self.lend_at(Self::SUBJECT, size, seconds);
    }

    pub fn lend_at(&mut self, stack: StackId, size: u64, seconds: f64) {
        let block = self.alloc(stack, size);
        self.free_in(block, seconds);
    }

    fn alloc(&mut self, stack: StackId, size: u64) -> Held {
        let block = self.place();
        self.give_out(block, stack, size);
        block
    }

    /// An address is given out: to whoever is next, or to somebody in particular.
    pub fn give_out(&mut self, block: Held, stack: StackId, size: u64) {
        self.say(What::Alloc(Alloc {
            address: address_of(block),
            size: Bytes(size),
            stack,
            function: Function::Malloc,
            heap: HeapId::DEFAULT,
        }));
    }

    /// As an allocator: half of the time an address that was freed.
    fn place(&mut self) -> Held {
        let process = self.process as usize;
        if !self.reusable[process].is_empty() && self.random(2) == 0 {
            let at = self.random(self.reusable[process].len() as u64) as usize;
            return self.reusable[process].swap_remove(at);
        }
        self.next_address += 0x40;
        self.next_address | u64::from(self.process) << ADDRESS_BITS
    }

    pub fn free(&mut self, block: Held) {
        self.free_event(block);
        self.reusable[(block >> ADDRESS_BITS) as usize].push(block);
    }

    /// A free of a block whose allocation was before the trace.
    pub fn free_unseen(&mut self) {
        self.next_address += 0x40;
        let address = self.next_address | u64::from(self.process) << ADDRESS_BITS;
        self.free_event(address);
    }

    /// A block of the subject is freed twice.
    pub fn double_free(&mut self) {
        let block = self.keep(40);
        self.free_event(block);
        self.pass(self.now + 0.001);
        self.free_event(block);
    }

    /// A free alone: the address is not given out again.
    pub fn free_event(&mut self, block: Held) {
        let now = std::mem::replace(&mut self.process, (block >> ADDRESS_BITS) as u32);
        self.say(What::Free(Free {
            address: address_of(block),
            stack: StackId::NOT_TAKEN,
            function: Function::Free,
            heap: HeapId::DEFAULT,
        }));
        self.process = now;
    }

    pub fn realloc(&mut self, block: Held, size: u64, moves: bool) -> Held {
        let new = if moves { self.place() } else { block };
        self.say(What::Realloc(Realloc {
            old: address_of(block),
            new: address_of(new),
            size: Bytes(size),
            stack: Self::SUBJECT,
            function: Function::Realloc,
            heap: HeapId::DEFAULT,
        }));
        new
    }

    pub fn mark(&mut self, count: Option<u64>) {
        self.say(What::Mark(Box::new(Mark { text: "messages sent".into(), count })));
    }

    pub fn say(&mut self, what: What) {
        let time = Time((self.now * 1e9) as u64);
        let (process, thread) = (ProcessId(self.process), Tid(self.thread));
        let event = Event { time, process, thread, what };
        self.truth.events += 1;
        if let Some((thinner, ledger)) = &mut self.sampled {
            thinner.tell(&event).iter().for_each(|event| ledger.apply(event));
        }
        self.ledger.apply(&event);
    }

    /// Lets time pass: blocks that are due are freed, epoch marks are set.
    pub fn pass(&mut self, until: f64) {
        loop {
            let due = self.frees.peek().map_or(u64::MAX, |Reverse((at, _))| *at);
            let epoch = self.next_epoch * 1_000_000_000;
            let next = due.min(epoch);
            if next as f64 > until * 1e9 {
                break;
            }
            self.now = self.now.max(next as f64 / 1e9);
            if next == epoch {
                self.beat();
                self.last_epoch = self.next_epoch;
                self.next_epoch += if self.sparse_marks { load::gap(self.next_epoch) } else { 1 };
                self.say(What::Epoch);
                if let Some(watch) = &mut self.watch {
                    let ledger = self.sampled.as_ref().map_or(&self.ledger, |(_, ledger)| ledger);
                    watch(ledger, &self.truth);
                }
            } else if let Some(Reverse((_, address))) = self.frees.pop() {
                self.free(address);
            }
        }
        self.now = self.now.max(until);
    }

    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    pub fn now(&self) -> f64 {
        self.now
    }

    /// 0 to below `n` (SplitMix64).
    pub fn random(&mut self, n: u64) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    pub fn exponential(&mut self, mean: f64) -> f64 {
        let uniform = (self.random(1 << 40) + 1) as f64 / (1u64 << 40) as f64;
        -mean * uniform.ln()
    }
}

fn address_of(block: Held) -> Address {
    Address(block & ((1 << ADDRESS_BITS) - 1))
}
