//! The demand on the server of a kind, and what beside its subject the server does: a start-up,
//! blocks that die young (counted as the agent counts them, or told one by one), connections that come
//! and go, further processes. Marks get rarer with time, so that a simulated day costs little.

use std::cmp::Reverse;

use unfreed::event::{Bytes, Exit, Process, StackId, Tally, Time, What};

use super::{Held, World};

/// How the demand varies over time; 1 is usual.
#[derive(Clone, Copy, Debug)]
pub enum Load {
    Even,
    /// As between day and night.
    Wave {
        period: f64,
        depth: f64,
        phase: f64,
    },
    /// Quiet and busy spells of this length, in no order.
    Spells {
        length: f64,
        salt: u64,
    },
    /// From `from` on only this share of it is left.
    Falls {
        from: f64,
        to: f64,
    },
    /// It doubles again and again.
    Doubles {
        every: f64,
        most: f64,
    },
}

impl Load {
    pub fn at(self, time: f64) -> f64 {
        match self {
            Load::Even => 1.0,
            Load::Wave { period, depth, phase } => {
                1.0 + depth * ((time / period + phase) * std::f64::consts::TAU).sin()
            }
            Load::Spells { length, salt } => {
                let spell = (time / length) as u64;
                let mixed = (spell ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60;
                [0.3, 0.6, 1.0, 2.1][(mixed % 4) as usize]
            }
            Load::Falls { from, to } => {
                if time < from {
                    1.0
                } else {
                    to
                }
            }
            Load::Doubles { every, most } => (time / every).exp2().min(most),
        }
    }

    fn most(self) -> f64 {
        match self {
            Load::Even | Load::Falls { .. } => 1.0,
            Load::Wave { depth, .. } => 1.0 + depth,
            Load::Spells { .. } => 2.1,
            Load::Doubles { most, .. } => most,
        }
    }
}

/// Blocks of one site that die young.
#[derive(Clone, Copy, Debug)]
pub(super) struct Churn {
    process: u32,
    stack: StackId,
    per_s: f64,
    size: u64,
    /// Whether they are told one by one, not counted.
    every_event: bool,
}

/// Connections that come and go in the background.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Connections {
    per_s: f64,
    last_s: f64,
}

/// A small cache of a site that no kind is about.
#[derive(Clone, Debug)]
pub(super) struct Small {
    stack: StackId,
    per_s: f64,
    size: u64,
    most: usize,
    held: Vec<Held>,
}

/// Seconds from this mark to the next.
pub(super) fn gap(mark: u64) -> u64 {
    match mark {
        0..300 => 1,
        300..1800 => 10,
        1800..7200 => 30,
        _ => 300,
    }
}

impl World {
    /// Before a kind begins: its own randomness, and marks for long times.
    pub(super) fn prepare(&mut self, salt: u64, quick: bool) {
        self.seed ^= salt;
        self.quick = quick;
        self.sparse_marks = true;
    }

    /// How the demand on this server varies.
    fn draw_load(&mut self) -> Load {
        if self.quick {
            return Load::Even;
        }
        match self.random(5) {
            0 => self.draw_wave(),
            1 => Load::Spells { length: self.share(0.005, 0.1), salt: self.random(1 << 32) },
            _ => Load::Even,
        }
    }

    pub fn draw_wave(&mut self) -> Load {
        let (period, depth) = (self.share(0.03, 1.0), self.even(0.2, 0.9));
        Load::Wave { period, depth, phase: self.unit() }
    }

    pub fn set_load(&mut self, load: Load) {
        self.load = load;
    }

    pub fn load(&self) -> f64 {
        self.load.at(self.now)
    }

    /// The server starts: it builds what it needs, and from now on does its usual work besides.
    pub fn settle(&mut self) {
        self.load = self.draw_load();
        let (blocks, lasts) = (self.count(20, 600), self.log(0.05, 3.0));
        let stacks: Vec<StackId> = (0..self.count(3, 100))
            .map(|n| self.stack(Self::background(0), 0x8000 + n * 16))
            .collect();
        for n in 0..blocks {
            let size = self.size();
            self.keep_at(stacks[n as usize % stacks.len()], size);
            self.pass(self.now + lasts / blocks as f64);
        }
        self.work();
    }

    /// The usual work of a server that had started before it is looked at.
    pub fn work(&mut self) {
        if matches!(self.load, Load::Even) {
            self.load = self.draw_load();
        }
        let every_event = self.seconds < 100.0 && self.random(2) == 0;
        let fastest = if every_event { 8.0 } else { 200.0 };
        for n in 3..7 {
            let (per_s, size) = (self.log(0.5, fastest), self.size());
            let (process, stack) = (self.process, Self::background(n));
            self.churn.push(Churn { process, stack, per_s, size, every_event });
        }
        let per_s = (self.log(30.0, 600.0) / self.seconds).min(5.0);
        self.connections = Connections { per_s, last_s: self.log(0.2, 60.0) };
        for n in 0..self.random(8) {
            let stack = self.stack(Self::background(1), 0x9000 + n * 16);
            let (per_s, size, most) = (self.rate(50.0, 600.0), self.size(), self.count(2, 40));
            self.truth.hidden.insert(stack);
            let (most, held) = (most as usize, Vec::new());
            self.company.push(Small { stack, per_s, size, most, held });
        }
    }

    /// From now on blocks of this site are allocated so often and die within milliseconds:
    /// counted, not told one by one.
    pub fn churn_at(&mut self, stack: StackId, per_s: f64, size: u64) {
        let process = self.process;
        self.churn.push(Churn { process, stack, per_s, size, every_event: false });
    }

    /// Before each mark: what died young since the last, and who connected.
    pub(super) fn beat(&mut self) {
        let dt = (self.next_epoch - self.last_epoch) as f64;
        let (process, load) = (self.process, self.load());
        for n in 0..self.churn.len() {
            let churn = self.churn[n];
            self.process = churn.process;
            let count = self.poisson(churn.per_s * dt * load);
            if churn.every_event {
                for _ in 0..count {
                    let lives = self.exponential(0.004);
                    self.lend_at(churn.stack, churn.size, lives);
                }
            } else if count > 0 {
                self.tally(churn.stack, churn.size, count, Time(self.last_epoch * 1_000_000_000));
            }
        }
        self.process = 0;
        let expected = self.connections.per_s * dt * load;
        // A world without this background draws nothing for it.
        let connected = if expected > 0.0 { self.poisson(expected) } else { 0 };
        for _ in 0..connected {
            let lives = self.exponential(self.connections.last_s);
            self.lend_at(Self::background(7), 512, lives);
        }
        let mut company = std::mem::take(&mut self.company);
        company.iter_mut().for_each(|cache| self.use_small(cache, dt * load));
        self.company = company;
        self.process = process;
    }

    fn use_small(&mut self, cache: &mut Small, time: f64) {
        for _ in 0..self.poisson(cache.per_s * time) {
            if cache.held.len() == cache.most {
                self.truth.hidden.remove(&cache.stack);
                let at = self.random(cache.most as u64) as usize;
                let old = cache.held.swap_remove(at);
                self.free(old);
            }
            let new = self.keep_at(cache.stack, cache.size);
            cache.held.push(new);
        }
    }

    /// When the latest epoch began, and the allocations told in it.
    pub(super) fn latest_work(&self) -> (Time, u64) {
        let image = &self.ledger.images()[0];
        let grid = self.ledger.grid(image).0;
        let activity = self.ledger.activity(image);
        let epoch = activity.len() - 1;
        (grid.start(epoch), activity[epoch].allocations)
    }

    /// Pairs, as a finer clock than the agent's now would count them: all died within 8 ms.
    pub(super) fn tally(&mut self, stack: StackId, size: u64, count: u64, since: Time) {
        let bytes = Bytes(count * size);
        self.say(What::Tally(Box::new(Tally {
            stack,
            since,
            allocated: count,
            allocated_bytes: bytes,
            freed: count,
            freed_bytes: bytes,
            sizes: Some((Bytes(size), Bytes(size))),
            lifetimes: vec![count],
            resolution: Time(8_000_000),
            estimated: false,
        })));
    }

    /// Until `end`, requests as the load goes.
    pub fn requests(&mut self, per_s: f64, end: f64, mut each: impl FnMut(&mut World)) {
        let end = end.min(self.seconds);
        while self.now < end {
            let most = self.load.most();
            let next = self.now + self.exponential(1.0 / (per_s * most));
            if next >= end {
                break;
            }
            self.pass(next);
            if self.unit() * most < self.load() {
                each(self);
            }
        }
        self.pass(end);
    }

    /// The same to the end of the observation.
    pub fn all_along(&mut self, per_s: f64, each: impl FnMut(&mut World)) {
        self.requests(per_s, self.seconds, each);
    }

    /// A block of the subject that nobody will ever free.
    pub fn leak(&mut self, size: u64) -> Held {
        self.leak_at(Self::SUBJECT, size)
    }

    /// The same at another site, which is a subject, too.
    pub fn leak_at(&mut self, stack: StackId, size: u64) -> Held {
        self.truth.subjects.insert(stack);
        self.accumulated(self.truth.accumulated + 1);
        self.alloc(stack, size)
    }

    /// The block is freed after so many seconds.
    pub fn free_in(&mut self, block: Held, seconds: f64) {
        let at = ((self.now + seconds) * 1e9) as u64;
        self.frees.push(Reverse((at, block)));
    }

    /// So many blocks have accumulated.
    pub fn accumulated(&mut self, blocks: u64) {
        self.truth.accumulated = blocks;
        if blocks > 0 {
            self.truth.since.get_or_insert(self.now);
        }
    }

    /// From now on the events tell that the subject is innocent.
    pub fn shows(&mut self) {
        self.truth.shown.get_or_insert(self.now);
    }

    /// It begins anew, and tells nothing yet.
    pub fn hides(&mut self) {
        self.truth.shown = None;
    }

    /// A child of the first process begins, and does what is done next. It inherits nothing that is
    /// looked at.
    pub fn fork(&mut self) -> u32 {
        let process = self.reusable.len() as u32;
        self.reusable.push(Vec::new());
        self.process = process;
        self.say(What::Process(Box::new(Process {
            pid: 100 + process,
            parent: 100,
            name: "server".into(),
            ..Process::default()
        })));
        process
    }

    /// A thread does what is done next.
    pub fn on_thread(&mut self, thread: usize) {
        self.thread = 1 + thread as u32;
    }

    /// This process does what is done next.
    pub fn enter(&mut self, process: u32) {
        self.process = process;
    }

    /// A process exits and frees nothing; the first does what is done next.
    pub fn exit(&mut self, process: u32) {
        self.process = process;
        self.say(What::ProcessExit(Exit::Status(0)));
        self.churn.retain(|churn| churn.process != process);
        self.process = 0;
    }
}
