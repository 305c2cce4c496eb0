//! Open kinds that accumulate or free too often.

use std::collections::VecDeque;

use unfreed::event::StackId;

use super::super::World;
use super::super::load::Load;
use super::{Group, Kind, LONG, freed_twice, leak};

pub const KINDS: &[Kind] = &[
    leak("constant leak", Group::Leak, constant),
    leak("leak, 1 in 10,000 calls", Group::Leak, rare),
    leak("tiny leak", Group::Leak, tiny),
    Kind { watched: LONG, ..leak("bursty leak", Group::Leak, bursty) },
    leak("leak per connection", Group::Leak, per_connection),
    leak("leak on the error path", Group::Leak, error_path),
    leak("reference cycle", Group::SpreadLeak, cycle),
    leak("late-starting leak", Group::Leak, late),
    leak("lost realloc", Group::Leak, lost_realloc),
    leak("leak under churn, 1 in 100", Group::Leak, under_churn),
    leak("leak beside a start-up pool", Group::Leak, beside_a_pool),
    Kind { from_start: false, ..leak("leak, attached", Group::Leak, attached) },
    leak("leak, load doubles", Group::Leak, load_doubles),
    Kind { quick: false, ..leak("leak, load falls or stops", Group::Leak, load_falls) },
    leak("leak over recursion", Group::SpreadLeak, recursion),
    leak("leak in prefork siblings", Group::SpreadLeak, prefork),
    leak("unbounded map", Group::Structure, map),
    leak("unbounded queue", Group::Structure, queue),
    freed_twice("double free", double_free),
];

fn constant(world: &mut World) {
    let (size, per_s) = (world.size(), world.leaks());
    world.settle();
    world.all_along(per_s, |world| {
        world.leak(size);
    });
}

/// All others die young.
fn rare(world: &mut World) {
    let (size, per_s) = (world.size(), world.leaks());
    world.settle();
    let calls = world.log(3000.0, 30_000.0);
    world.churn_at(World::SUBJECT, per_s * calls, size);
    world.all_along(per_s, |world| {
        world.leak(size);
    });
}

fn tiny(world: &mut World) {
    let size = world.count(1, 24);
    let per_s = if world.quick { world.leaks() } else { world.rate(25.0, 400.0) };
    world.settle();
    world.all_along(per_s, |world| {
        world.leak(size);
    });
}

fn bursty(world: &mut World) {
    let (size, per_s) = (world.size(), world.leaks());
    world.settle();
    let period = if world.quick { world.log(0.5, 10.0) } else { world.share(0.005, 0.1) };
    let (duty, phase) = (world.log(0.02, 0.3), world.unit());
    world.all_along(per_s / duty, |world| {
        if (world.now() / period + phase).fract() < duty {
            world.leak(size);
        }
    });
}

/// Each connection has a block of the site; with some it is forgotten.
fn per_connection(world: &mut World) {
    let (size, forgotten) = (world.size(), world.log(0.03, 0.5));
    let per_s = if world.quick { world.leaks() / forgotten } else { world.rate(600.0, 6000.0) };
    let lasts = (world.log(5.0, 600.0) / per_s).min(world.seconds() * 0.1);
    world.settle();
    world.all_along(per_s, |world| {
        if world.chance(forgotten) {
            world.leak(size);
        } else {
            let lives = world.exponential(lasts);
            world.lend(size, lives);
        }
    });
}

/// Of what the path allocates, one block is freed and one is not; the usual path is elsewhere.
fn error_path(world: &mut World) {
    let (size, per_s) = (world.size(), world.leaks());
    world.settle();
    let (usual, errors) =
        (world.stack(StackId::COMPLETE, 0x900), world.stack(StackId::COMPLETE, 0x910));
    let times = world.log(10.0, 1000.0);
    world.churn_at(usual, per_s * times, size);
    world.all_along(per_s, |world| {
        let lives = world.exponential(0.01);
        world.lend_at(errors, 200, lives);
        world.leak(size);
    });
}

/// Objects of several sites that refer to each other; most are let go in time.
fn cycle(world: &mut World) {
    let per_s = world.leaks();
    world.settle();
    let members: Vec<(StackId, u64)> = (0..world.count(2, 6))
        .map(|n| (world.stack(StackId::COMPLETE, 0x1000 + n * 16), world.size()))
        .collect();
    let (others, lasts) = (world.log(0.1, 3.0), world.log(0.001, 2.0));
    let per_s = per_s / members.len() as f64;
    world.all_along(per_s * (1.0 + others), |world| {
        let kept = world.chance(1.0 / (1.0 + others));
        let lives = world.exponential(lasts);
        for &(stack, size) in &members {
            if kept {
                world.leak_at(stack, size);
            } else {
                world.lend_at(stack, size, lives);
            }
        }
    });
}

/// Before it begins, the site frees all it allocates, or is not called at all.
fn late(world: &mut World) {
    let (size, per_s) = (world.size(), world.leaks());
    world.settle();
    let called = world.chance(0.5);
    let (begin, lasts) = (world.seconds() * world.even(0.2, 0.8), world.log(0.005, 1.0));
    world.all_along(per_s * 2.0, |world| {
        if world.now() > begin && world.chance(0.5) {
            world.leak(size);
        } else if called {
            let lives = world.exponential(lasts);
            world.lend(size, lives);
        }
    });
}

/// Where a growing buffer fails to be taken over, the old pointer is lost.
fn lost_realloc(world: &mut World) {
    let (size, lost) = (world.size(), world.log(0.05, 1.0));
    let per_s = world.leaks();
    world.settle();
    let most = (20_000.0 / world.seconds()).clamp(per_s, 200.0);
    world.all_along((per_s / lost).min(most), |world| {
        let block = world.keep(size);
        let moves = world.chance(0.6);
        let block = world.realloc(block, size * 2, moves);
        if world.chance(lost) {
            let blocks = world.truth.accumulated + 1;
            world.accumulated(blocks);
        } else {
            world.free(block);
        }
    });
}

/// Of so many blocks one stays; the others live for very different times, and each is told.
fn under_churn(world: &mut World) {
    let (size, of) = (world.size(), world.log(30.0, 300.0));
    let blocks = (world.log(60.0, 1000.0) * of).min(40_000.0);
    let per_s =
        if world.quick { world.leaks() * of } else { (blocks / world.seconds()).min(400.0) };
    let (median, spread) = (world.log(0.001, 5.0), world.even(0.3, 1.8));
    let most = world.seconds() * 0.05;
    world.settle();
    world.all_along(per_s, |world| {
        if world.chance(1.0 / of) {
            world.leak(size);
        } else {
            let lives = world.lognormal(median, spread).min(most);
            world.lend(size, lives);
        }
    });
}

fn beside_a_pool(world: &mut World) {
    let (size, per_s) = (world.size(), world.leaks());
    for _ in 0..world.count(50, 5000) {
        world.keep(size);
    }
    world.settle();
    world.all_along(per_s, |world| {
        world.leak(size);
    });
}

fn attached(world: &mut World) {
    let (size, per_s) = (world.size(), world.leaks());
    world.work();
    // Blocks older than the trace go, fewer and fewer.
    let (half_life, older) = (world.share(0.01, 0.2), world.log(0.02, 1.0));
    world.all_along(per_s * (1.0 + older), |world| {
        if world.chance(1.0 / (1.0 + older)) {
            world.leak(size);
        } else if world.unit() < (-world.now() / half_life).exp2() {
            world.free_unseen();
        }
    });
}

fn load_doubles(world: &mut World) {
    let (size, per_s) = (world.size(), world.leaks());
    world.settle();
    let times = world.log(2.0, 30.0);
    let every = world.seconds() / times.log2();
    let mean = (times - 1.0) / times.ln();
    world.set_load(Load::Doubles { every, most: times });
    world.all_along(per_s / mean, |world| {
        world.leak(size);
    });
}

fn load_falls(world: &mut World) {
    let (size, per_s) = (world.size(), world.leaks());
    world.settle();
    let to = if world.chance(0.5) { 0.0 } else { world.log(0.02, 0.5) };
    let from = world.seconds() * world.even(0.3, 0.9);
    world.set_load(Load::Falls { from, to });
    world.all_along(per_s, |world| {
        world.leak(size);
    });
}

/// One place that leaks, reached through a recursion of many depths: as many stacks.
fn recursion(world: &mut World) {
    let (size, per_s) = (world.size(), world.leaks());
    world.settle();
    let (mut caller, mut stacks) = (world.stack(StackId::COMPLETE, 0x2000), Vec::new());
    for _ in 0..world.count(8, 80) {
        caller = world.stack(caller, 0x2010);
        let parse = world.stack(caller, 0x2020);
        stacks.push(world.stack(parse, 0x2030));
    }
    let (deepest, freed) = (stacks.len() as u64, world.log(0.05, 3.0));
    world.all_along(per_s * (1.0 + freed), |world| {
        let stack = stacks[world.random(deepest) as usize];
        if world.chance(1.0 / (1.0 + freed)) {
            world.leak_at(stack, size);
        } else {
            let lives = world.exponential(0.02);
            world.lend_at(stack, size, lives);
        }
    });
}

fn prefork(world: &mut World) {
    let (size, per_s) = (world.size(), world.leaks());
    world.settle();
    let children: Vec<u32> = (0..world.count(3, 24)).map(|_| world.fork()).collect();
    for &child in &children {
        world.enter(child);
        let per_s = world.log(1.0, 50.0);
        world.churn_at(World::background(4), per_s, 96);
    }
    let freed = world.log(0.1, 3.0);
    world.all_along(per_s * (1.0 + freed), |world| {
        let child = children[world.random(children.len() as u64) as usize];
        world.enter(child);
        if world.chance(1.0 / (1.0 + freed)) {
            world.leak(size);
        } else {
            let lives = world.exponential(0.05);
            world.lend(size, lives);
        }
    });
}

/// Some keys are removed after a while, the others never; there is always another key.
fn map(world: &mut World) {
    let (size, removed) = (world.size(), world.even(0.0, 0.8));
    let per_s = world.leaks() / (1.0 - removed);
    let lasts = world.share(0.001, 0.1);
    world.settle();
    world.all_along(per_s, |world| {
        if world.chance(removed) {
            let lives = world.exponential(lasts);
            world.lend(size, lives);
        } else {
            world.leak(size);
        }
    });
}

/// First in, first out, with a consumer that does not keep up: every block is freed in the end, later
/// and later.
fn queue(world: &mut World) {
    let (size, consumed) = (world.size(), world.even(0.2, 0.95));
    let quick = world.leaks() / (1.0 - consumed);
    let per_s = if world.quick { quick } else { world.rate(1000.0, 12_000.0) };
    let mut queue = VecDeque::new();
    world.settle();
    world.all_along(per_s, |world| {
        queue.push_back(world.keep(size));
        if world.chance(consumed) {
            let first = queue.pop_front();
            first.into_iter().for_each(|block| world.free(block));
        }
        world.accumulated(queue.len() as u64);
    });
}

fn double_free(world: &mut World) {
    let (size, twice) = (world.size(), world.log(0.01, 0.2));
    let (per_s, lasts) = (world.rate(1000.0, 6000.0), world.log(0.001, 2.0));
    let later = world.log(1e-6, 0.01);
    world.settle();
    world.all_along(per_s, |world| {
        if world.chance(twice) {
            let block = world.keep(size);
            world.free_event(block);
            world.pass(world.now() + later);
            world.free_event(block);
            let times = world.truth.accumulated + 1;
            world.accumulated(times);
        } else {
            let lives = world.exponential(lasts);
            world.lend(size, lives);
        }
    });
}
