//! Open kinds of innocent queues, batches and connections.

use super::super::World;
use super::super::load::Load;
use super::{Group, Kind, innocent};

pub const KINDS: &[Kind] = &[
    innocent("steady queue", Group::Queue, steady),
    innocent("queue under load", Group::Queue, under_load),
    innocent("periodic batch", Group::Queue, batch),
    innocent("sawtooth", Group::Queue, sawtooth),
    innocent("connections come and go", Group::Load, connections),
];

fn steady(world: &mut World) {
    let (size, per_s) = (world.size(), world.rate(300.0, 8000.0));
    let waits = (world.log(1.0, 100.0) / per_s).min(world.seconds() * 0.2);
    let at_least = world.unit();
    world.settle();
    world.all_along(per_s, |world| {
        let lives = waits * at_least + world.exponential(waits * (1.0 - at_least));
        world.lend(size, lives);
        if world.now() > waits {
            world.shows();
        }
    });
}

/// It gets long while more comes than can be done, and is worked off after.
fn under_load(world: &mut World) {
    let (size, per_s) = (world.size(), world.rate(500.0, 8000.0));
    world.settle();
    let period = world.share(0.02, 1.0);
    let wave = Load::Wave { period, depth: world.even(0.3, 0.9), phase: world.unit() };
    world.set_load(wave);
    // The time at which the one that serves them is done with all that wait.
    let done = world.even(1.02, 1.5) * per_s;
    let mut free_at = world.now();
    world.all_along(per_s, |world| {
        if free_at < world.now() {
            world.shows();
            free_at = world.now();
        }
        free_at += 1.0 / done;
        let waits = free_at - world.now();
        world.lend(size, waits);
    });
}

/// All are freed when there are so many, or when it is time.
fn batch(world: &mut World) {
    let (size, per_s) = (world.size(), world.rate(300.0, 8000.0));
    let period = world.share(0.004, 0.7);
    let by_number = world.chance(0.5);
    world.settle();
    let (mut held, mut next) = (Vec::new(), world.now() + period);
    world.all_along(per_s, |world| {
        held.push(world.keep(size));
        let full = held.len() as f64 >= per_s * period;
        if if by_number { full } else { world.now() > next } {
            world.shows();
            next = world.now() + period;
            held.drain(..).for_each(|block| world.free(block));
        }
    });
}

/// The same, of which a part always stays for the next round.
fn sawtooth(world: &mut World) {
    let (size, per_s) = (world.size(), world.rate(300.0, 8000.0));
    let period = world.share(0.004, 0.7);
    let (most, stay) = ((per_s * period) as usize + 10, world.even(0.1, 0.8));
    world.settle();
    let mut held = std::collections::VecDeque::new();
    let stays = (most as f64 * stay) as usize;
    for _ in 0..stays {
        held.push_back(world.keep(size));
    }
    world.all_along(per_s, |world| {
        held.push_back(world.keep(size));
        if held.len() > most {
            world.shows();
            held.drain(..most - stays).for_each(|block| world.free(block));
        }
    });
}

/// With lifetimes up to some of the time they are watched.
fn connections(world: &mut World) {
    let (size, per_s) = (world.size(), world.rate(100.0, 5000.0));
    let lasts = world.share(0.001, 0.5);
    world.settle();
    world.all_along(per_s, |world| {
        let lives = world.exponential(lasts);
        world.lend(size, lives);
        if world.now() > lasts {
            world.shows();
        }
    });
}
