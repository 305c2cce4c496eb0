//! Open kinds of innocent growth that ends: start-ups, configurations, what is made when first asked
//! for, what follows the number of clients, threads and processes.

use unfreed::event::StackId;

use super::super::World;
use super::super::load::Load;
use super::{Group, Kind, innocent};

pub const KINDS: &[Kind] = &[
    innocent("warm-up", Group::StartUp, warm_up),
    innocent("warm-up, slowing", Group::StartUp, slowing),
    innocent("configuration and reloads", Group::StartUp, configuration),
    innocent("one-off", Group::StartUp, one_off),
    innocent("lazy one-offs", Group::StartUp, lazy),
    innocent("growth that stops", Group::StartUp, stops),
    innocent("growing array", Group::StartUp, array),
    innocent("clients connect and stay", Group::Load, stay),
    innocent("day and night", Group::Load, day_and_night),
    innocent("cache fills, load stops", Group::Load, load_stops),
    innocent("thread-local caches", Group::Processes, threads),
    innocent("prefork siblings fill their caches", Group::Processes, prefork),
];

/// Evenly to a number that may not be reached in the time it is watched.
fn warm_up(world: &mut World) {
    let (size, until, blocks) = (world.size(), world.share(0.01, 1.5), world.log(30.0, 4000.0));
    world.settle();
    world.requests((blocks / until).min(60.0), until, |world| {
        world.keep(size);
    });
    world.shows();
    world.all_along(1.0 / world.seconds(), |_| {});
}

/// The more there is, the less is missing.
fn slowing(world: &mut World) {
    let (size, constant) = (world.size(), world.share(0.01, 0.6));
    let per_s = world.rate(300.0, 6000.0);
    world.settle();
    world.all_along(per_s, |world| {
        if world.unit() < (-world.now() / constant).exp() {
            world.keep(size);
        }
        if world.now() > constant {
            world.shows();
        }
    });
}

/// Read at once; a reload reads the new one before the old one goes.
fn configuration(world: &mut World) {
    let (blocks, lasts) = (world.count(50, 3000), world.log(0.05, 8.0));
    let reloads = world.poisson(1.5) as usize;
    let mut times: Vec<f64> = (0..reloads).map(|_| world.seconds() * world.unit()).collect();
    times.sort_by(f64::total_cmp);
    world.settle();
    let mut old = Vec::new();
    for time in [0.0].into_iter().chain(times) {
        let begun = world.now().max(time);
        world.pass(begun);
        let mut new = Vec::new();
        for _ in 0..blocks {
            let size = world.count(8, 300);
            new.push(world.keep(size));
            world.pass(world.now() + lasts / blocks as f64);
        }
        world.shows();
        old.drain(..).for_each(|block| world.free(block));
        old = new;
    }
}

fn one_off(world: &mut World) {
    let (blocks, size) = (world.count(20, 5000), world.size());
    let (at, lasts) = (world.seconds() * world.unit(), world.log(0.001, 1.0));
    world.settle();
    world.pass(at);
    for _ in 0..blocks {
        world.keep(size);
        world.pass(world.now() + lasts / blocks as f64);
    }
    world.shows();
}

/// Each of a few features makes what it needs when it is first used.
fn lazy(world: &mut World) {
    let (features, each) = (world.count(3, 25), world.count(1, 12));
    let per_s = features as f64 / world.share(0.05, 1.5);
    world.settle();
    let mut used = 0;
    world.all_along(per_s, |world| {
        if used == features {
            world.shows();
        } else {
            used += 1;
            for _ in 0..each {
                let size = world.size();
                world.keep(size);
            }
        }
    });
}

/// From then on the same site frees what it allocates.
fn stops(world: &mut World) {
    let (size, per_s) = (world.size(), world.rate(200.0, 5000.0));
    let (until, lasts) = (world.share(0.02, 1.2), world.log(0.001, 5.0));
    world.settle();
    world.all_along(per_s, |world| {
        if world.now() < until {
            world.keep(size);
        } else {
            let lives = world.exponential(lasts);
            world.lend(size, lives);
            world.shows();
        }
    });
}

/// One block that is reallocated ever larger.
fn array(world: &mut World) {
    let (per_s, step) = (world.rate(200.0, 6000.0), world.count(8, 256));
    world.settle();
    world.shows();
    let (mut block, mut size) = (world.keep(step), step);
    world.all_along(per_s, |world| {
        size += step;
        let moves = world.chance(0.1);
        block = world.realloc(block, size, moves);
    });
}

/// Clients that subscribe one after the other and stay; now and then one comes again.
fn stay(world: &mut World) {
    let (size, clients) = (world.size(), world.count(30, 2000));
    let lasts = world.share(0.005, 1.0);
    let again = world.log(0.001, 0.3);
    world.settle();
    let (mut connected, mut blocks) = (0, Vec::new());
    world.all_along(clients as f64 / lasts, |world| {
        if connected < clients {
            connected += 1;
            blocks.push(world.keep(size));
        } else if world.chance(again * lasts / world.seconds()) {
            world.shows();
            let at = world.random(clients) as usize;
            let old = blocks[at];
            world.free(old);
            blocks[at] = world.keep(size);
        } else {
            world.shows();
        }
    });
}

/// Sessions last; their number follows the time of day, of which less than one may be seen.
fn day_and_night(world: &mut World) {
    let (size, per_s) = (world.size(), world.rate(300.0, 6000.0));
    world.settle();
    let depth = world.even(0.5, 0.98);
    let period = world.share(0.06, 3.0);
    let phase = world.unit();
    world.set_load(Load::Wave { period, depth, phase });
    let lasts = period * world.log(0.003, 0.2);
    world.all_along(per_s, |world| {
        let lives = world.lognormal(lasts, 0.7);
        world.lend(size, lives);
        if world.now() > lasts {
            world.shows();
        }
    });
}

fn load_stops(world: &mut World) {
    let (size, keys) = (world.size(), world.count(100, 5000));
    let per_s = world.rate(100.0, 4000.0);
    world.settle();
    let from = world.seconds() * world.even(0.1, 0.9);
    world.set_load(Load::Falls { from, to: 0.0 });
    let mut cached = std::collections::BTreeSet::new();
    world.requests(per_s, from, |world| {
        if cached.insert(world.random(keys)) {
            world.keep(size);
        }
        // Where it was far from full, nothing tells it from a leak whose load stopped.
        if cached.len() as u64 * 10 > keys * 7 {
            world.shows();
        }
    });
}

/// Each thread keeps free blocks of its own, up to a number; when it ends they go.
fn threads(world: &mut World) {
    let (size, per_s) = (world.size(), world.rate(500.0, 8000.0));
    let (count, most) = (world.count(2, 40) as usize, world.count(8, 200) as usize);
    let (comes, ends) = (world.share(0.001, 0.9), world.log(0.0001, 0.02));
    world.settle();
    let mut caches: Vec<Vec<u64>> = vec![Vec::new()];
    let mut ended = 0;
    world.all_along(per_s, |world| {
        // Threads come as the load asks for them.
        let wanted = 1 + (world.now() / comes * count as f64) as usize;
        if caches.len() < wanted.min(count) {
            caches.push(Vec::new());
        }
        let at = world.random(caches.len() as u64) as usize;
        world.on_thread(at);
        if world.chance(ends) {
            caches[at].drain(..).for_each(|block| world.free(block));
            ended += 1;
        } else if caches[at].len() < most {
            caches[at].push(world.keep(size));
        }
        let held: usize = caches.iter().map(Vec::len).sum();
        if ended > 2 || held * 10 > count * most * 7 {
            world.shows();
        }
    });
}

fn prefork(world: &mut World) {
    let (size, per_s) = (world.size(), world.rate(500.0, 8000.0));
    world.settle();
    let children: Vec<u32> = (0..world.count(3, 16)).map(|_| world.fork()).collect();
    let most = world.count(20, 1500) as usize;
    let mut caches: Vec<Vec<u64>> = vec![Vec::new(); children.len()];
    for &child in &children {
        world.enter(child);
        let usual: StackId = World::background(4);
        let per_s = world.log(1.0, 50.0);
        world.churn_at(usual, per_s, 96);
    }
    world.all_along(per_s, |world| {
        let n = world.random(children.len() as u64) as usize;
        world.enter(children[n]);
        if caches[n].len() == most {
            if caches.iter().all(|cache| cache.len() == most) {
                world.shows();
            }
            let at = world.random(most as u64) as usize;
            let old = caches[n].swap_remove(at);
            world.free(old);
        }
        caches[n].push(world.keep(size));
    });
}
