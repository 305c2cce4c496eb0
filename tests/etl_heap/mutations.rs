//! Bounded mutation of whole logs, for what coverage-guided fuzzing needs a nightly compiler for. A few rounds run with
//! the tests; `MUTATIONS=20000 cargo test --release --test etl_heap mutations -- --nocapture` runs more, from a seed that
//! `SEED` sets and that is printed.

use std::path::Path;

use super::damage::{read, sample};
use super::{Bits, Walks};

/// A fixed sequence of numbers that look random (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

/// Values that sizes, counts and ends go wrong with.
const ODD: [u32; 10] = [0, 1, 7, 0x47, 0x48, 0x49, 0xffff, 0x100_0000, 0x7fff_ffff, u32::MAX];

fn mutate(bytes: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.below(8) {
        // Half of them where headers are.
        let at = match dice.below(2) {
            0 => dice.below(bytes.len()),
            _ => dice.below(bytes.len()) / 0x1_0000 * 0x1_0000 + dice.below(0x200),
        };
        let at = at.min(bytes.len() - 1);
        let length = 1 + dice.below(64);
        let end = (at + length).min(bytes.len());
        match dice.below(7) {
            0 => bytes[at] ^= 1 << dice.below(8),
            1 => bytes[at] = dice.below(256) as u8,
            2 | 3 => {
                let odd = ODD[dice.below(ODD.len())].to_le_bytes();
                let at = at & !3;
                let room = bytes.len().min(at + 4) - at;
                bytes[at..at + room].copy_from_slice(&odd[..room]);
            }
            4 => drop(bytes.drain(at..end)),
            5 => {
                let from = dice.below(bytes.len() - (end - at));
                bytes.copy_within(from..from + (end - at), at);
            }
            _ if bytes.len() > 200 => bytes.truncate(bytes.len() - dice.below(100)),
            _ => {}
        }
        if bytes.is_empty() {
            bytes.push(0);
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn mutated_logs_do_no_harm() {
    let rounds = number("MUTATIONS").unwrap_or(300);
    let seed = number("SEED").unwrap_or(0x5eed).max(1);
    let mut logs: Vec<Vec<u8>> = [Bits::B32, Bits::B64]
        .into_iter()
        .flat_map(|bits| [Walks::Frames, Walks::Keys].map(|walks| sample(bits, walks)))
        .collect();
    // The small real ones, where they are at hand: `etl_real.rs` says so where they are not.
    let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/etl");
    for name in
        ["image_data_32_v2.etl", "powershell.etl", "process_data_64_v3.etl", "smallEtlFile.etl"]
    {
        logs.extend(std::fs::read(real.join(name)));
    }
    println!("{rounds} mutations of {} logs, seed {seed}", logs.len());
    let mut dice = Dice(seed);
    for round in 0..rounds {
        let mut bytes = logs[round as usize % logs.len()].clone();
        mutate(&mut bytes, &mut dice);
        let result = std::panic::catch_unwind(|| read(&bytes));
        assert!(result.is_ok(), "round {round} of seed {seed}");
    }
}
