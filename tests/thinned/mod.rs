//! What an agent that samples would have told of a whole stream of events: sampling points lie in the
//! bytes allocated at distances drawn from an exponential distribution; a block that holds one is told,
//! and its free; of the others nothing is. All randomness comes from the seed.

use std::collections::HashSet;

use unfreed::event::{Address, Alloc, Bytes, Event, Free, ProcessId, Realloc, What};

/// Thins a stream of events.
pub struct Thinner {
    mean: u64,
    random: u64,
    /// Bytes to the next sampling point.
    left: u64,
    recorded: HashSet<(ProcessId, Address)>,
}

impl Thinner {
    pub fn new(seed: u64, mean: u64) -> Self {
        let random = seed.wrapping_mul(0xd134_2543_de82_ef95) ^ 0x1234_5678_9abc_def0;
        let mut thinner = Thinner { mean, random, left: 0, recorded: HashSet::new() };
        thinner.left = thinner.distance();
        thinner
    }

    /// What is told of this event.
    pub fn tell(&mut self, event: &Event) -> Vec<Event> {
        let process = event.process;
        let with = |what: What| Event { what, ..event.clone() };
        match &event.what {
            What::Process(process) => {
                let mut process = process.clone();
                process.sampled = Some(Bytes(self.mean));
                vec![with(What::Process(process))]
            }
            What::Alloc(alloc) => self.alloc(process, *alloc).map(with).into_iter().collect(),
            What::Free(free) => self.free(process, *free).map(with).into_iter().collect(),
            What::Realloc(realloc) => {
                let Realloc { old, new, size, stack, function, heap } = *realloc;
                let freed = self.free(process, Free { address: old, stack, function, heap });
                let alloc = Alloc { address: new, size, stack, function, heap };
                freed.into_iter().chain(self.alloc(process, alloc)).map(with).collect()
            }
            _ => vec![event.clone()],
        }
    }

    fn alloc(&mut self, process: ProcessId, alloc: Alloc) -> Option<What> {
        let size = alloc.size.0.max(1);
        if self.left > size {
            self.left -= size;
            return None;
        }
        // What is left of the last distance says nothing of the next: it has no memory.
        self.left = self.distance();
        self.recorded.insert((process, alloc.address));
        Some(What::Alloc(alloc))
    }

    fn free(&mut self, process: ProcessId, free: Free) -> Option<What> {
        self.recorded.remove(&(process, free.address)).then_some(What::Free(free))
    }

    /// At least one byte, and `> n` with the probability `exp(-n / mean)`.
    fn distance(&mut self) -> u64 {
        let uniform = ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64;
        ((-uniform.ln() * self.mean as f64).ceil() as u64).max(1)
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
