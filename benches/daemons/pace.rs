//! When a client does its next thing, and what: drawn from a seed, around a rate that rises and falls as
//! days and nights do, until the soak is over.

use std::thread;
use std::time::{Duration, Instant};

/// From one busy time to the next.
const TIDE: f64 = 420.0;
/// How much longer the pauses are when least is going on.
const LOW_TIDE: f64 = 4.0;

/// One client's clock and dice.
#[derive(Clone, Debug)]
pub struct Pace {
    began: Instant,
    until: Instant,
    load: f64,
    state: u64,
}

impl Pace {
    /// For a soak that begins now, with so much load.
    pub fn new(lasts: Duration, load: f64, seed: u64) -> Pace {
        let began = Instant::now();
        let state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        Pace { began, until: began + lasts, load, state }
    }

    /// The same clock with other dice.
    pub fn other(&self, number: u64) -> Pace {
        let mixed = (self.state ^ (number + 1)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Pace { state: (mixed ^ mixed >> 31) | 1, ..self.clone() }
    }

    /// Waits for about this long, longer when less is going on; whether the soak still lasts.
    pub fn wait(&mut self, about: Duration) -> bool {
        let day = (self.began.elapsed().as_secs_f64() / TIDE * std::f64::consts::TAU).cos();
        let slower = 1.0 + (LOW_TIDE - 1.0) * (1.0 - day) / 2.0;
        let varied = (self.below(1000) as f64 + 500.0) / 1000.0;
        let pause = about.mul_f64(slower * varied / self.load);
        let left = self.until.saturating_duration_since(Instant::now());
        thread::sleep(pause.min(left));
        Instant::now() < self.until
    }

    /// A number below this one (Marsaglia's xorshift).
    pub fn below(&mut self, bound: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) % bound
    }

    /// Mostly small numbers below this one, as of what is asked for often.
    pub fn mostly_small(&mut self, bound: u64) -> u64 {
        let first = self.below(bound) + 1;
        self.below(first)
    }
}
