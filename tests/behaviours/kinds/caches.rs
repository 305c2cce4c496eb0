//! Open kinds of innocent caches, pools and arenas. How soon they are full is drawn from a hundredth of
//! the time they are watched to more than all of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::World;
use super::{Group, Kind, innocent};

pub const KINDS: &[Kind] = &[
    innocent("cache, random eviction", Group::Cache, random_eviction),
    innocent("LRU cache with hot entries", Group::Cache, lru),
    innocent("TTL cache", Group::Cache, ttl),
    innocent("slowly filling cache", Group::Cache, slow),
    Kind { from_start: false, ..innocent("steady cache, attached", Group::Cache, attached) },
    innocent("pool grows to its peak", Group::Pool, pool),
    innocent("arena", Group::Pool, arena),
    innocent("fragmentation", Group::Pool, fragmentation),
];

fn random_eviction(world: &mut World) {
    let (size, per_s) = (world.size(), world.rate(500.0, 10_000.0));
    let capacity = ((per_s * world.share(0.01, 1.5)) as usize).max(10);
    let mut cache = Vec::new();
    world.settle();
    world.all_along(per_s, |world| {
        if cache.len() == capacity {
            world.shows();
            let at = world.random(capacity as u64) as usize;
            let old = cache.swap_remove(at);
            world.free(old);
        }
        cache.push(world.keep(size));
    });
}

fn lru(world: &mut World) {
    let (size, per_s) = (world.size(), world.rate(1000.0, 12_000.0));
    let misses = world.even(0.2, 0.9);
    let capacity = ((per_s * misses * world.share(0.01, 1.5)) as usize).max(10);
    let hot = world.count(1, (capacity as u64 / 2).max(2));
    // By key, when it was used and its block; by use, the key.
    let mut cache: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    let mut by_use: BTreeMap<u64, u64> = BTreeMap::new();
    let mut tick = 0;
    world.settle();
    world.all_along(per_s, |world| {
        tick += 1;
        let key = if world.chance(misses) { hot + tick } else { world.random(hot) };
        if let Some((used, _)) = cache.get_mut(&key) {
            by_use.remove(used);
            by_use.insert(tick, key);
            *used = tick;
            return;
        }
        if cache.len() >= capacity {
            world.shows();
            let oldest = by_use.pop_first().and_then(|(_, key)| cache.remove(&key));
            oldest.into_iter().for_each(|(_, block)| world.free(block));
        }
        by_use.insert(tick, key);
        cache.insert(key, (tick, world.keep(size)));
    });
}

fn ttl(world: &mut World) {
    let (size, per_s) = (world.size(), world.rate(300.0, 8000.0));
    let ttl = world.share(0.005, 1.5);
    let jitter = if world.chance(0.5) { world.even(0.0, 0.3) } else { 0.0 };
    world.settle();
    let begun = world.now();
    world.all_along(per_s, |world| {
        let lives = ttl * (1.0 - jitter * world.unit());
        world.lend(size, lives);
        if world.now() - begun > ttl {
            world.shows();
        }
    });
}

/// There are only so many keys, each asked for as often as the others: concave in calls.
fn slow(world: &mut World) {
    let (size, per_s) = (world.size(), world.rate(500.0, 10_000.0));
    let keys = ((per_s * world.share(0.01, 2.0)) as u64).max(20);
    let mut cache = BTreeSet::new();
    world.settle();
    world.all_along(per_s, |world| {
        if cache.insert(world.random(keys)) {
            world.keep(size);
        }
        if cache.len() as u64 * 2 > keys {
            world.shows();
        }
    });
}

/// It was full before the trace began: of those put out at first none was seen.
fn attached(world: &mut World) {
    let (size, per_s) = (world.size(), world.rate(500.0, 10_000.0));
    let capacity = ((per_s * world.share(0.02, 3.0)) as u64).max(10);
    let oldest_first = world.chance(0.5);
    let mut cache = VecDeque::new();
    let mut unseen = capacity;
    world.work();
    world.shows();
    world.all_along(per_s, |world| {
        let at = if oldest_first { 0 } else { world.random(capacity) };
        if at < unseen {
            unseen -= 1;
            world.free_unseen();
        } else {
            let old = match oldest_first {
                true => cache.pop_front(),
                false => cache.swap_remove_back((at - unseen) as usize),
            };
            old.into_iter().for_each(|block| world.free(block));
        }
        cache.push_back(world.keep(size));
    });
}

/// Never shrinks; grows when more are lent at once than ever before.
fn pool(world: &mut World) {
    let (size, per_s) = (world.size(), world.rate(1000.0, 12_000.0));
    let lasts = world.log(3.0, 300.0) / per_s;
    world.settle();
    let begun = world.now();
    let (mut idle, mut lent) = (Vec::new(), BTreeSet::new());
    world.all_along(per_s, |world| {
        if world.now() - begun > 5.0 * lasts {
            world.shows();
        }
        let now = (world.now() * 1e9) as u64;
        while let Some(&(until, block)) = lent.first() {
            if until > now {
                break;
            }
            lent.pop_first();
            idle.push(block);
        }
        let block = idle.pop().unwrap_or_else(|| world.keep(size));
        let until = now + (world.exponential(lasts) * 1e9) as u64;
        lent.insert((until, block));
    });
}

/// Chunks that stay until the work is done; then all go at once.
fn arena(world: &mut World) {
    let (size, per_s) = (world.count(1024, 65_536), world.rate(300.0, 6000.0));
    let lasts = world.share(0.003, 0.5);
    world.settle();
    let (mut chunks, mut until) = (Vec::new(), world.now() + lasts);
    world.all_along(per_s, |world| {
        if world.now() > until {
            world.shows();
            chunks.drain(..).for_each(|chunk| world.free(chunk));
            until = world.now() + lasts * world.log(0.3, 1.5);
        }
        chunks.push(world.keep(size));
    });
}

/// Blocks of every size and of lifetimes over orders of magnitude: what the allocator keeps grows, the
/// blocks do not.
fn fragmentation(world: &mut World) {
    let per_s = world.rate(1000.0, 12_000.0);
    let (median, spread) = (world.share(0.0002, 0.01), world.even(0.5, 2.0));
    world.settle();
    world.shows();
    world.all_along(per_s, |world| {
        let size = world.count(16, 100_000);
        let lives = world.lognormal(median, spread);
        world.lend(size, lives);
    });
}
