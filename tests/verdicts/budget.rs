//! A process has thousands of sites, and each is asked the same question: what is rare at one is sure to
//! happen at some. Innocent sites of every steady sort, 5,000 in each of 20 processes, may together
//! make no more suspects than the budget has: one process of twenty with a false alarm.

use std::collections::VecDeque;

use unfreed::event::StackId;
use unfreed::verdict::{DEFAULT_MIN_CONFIDENCE, judge};

use crate::behaviours::World;

const SITES: u64 = 5000;
const SEEDS: u64 = 20;

/// Suspects among all of them.
const BUDGET: usize = 1;

/// Blocks that a site makes in the whole observation, on average.
const BLOCKS: f64 = 60.0;

/// What a site does with its blocks.
enum Habit {
    /// They live for exponential times of this mean, up to a tenth of the observation.
    Short(f64),
    /// Times over orders of magnitude.
    Mixed(f64),
    /// As many as this are kept, a new one puts a random old one out.
    Cache(Vec<u64>, usize),
    /// First in, first out, and half of the time one goes: a random walk that is never below none.
    Queue(VecDeque<u64>),
    /// A few at the start, and no more.
    Few,
}

fn habit(world: &mut World) -> Habit {
    match world.random(5) {
        0 => Habit::Short(world.share(0.0001, 0.1)),
        1 => Habit::Mixed(world.share(0.0001, 0.01)),
        2 => Habit::Cache(Vec::new(), world.count(1, 12) as usize),
        3 => Habit::Queue(VecDeque::new()),
        _ => Habit::Few,
    }
}

fn innocents(seed: u64) -> World {
    let mut world = World::new(seed, 300, true);
    let stacks: Vec<StackId> =
        (0..SITES).map(|n| world.stack(StackId::COMPLETE, 0x10_0000 + n * 16)).collect();
    let mut habits: Vec<Habit> = stacks.iter().map(|_| habit(&mut world)).collect();
    let per_s = SITES as f64 * BLOCKS / world.seconds();
    world.all_along(per_s, |world| {
        // Some are busy, most are not.
        let at = world.zipf(SITES, 0.4) as usize;
        let (stack, begun) = (stacks[at], world.now() < world.seconds() * 0.05);
        match &mut habits[at] {
            Habit::Short(mean) => {
                let lives = world.exponential(*mean);
                world.lend_at(stack, 64, lives);
            }
            Habit::Mixed(median) => {
                let lives = world.lognormal(*median, 1.5);
                world.lend_at(stack, 64, lives);
            }
            Habit::Cache(held, most) => {
                if held.len() == *most {
                    let old = world.random(*most as u64) as usize;
                    world.free(held.swap_remove(old));
                }
                held.push(world.keep_at(stack, 64));
            }
            Habit::Queue(held) => {
                held.push_back(world.keep_at(stack, 64));
                for _ in 0..world.random(3) {
                    held.pop_front().into_iter().for_each(|block| world.free(block));
                }
            }
            Habit::Few if begun => {
                world.keep_at(stack, 64);
            }
            Habit::Few => {}
        }
    });
    world
}

#[test]
fn thousands_of_innocent_sites_stay_within_the_budget() {
    let (mut sites, mut accused) = (0, 0);
    for seed in 0..SEEDS {
        let assessment = judge(&innocents(seed).finish());
        sites += assessment.sites.len();
        for suspect in assessment.suspects(DEFAULT_MIN_CONFIDENCE) {
            accused += 1;
            println!("  seed {seed}: {suspect:#?}");
        }
    }
    println!("{accused} of {sites} innocent sites in {SEEDS} processes are suspects");
    assert!(sites as u64 >= SITES * SEEDS * 9 / 10);
    assert!(accused <= BUDGET, "{accused} suspects");
}
