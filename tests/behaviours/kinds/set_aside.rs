//! SET ASIDE: the kinds by which the method is examined. Whoever works on the method does not read this
//! file, does not look at how single kinds of it fare, and tunes nothing in their sight: of them the
//! tests print sums alone (unless `UNFREED_SET_ASIDE` is set, for whoever checks their labels). A kind
//! that was looked at all the same belongs among the open ones, and a new one in its place.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use unfreed::event::StackId;

use super::super::World;
use super::super::load::Load;
use super::{Group, Kind, LONG, freed_twice, innocent, leak};

pub const KINDS: &[Kind] = &[
    Kind { watched: LONG, quick: false, ..leak("leak in outages", Group::Leak, outages) },
    leak("listener per reconnect", Group::Leak, listeners),
    Kind { quick: false, ..leak("vocabulary without end", Group::Structure, vocabulary) },
    leak("sweep that forgets some", Group::Leak, sweep),
    leak("leak behind many callers", Group::SpreadLeak, callers),
    leak("leak of a timer", Group::Leak, timer),
    Kind { quick: false, ..leak("leak that accelerates", Group::Leak, accelerates) },
    Kind { from_start: false, ..leak("one worker leaks", Group::SpreadLeak, one_worker) },
    leak("dead letters", Group::Structure, dead_letters),
    Kind { watched: LONG, quick: false, ..leak("leak at peak hours", Group::Leak, peak_hours) },
    freed_twice("use count one short, found later", use_count),
    freed_twice("sibling frees twice on an error", sibling_frees_twice),
    innocent("cache of two generations", Group::Cache, two_generations),
    innocent("sliding window of buckets", Group::Cache, window),
    innocent("write-behind", Group::Queue, write_behind),
    innocent("memo cleared when full", Group::Cache, memo),
    innocent("interned names", Group::Cache, interned),
    innocent("clients migrate", Group::Load, migrate),
    innocent("retries after an outage", Group::Queue, retries),
    innocent("pool with a reaper", Group::Pool, reaper),
    innocent("garbage until the next collection", Group::Pool, collector),
    innocent("jobs in children", Group::Processes, jobs),
    innocent("bounded histories", Group::Cache, histories),
];

/// Errors come in outages alone, and a part of them leaks.
fn outages(world: &mut World) {
    let (size, per_s) = (world.size(), world.leaks());
    world.settle();
    let (gap, lasts) = (world.share(0.01, 0.1), world.share(0.002, 0.03));
    let leaks = world.log(0.2, 1.0);
    let (mut down, mut until) = (false, world.now() + world.exponential(gap));
    let most = (80_000.0 / world.seconds()).min(100.0);
    world.all_along((per_s * (gap + lasts) / lasts / leaks).min(most), |world| {
        while world.now() > until {
            down = !down;
            until += world.exponential(if down { lasts } else { gap });
        }
        if down && world.chance(leaks) {
            world.leak(size);
        } else if down {
            let lives = world.exponential(0.01);
            world.lend(size, lives);
        }
    });
}

/// Each reconnection registers once more what the one before did not take away. Others who use the
/// site stay for times with a heavy tail.
fn listeners(world: &mut World) {
    let (size, per_s) = (world.size(), world.leaks());
    let (others, shape) = (world.log(0.2, 10.0), world.even(1.1, 2.5));
    let per_s = if world.quick { per_s } else { per_s / others.max(1.0) };
    let shortest = world.log(0.001, 0.1) / per_s;
    let longest = world.seconds() * 0.08;
    world.settle();
    world.all_along(per_s * (1.0 + others), |world| {
        if world.chance(1.0 / (1.0 + others)) {
            world.leak(size);
        } else {
            let lives = shortest * (1.0 - world.unit()).powf(-1.0 / shape);
            world.lend(size, lives.min(longest));
        }
    });
}

/// Of a text there are ever new words, more and more rarely: as a power of what was read.
fn vocabulary(world: &mut World) {
    let (power, words) = (world.even(0.75, 0.97), world.log(150.0, 4000.0));
    let per_s = (words * world.log(2.0, 6.0) / world.seconds()).min(80.0);
    let expected = per_s * world.seconds();
    world.settle();
    let (mut read, mut known) = (0.0f64, 0.0f64);
    world.all_along(per_s, |world| {
        read += 1.0;
        let words = words * (read / expected).powf(power);
        if words >= known + 1.0 {
            known += 1.0;
            let size = world.count(16, 64);
            world.leak(size);
        }
    });
}

/// What was used is freed by a sweep from time to time; a part of it the sweep does not find.
fn sweep(world: &mut World) {
    let (size, forgotten) = (world.size(), world.log(0.03, 0.5));
    let per_s = if world.quick { world.leaks() / forgotten } else { world.rate(1000.0, 10_000.0) };
    let period = if world.quick { world.log(0.2, 8.0) } else { world.share(0.002, 0.05).max(0.2) };
    world.settle();
    let (mut used, mut next) = (Vec::new(), world.now() + period);
    world.all_along(per_s, |world| {
        if world.now() > next {
            next = world.now() + period;
            used.drain(..).for_each(|block| world.free(block));
        }
        if world.chance(forgotten) {
            world.leak(size);
        } else {
            used.push(world.keep(size));
        }
    });
}

/// One function that leaks, called from many places, from some of them much more often.
fn callers(world: &mut World) {
    let (size, per_s) = (world.size(), world.leaks());
    world.settle();
    let count = world.count(4, 60);
    let stacks: Vec<StackId> = (0..count)
        .map(|n| {
            let outer = world.stack(StackId::COMPLETE, 0x3000 + n * 16);
            let middle = world.stack(outer, 0x4000 + n % 3 * 16);
            let inner = world.stack(middle, 0x5000);
            world.stack(inner, 0x5010)
        })
        .collect();
    let (exponent, freed) = (world.even(0.4, 0.95), world.log(0.05, 3.0));
    let lasts = world.log(0.001, 1.0);
    world.all_along(per_s * (1.0 + freed), |world| {
        let stack = stacks[world.zipf(count, exponent) as usize];
        if world.chance(1.0 / (1.0 + freed)) {
            world.leak_at(stack, size);
        } else {
            let lives = world.exponential(lasts);
            world.lend_at(stack, size, lives);
        }
    });
}

/// By the clock, whatever the load does, which may end.
fn timer(world: &mut World) {
    let (size, per_s) = (world.size(), world.leaks());
    world.settle();
    if !world.quick && world.chance(0.4) {
        let from = world.seconds() * world.even(0.2, 0.9);
        world.set_load(Load::Falls { from, to: 0.0 });
    }
    let mut next = world.now();
    while next < world.seconds() {
        world.pass(next);
        world.leak(size);
        world.lend_at(World::background(8), 64, 0.001);
        next += 1.0 / per_s;
    }
}

/// Whoever was forgotten asks again, and is forgotten again.
fn accelerates(world: &mut World) {
    let (size, per_s) = (world.size(), world.leaks());
    let power = world.even(1.3, 3.0);
    world.settle();
    world.all_along((per_s * power).min(60.0), |world| {
        if world.unit() < (world.now() / world.seconds()).powf(power - 1.0) {
            world.leak(size);
        }
    });
}

/// Of several that were there before they were looked at, one; the others free the same blocks.
fn one_worker(world: &mut World) {
    let (size, per_s) = (world.size(), world.leaks());
    world.work();
    let workers: Vec<u32> = (0..world.count(2, 12)).map(|_| world.fork()).collect();
    for &worker in &workers {
        world.enter(worker);
        let per_s = world.log(1.0, 50.0);
        world.churn_at(World::background(5), per_s, 128);
    }
    let (others, lasts) = (world.log(0.5, 3.0), world.log(0.005, 3.0));
    world.all_along(per_s * (1.0 + others), |world| {
        let leaks = world.chance(1.0 / (1.0 + others));
        let at = if leaks { 0 } else { world.random(workers.len() as u64) as usize };
        world.enter(workers[at]);
        if leaks {
            world.leak(size);
        } else {
            let lives = world.exponential(lasts);
            world.lend(size, lives);
        }
    });
}

/// Messages are retried, each time after twice as long, until they are delivered; some never are, and
/// nobody gives up.
fn dead_letters(world: &mut World) {
    let (size, dead) = (world.size(), world.log(0.02, 0.3));
    let per_s = if world.quick { world.leaks() / dead } else { world.rate(1000.0, 8000.0) };
    let first = if world.quick { world.log(0.001, 0.1) } else { world.share(0.0001, 0.003) };
    let delivered = world.even(0.4, 0.9);
    world.settle();
    world.all_along(per_s, |world| {
        if world.chance(dead) {
            world.leak(size);
            return;
        }
        let (mut waits, mut pause) = (first * world.unit(), first);
        while !world.chance(delivered) && pause < 60.0 * first {
            waits += pause;
            pause *= 2.0;
        }
        world.lend(size, waits);
    });
}

/// Only when the load is high; then most is freed all the same.
fn peak_hours(world: &mut World) {
    let (size, share) = (world.size(), world.log(0.05, 1.0));
    let per_s = world.rate(2000.0, 8000.0);
    world.settle();
    let (period, depth) = (world.share(0.04, 0.4), world.even(0.4, 0.9));
    let phase = world.unit();
    world.set_load(Load::Wave { period, depth, phase });
    let lasts = (world.log(1.0, 50.0) / per_s).min(period * 0.1);
    world.all_along(per_s, |world| {
        if world.load() > 1.0 + 0.3 * depth && world.chance(share) {
            world.leak(size);
        } else {
            let lives = world.exponential(lasts);
            world.lend(size, lives);
        }
    });
}

/// Objects with several users; some are let go once too often, when the last user is done. Where the
/// address belongs to somebody else by then, who keeps it, that is not to be seen.
fn use_count(world: &mut World) {
    let (size, short) = (world.size(), world.log(0.01, 0.1));
    let (per_s, lasts) = (world.rate(1000.0, 4000.0), world.log(0.005, 1.0));
    let reused = world.log(0.001, 0.3);
    let mut late: VecDeque<(f64, u64, bool)> = VecDeque::new();
    world.settle();
    world.all_along(per_s, |world| {
        while late.front().is_some_and(|(at, ..)| *at < world.now()) {
            let Some((_, block, owned)) = late.pop_front() else { break };
            world.free_event(block);
            if !owned {
                let times = world.truth.accumulated + 1;
                world.accumulated(times);
            }
        }
        let block = world.keep(size);
        if world.chance(short) {
            world.free_event(block);
            let owned = world.chance(reused);
            if owned {
                world.give_out(block, World::background(9), 48);
            }
            let at = late.back().map_or(0.0, |(at, ..)| *at).max(world.now() + lasts);
            late.push_back((at, block, owned));
            return;
        }
        let until = world.exponential(lasts);
        world.free_in(block, until);
    });
}

fn sibling_frees_twice(world: &mut World) {
    let (size, errors) = (world.size(), world.log(0.01, 0.1));
    let per_s = world.rate(1000.0, 5000.0);
    world.settle();
    let children: Vec<u32> = (0..world.count(2, 10)).map(|_| world.fork()).collect();
    let lasts = world.log(0.001, 1.0);
    world.all_along(per_s, |world| {
        let at = world.random(children.len() as u64) as usize;
        world.enter(children[at]);
        if world.chance(errors) {
            let block = world.keep(size);
            world.lend_at(World::background(5), 64, 0.0005);
            world.free_event(block);
            world.lend_at(World::background(6), 64, 0.0005);
            world.free_event(block);
            let times = world.truth.accumulated + 1;
            world.accumulated(times);
        } else {
            let lives = world.exponential(lasts);
            world.lend(size, lives);
        }
    });
}

/// Whoever is asked for again is moved to where things stay long; both are bounded.
fn two_generations(world: &mut World) {
    let (size, per_s) = (world.size(), world.rate(1000.0, 10_000.0));
    let total = ((per_s * world.share(0.01, 1.2)) as usize).max(20);
    let old_share = world.even(0.3, 0.85);
    let (most_old, promoted) = ((total as f64 * old_share) as usize + 1, world.log(0.01, 0.5));
    let most_young = total - most_old.min(total - 5);
    let (mut young, mut old) = (VecDeque::new(), VecDeque::new());
    world.settle();
    world.all_along(per_s, |world| {
        young.push_back(world.keep(size));
        if young.len() <= most_young {
            return;
        }
        let Some(block) = young.pop_front() else { return };
        if !world.chance(promoted) {
            world.free(block);
            return;
        }
        // Until there are as many as may be, these are a constant share of every cohort.
        old.push_back(block);
        if old.len() > most_old {
            world.shows();
            let oldest = old.pop_front();
            oldest.into_iter().for_each(|block| world.free(block));
        }
    });
}

/// Counters for so many spans back; a span's go when it leaves the window.
fn window(world: &mut World) {
    let (size, span, spans) = (world.size(), world.share(0.002, 0.1), world.count(2, 60));
    let (per_s, keys) = (world.rate(1000.0, 10_000.0), world.count(5, 500));
    world.settle();
    let mut buckets: VecDeque<BTreeMap<u64, u64>> = VecDeque::from([BTreeMap::new()]);
    let mut next = world.now() + span;
    world.all_along(per_s, |world| {
        while world.now() > next {
            next += span;
            buckets.push_back(BTreeMap::new());
            if buckets.len() as u64 > spans {
                world.shows();
                let gone = buckets.pop_front();
                gone.into_iter().flatten().for_each(|(_, block)| world.free(block));
            }
        }
        let key = world.random(keys);
        if let Some(bucket) = buckets.back_mut() {
            bucket.entry(key).or_insert_with(|| world.keep(size));
        }
    });
}

/// Written when there is much or when the oldest is too old, by whichever comes first; the disk is
/// slow at times.
fn write_behind(world: &mut World) {
    let per_s = world.rate(500.0, 8000.0);
    let (most, oldest) = (world.log(0.003, 0.5) * per_s * world.seconds(), world.share(0.003, 0.5));
    world.settle();
    let (mut waiting, mut since) = (Vec::new(), world.now());
    world.all_along(per_s, |world| {
        if waiting.is_empty() {
            since = world.now();
        }
        let size = world.size();
        waiting.push(world.keep(size));
        if waiting.len() as f64 > most || world.now() - since > oldest {
            world.shows();
            let writes = world.log(1e-5, 1e-3) * world.seconds() / waiting.len() as f64;
            for (n, block) in waiting.drain(..).enumerate() {
                world.free_in(block, n as f64 * writes);
            }
        }
    });
}

/// Everything that was computed is kept, until it is too much; then all is forgotten. The bound moves.
fn memo(world: &mut World) {
    let (size, per_s) = (world.size(), world.rate(500.0, 10_000.0));
    let usual = per_s * world.share(0.005, 0.8);
    let repeats = world.even(0.0, 0.8);
    world.settle();
    let (mut memo, mut most) = (Vec::new(), usual);
    world.all_along(per_s, |world| {
        if world.chance(repeats) {
            return;
        }
        if memo.len() as f64 > most {
            world.shows();
            memo.drain(..).for_each(|block| world.free(block));
            most = usual * world.log(0.4, 1.6);
        }
        memo.push(world.keep(size));
    });
}

/// There are only so many names, some much more frequent: ever slower, but for long.
fn interned(world: &mut World) {
    let per_s = world.rate(1000.0, 12_000.0);
    let (exponent, names) = (world.even(0.6, 0.97), world.count(20, 4000));
    let mut known = BTreeSet::new();
    world.settle();
    world.all_along(per_s, |world| {
        if known.insert(world.zipf(names, exponent)) {
            let size = world.count(8, 80);
            world.keep(size);
        }
        if known.len() as u64 * 10 > names * 7 {
            world.shows();
        }
    });
}

/// From another server, a few first, then many, then the last; they stay.
fn migrate(world: &mut World) {
    let (size, clients) = (world.size(), world.count(60, 3000));
    let (middle, width) = (world.share(0.05, 0.8), world.log(0.02, 0.3));
    let width = width * middle;
    let per_s = world.rate(2000.0, 10_000.0);
    let returns = world.log(0.0005, 0.05);
    world.settle();
    let mut here = Vec::new();
    world.all_along(per_s, |world| {
        let now = world.now();
        let wanted = clients as f64 / (1.0 + (-(now - middle) / width).exp());
        if (here.len() as f64) < wanted - 1.0 {
            here.push(world.keep(size));
        } else if !here.is_empty() && world.chance(returns) {
            let at = world.random(here.len() as u64) as usize;
            let old = here.swap_remove(at);
            world.free(old);
            here.push(world.keep(size));
        }
        if now > middle + 4.0 * width {
            world.shows();
        }
    });
}

/// While the other side is down all wait; when it is back they are worked off.
fn retries(world: &mut World) {
    let (size, per_s) = (world.size(), world.rate(500.0, 8000.0));
    let (usual, faster) = (world.log(0.5, 50.0) / per_s, world.log(1.3, 10.0));
    world.settle();
    let gap = world.share(0.03, 0.6);
    let mut down = world.now() + world.exponential(gap);
    let mut up = down + world.share(0.01, 0.4);
    let mut waiting: VecDeque<u64> = VecDeque::new();
    world.all_along(per_s, |world| {
        let now = world.now();
        if now > up && waiting.is_empty() {
            world.shows();
            down = now + world.exponential(gap);
            up = down + world.share(0.01, 0.4);
        }
        if now > up {
            for _ in 0..1 + world.poisson(faster) {
                let first = waiting.pop_front();
                first.into_iter().for_each(|block| world.free(block));
            }
        }
        if now > down && (now < up || !waiting.is_empty()) {
            waiting.push_back(world.keep(size));
        } else {
            let lives = world.exponential(usual);
            world.lend(size, lives);
        }
    });
}

/// As many as are lent at once; those idle for too long go.
fn reaper(world: &mut World) {
    let (size, per_s) = (world.size(), world.rate(1000.0, 10_000.0));
    world.settle();
    let wave = world.draw_wave();
    world.set_load(wave);
    let (lasts, idle_for) = (world.log(3.0, 200.0) / per_s, world.share(0.005, 0.5));
    // Last in, first out: the longest idle are at the front.
    let (mut idle, mut lent) = (VecDeque::<(f64, u64)>::new(), BTreeSet::new());
    world.all_along(per_s, |world| {
        let now = world.now();
        while let Some(&(until, block)) = lent.first() {
            if until > (now * 1e9) as u64 {
                break;
            }
            lent.pop_first();
            idle.push_back((now, block));
        }
        while idle.front().is_some_and(|(since, _)| now - since > idle_for) {
            world.shows();
            let longest = idle.pop_front();
            longest.into_iter().for_each(|(_, block)| world.free(block));
        }
        let block = idle.pop_back().map_or_else(|| world.keep(size), |(_, block)| block);
        let until = now + world.exponential(lasts);
        lent.insert(((until * 1e9) as u64, block));
    });
}

/// Dead objects stay until so much was allocated; the bound follows what lived the last time.
fn collector(world: &mut World) {
    let (size, per_s) = (world.size(), world.rate(1000.0, 10_000.0));
    let (live, factor) = (world.log(20.0, 0.3 * per_s * world.seconds()), world.even(1.3, 3.0));
    world.settle();
    let mut heap: VecDeque<u64> = VecDeque::new();
    let mut limit = live * factor;
    world.all_along(per_s, |world| {
        heap.push_back(world.keep(size));
        if heap.len() as f64 > limit {
            world.shows();
            let lives = (live * world.log(0.7, 1.4)) as usize;
            for _ in lives..heap.len() {
                // Most that is dead is young, but not all.
                let at = (world.unit().sqrt() * heap.len() as f64) as usize;
                let dead = heap.swap_remove_back(at.min(heap.len() - 1));
                dead.into_iter().for_each(|block| world.free(block));
            }
            limit = (lives as f64 * factor).max(50.0);
        }
    });
}

/// A child for each job: it reads what it needs, works on it, and exits without a free.
fn jobs(world: &mut World) {
    let (size, count) = (world.size(), world.count(2, 12));
    world.settle();
    let each = world.seconds() / count as f64 * 0.95;
    let (reads, blocks) = (world.even(0.05, 0.5), world.log(30.0, 6000.0) / count as f64);
    for _ in 0..count {
        let (begun, job) = (world.now(), world.fork());
        let usual = World::background(5);
        world.churn_at(usual, world.load() * 20.0, 64);
        let until = begun + each * reads;
        world.hides();
        world.requests(blocks / (each * reads), until, |world| {
            world.enter(job);
            world.keep(size);
        });
        if world.now() < world.seconds() {
            world.shows();
        }
        world.requests(2.0 / each, begun + each, |_| {});
        world.exit(job);
        world.pass((world.now() + each * 0.02).min(world.seconds()));
    }
}

/// Each of some users has the last so many steps kept; users come now and then.
fn histories(world: &mut World) {
    let (size, per_s) = (world.size(), world.rate(1000.0, 10_000.0));
    let users = world.count(1, 80);
    let steps = ((per_s * world.share(0.005, 1.0) / users as f64) as usize).max(2);
    let (exponent, come) = (world.even(0.2, 0.9), world.share(0.001, 0.6));
    world.settle();
    let mut kept: Vec<VecDeque<u64>> = vec![VecDeque::new(); users as usize];
    world.all_along(per_s, |world| {
        let present = ((world.now() / come * users as f64) as u64).clamp(2, users.max(2));
        let user = world.zipf(present, exponent).min(users - 1) as usize;
        kept[user].push_back(world.keep(size));
        if kept[user].len() > steps {
            if world.now() > come {
                world.shows();
            }
            let oldest = kept[user].pop_front();
            oldest.into_iter().for_each(|block| world.free(block));
        }
    });
}
