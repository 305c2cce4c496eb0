//! The kinds of behaviour, each with its label. Times are given against the observation where the
//! kind is defined by it (a warm-up ends within), in seconds where the world defines it (a TTL).

use std::collections::{BTreeMap, VecDeque};

use super::Label::{Accumulates, Innocent, OverRelease};
use super::{Family, World};

pub const FAMILIES: &[Family] = &[
    accumulates("constant leak", 60, constant),
    accumulates("constant leak, 3 s", 3, every_request_six_times),
    accumulates("constant leak, 8 s", 8, constant),
    accumulates("rare leak, 1 in 1,000", 900, rare),
    accumulates("rare leak among kept short", 120, error_path),
    accumulates("leak under churn, 1 in 100", 120, under_churn),
    accumulates("bursty leak", 120, bursty),
    accumulates("late-starting leak", 120, late),
    accumulates("lost realloc", 60, lost_realloc),
    accumulates("leak, load stops", 60, load_stops),
    accumulates("leak, load comes in two runs", 60, two_runs),
    accumulates("leak, load falls by half", 120, load_falls),
    accumulates("leak after a start-up pool", 120, pool_then_leak),
    Family { from_start: false, ..accumulates("leak, attached", 60, constant) },
    Family { label: OverRelease, ..accumulates("double free", 20, double_free) },
    innocent("warm-up", 60, warm_up),
    innocent("warm-up, exponential", 60, warm_up_exponential),
    innocent("configuration, 2 s of 3 s", 3, configuration),
    innocent("configuration, 2 s of 10 s", 10, configuration),
    innocent("configuration, then idle", 12, configuration_then_idle),
    innocent("reload in the middle", 60, reload),
    innocent("LRU cache, random eviction", 60, lru),
    innocent("LRU cache with hot entries", 120, lru_hot),
    innocent("TTL cache", 60, ttl),
    innocent("filling, then flat", 60, fills_then_flat),
    innocent("pool", 60, pool),
    innocent("steady queue", 60, queue),
    innocent("queue under load", 60, queue_under_load),
    innocent("periodic batch", 60, batch),
    innocent("sawtooth", 60, sawtooth),
    innocent("one-off init", 60, one_off),
    innocent("lazy one-offs", 120, lazy),
    innocent("growth that stops", 60, stops),
    innocent("per-connection, come and go", 60, connections),
    innocent("per-connection, connect and stay", 60, stay_connected),
    innocent("growing array", 60, growing_array),
    Family { from_start: false, ..innocent("steady cache, attached", 60, attached_cache) },
];

const fn accumulates(name: &'static str, seconds: u64, behave: fn(&mut World)) -> Family {
    Family { name, label: Accumulates, seconds, from_start: true, behave }
}

const fn innocent(name: &'static str, seconds: u64, behave: fn(&mut World)) -> Family {
    Family { name, label: Innocent, seconds, from_start: true, behave }
}

fn constant(world: &mut World) {
    world.serve(|world, _| {
        world.keep(72);
    });
}

fn every_request_six_times(world: &mut World) {
    world.serve(|world, _| {
        for _ in 0..6 {
            world.keep(72);
        }
    });
}

fn rare(world: &mut World) {
    world.serve(|world, _| {
        if world.random(1000) == 0 {
            world.keep(4096);
        } else {
            let lives = world.exponential(0.01);
            world.lend(4096, lives);
        }
    });
}

fn error_path(world: &mut World) {
    world.serve(|world, _| {
        if world.random(60) == 0 {
            world.keep(300);
        }
    });
}

fn under_churn(world: &mut World) {
    world.serve(|world, _| {
        for _ in 0..5 {
            let lives = world.exponential(0.05);
            if world.random(100) == 0 {
                world.keep(128);
            } else {
                world.lend(128, lives);
            }
        }
    });
}

fn bursty(world: &mut World) {
    let start = world.random(8) as f64;
    world.serve(|world, now| {
        if (now + start) % 10.0 < 1.0 {
            world.keep(200);
        }
    });
}

fn late(world: &mut World) {
    let start = world.seconds() * (0.3 + world.random(20) as f64 / 100.0);
    world.serve(|world, now| {
        if now > start {
            world.keep(64);
        }
    });
}

fn lost_realloc(world: &mut World) {
    world.serve(|world, _| {
        let block = world.keep(64);
        let moves = world.random(2) == 0;
        let block = world.realloc(block, 128, moves);
        if world.random(4) != 0 {
            world.free(block);
        }
    });
}

fn load_stops(world: &mut World) {
    world.start_up();
    world.serve_until(world.seconds() * 0.6, |world, _| {
        world.keep(72);
    });
    world.idle_until(world.seconds());
}

fn two_runs(world: &mut World) {
    let part = world.seconds() / 5.0;
    world.start_up();
    world.idle_until(part);
    world.serve_until(2.0 * part, |world, _| {
        world.keep(72);
    });
    world.idle_until(3.0 * part);
    world.serve_until(4.0 * part, |world, _| {
        world.keep(72);
    });
    world.idle_until(5.0 * part);
}

fn load_falls(world: &mut World) {
    world.start_up();
    let end = world.seconds();
    while world.now() < end {
        let now = world.now();
        world.serve_until((now + 1.0).min(end), |world, _| {
            world.keep(72);
        });
        let pause = 1.0 * world.now() / end;
        world.pass((world.now() + pause).min(end));
    }
}

fn pool_then_leak(world: &mut World) {
    for _ in 0..2000 {
        world.keep(72);
    }
    world.serve(|world, _| {
        if world.random(20) == 0 {
            world.keep(72);
        }
    });
}

fn double_free(world: &mut World) {
    world.serve(|world, _| match world.random(200) {
        0 => world.double_free(),
        _ => world.lend(40, 0.01),
    });
    world.double_free();
}

fn warm_up(world: &mut World) {
    let share = 0.2 + world.random(40) as f64 / 100.0;
    let end = world.seconds() * share;
    world.serve(|world, now| {
        if now < end {
            world.keep(100);
        }
    });
}

fn warm_up_exponential(world: &mut World) {
    let constant = world.seconds() * (0.1 + world.random(20) as f64 / 100.0);
    world.serve(|world, now| {
        if (world.random(1000) as f64) < 1000.0 * (-now / constant).exp() {
            world.keep(100);
        }
    });
}

fn configuration(world: &mut World) {
    while world.now() < 2.0 {
        let size = 16 + world.random(200);
        world.keep(size);
        world.pass(world.now() + 0.002);
    }
    world.serve(|_, _| {});
}

fn configuration_then_idle(world: &mut World) {
    while world.now() < 2.0 {
        let size = 16 + world.random(200);
        world.keep(size);
        world.pass(world.now() + 0.002);
    }
    world.idle_until(world.seconds());
}

fn reload(world: &mut World) {
    let begin = world.seconds() * (0.3 + world.random(50) as f64 / 100.0);
    world.serve(|world, now| {
        if now > begin && now < begin + 2.0 {
            for _ in 0..20 {
                world.keep(80);
            }
        }
    });
}

fn lru(world: &mut World) {
    let capacity = 200 + world.random(300) as usize;
    let mut cache = Vec::new();
    world.serve(|world, _| {
        if cache.len() == capacity {
            let at = world.random(capacity as u64) as usize;
            let old = cache.swap_remove(at);
            world.free(old);
        }
        cache.push(world.keep(256));
    });
}

fn lru_hot(world: &mut World) {
    let mut cache: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    let mut tick = 0;
    world.serve(|world, _| {
        tick += 1;
        // A third of the requests ask for one of 100 hot keys, the others for one of many.
        let key =
            if world.random(3) == 0 { world.random(100) } else { 100 + world.random(100_000) };
        if let Some((used, _)) = cache.get_mut(&key) {
            *used = tick;
            return;
        }
        if cache.len() >= 800 {
            let oldest = *cache.iter().min_by_key(|(_, (used, _))| *used).unwrap().0;
            let (_, block) = cache.remove(&oldest).unwrap();
            world.free(block);
        }
        cache.insert(key, (tick, world.keep(256)));
    });
}

fn ttl(world: &mut World) {
    let ttl = 4.0 + world.random(20) as f64;
    world.serve(|world, _| world.lend(256, ttl));
}

fn fills_then_flat(world: &mut World) {
    let keys = 300 + world.random(500);
    let mut cache = std::collections::BTreeSet::new();
    world.serve(|world, _| {
        if cache.insert(world.random(keys)) {
            world.keep(512);
        }
    });
}

fn pool(world: &mut World) {
    let mut idle: Vec<u64> = Vec::new();
    let mut lent: VecDeque<u64> = VecDeque::new();
    world.serve(|world, _| {
        let block = idle.pop().unwrap_or_else(|| world.keep(1024));
        lent.push_back(block);
        while lent.len() > 20 + world.random(60) as usize {
            idle.extend(lent.pop_front());
        }
    });
}

fn queue(world: &mut World) {
    world.serve(|world, _| {
        let lives = 0.2 + world.exponential(0.5);
        world.lend(128, lives);
    });
}

fn queue_under_load(world: &mut World) {
    let period = 8.0 + world.random(8) as f64;
    world.serve(|world, now| {
        // The queue is up to two seconds long in the middle of each period.
        let lives = 0.05 + 2.0 * (now / period * std::f64::consts::PI).sin().powi(2);
        world.lend(128, lives);
    });
}

fn batch(world: &mut World) {
    let size = 200 + world.random(400) as usize;
    let mut held = Vec::new();
    world.serve(|world, _| {
        held.push(world.keep(96));
        if held.len() == size {
            held.drain(..).for_each(|block| world.free(block));
        }
    });
}

fn sawtooth(world: &mut World) {
    let mut held = VecDeque::new();
    for _ in 0..300 {
        held.push_back(world.keep(96));
    }
    world.serve(|world, _| {
        held.push_back(world.keep(96));
        if held.len() > 900 {
            held.drain(..600).for_each(|block| world.free(block));
        }
    });
}

fn one_off(world: &mut World) {
    let at = world.random(50) as f64;
    let mut done = false;
    world.serve(|world, now| {
        if now > at && !done {
            done = true;
            for _ in 0..500 {
                world.keep(64);
            }
        }
    });
}

fn lazy(world: &mut World) {
    let mut made = 0;
    world.serve(|world, _| {
        if made < 12 && world.random(400) == 0 {
            made += 1;
            world.keep(2048);
        }
    });
}

fn stops(world: &mut World) {
    let most = (world.seconds() * (10.0 + world.random(25) as f64)) as usize;
    let mut count = 0;
    world.serve(|world, _| {
        if count < most {
            count += 1;
            world.keep(100);
        } else {
            let lives = world.exponential(0.05);
            world.lend(100, lives);
        }
    });
}

fn connections(world: &mut World) {
    let lifetime = 5.0 + world.random(60) as f64;
    world.serve(|world, _| {
        if world.random(6) == 0 {
            let lives = world.exponential(lifetime);
            world.lend(700, lives);
        }
    });
}

fn stay_connected(world: &mut World) {
    let clients = 50 + world.random(150);
    let mut connected = 0;
    world.serve(|world, now| {
        if now > 2.0 && connected < clients && world.random(4) == 0 {
            connected += 1;
            world.keep(700);
        }
    });
}

fn growing_array(world: &mut World) {
    let mut block = world.keep(16);
    let mut size = 16;
    world.serve(|world, _| {
        size += 16;
        let moves = size % 256 == 0;
        block = world.realloc(block, size, moves);
    });
}

fn attached_cache(world: &mut World) {
    let capacity = 4000 + world.random(4000);
    let mut cache = Vec::new();
    world.serve_until(world.seconds(), |world, _| {
        // The cache was full before the trace began: each new entry puts an old one out, and of
        // those at first none was seen.
        let at = world.random(capacity) as usize;
        if at < cache.len() {
            let old = cache.swap_remove(at);
            world.free(old);
        } else {
            world.free_unseen();
        }
        cache.push(world.keep(256));
    });
}
