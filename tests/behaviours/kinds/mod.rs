//! Kinds of behaviour, labelled by construction: what a kind is stays, every number in it is drawn
//! from the seed, over orders of magnitude, and so is how long it is watched. Open ones may be looked
//! at while the method is made; the others (`set_aside`) are the examination.
//!
//! A cache that is not full yet and a block whose time has not come are innocent, but their events are
//! those of a leak: whoever accuses them is counted as wrong, and [`super::Truth::shown`] says from when on
//! it could have been known.

mod caches;
mod leaks;
mod queues;
mod set_aside;
mod startup;

use super::Label::{self, Accumulates, Innocent, OverRelease};
use super::World;

/// A kind of behaviour.
pub struct Kind {
    pub name: &'static str,
    pub label: Label,
    /// What is alike, for sums.
    pub group: Group,
    /// How long it may be watched.
    pub watched: &'static [u64],
    pub from_start: bool,
    /// Whether it is of use to ask how soon it is named at 100 blocks a minute.
    pub quick: bool,
    behave: fn(&mut World),
}

/// Sorts of behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    Leak,
    SpreadLeak,
    Structure,
    OverRelease,
    StartUp,
    Cache,
    Queue,
    Pool,
    Load,
    Processes,
}

impl Group {
    pub fn name(self) -> &'static str {
        match self {
            Group::Leak => "leaks",
            Group::SpreadLeak => "leaks over several sites",
            Group::Structure => "structures without bound",
            Group::OverRelease => "over-releases",
            Group::StartUp => "start-up",
            Group::Cache => "caches",
            Group::Queue => "queues and batches",
            Group::Pool => "pools and arenas",
            Group::Load => "clients and load",
            Group::Processes => "threads and processes",
        }
    }
}

/// Seconds to days.
const ANY: &[u64] = &[60, 300, 1800, 7200, 86_400, 259_200];
/// What needs some time to happen.
const LONG: &[u64] = &[300, 1800, 7200, 86_400, 259_200];
/// How long the time to the first suspect is looked for, in seconds.
const QUICK: u64 = 180;

impl Kind {
    pub fn open() -> impl Iterator<Item = &'static Kind> {
        [leaks::KINDS, startup::KINDS, caches::KINDS, queues::KINDS].into_iter().flatten()
    }

    pub fn set_aside() -> impl Iterator<Item = &'static Kind> {
        set_aside::KINDS.iter()
    }

    /// How long it is watched with this seed.
    pub fn seconds(&self, seed: u64) -> u64 {
        self.watched[(seed % self.watched.len() as u64) as usize]
    }

    /// The world in which it will behave.
    pub fn world(&self, seed: u64) -> World {
        self.prepared(seed, self.seconds(seed), false)
    }

    /// The same with 100 leaked blocks a minute.
    pub fn quick_world(&self, seed: u64) -> World {
        self.prepared(seed, QUICK, true)
    }

    fn prepared(&self, seed: u64, seconds: u64, quick: bool) -> World {
        let mut world = World::new(seed, seconds, self.from_start);
        world.prepare(xxhash_rust::xxh3::xxh3_64(self.name.as_bytes()), quick);
        world
    }

    pub fn behave(&self, world: &mut World) {
        (self.behave)(world);
    }
}

const fn leak(name: &'static str, group: Group, behave: fn(&mut World)) -> Kind {
    Kind { name, label: Accumulates, group, watched: ANY, from_start: true, quick: true, behave }
}

const fn innocent(name: &'static str, group: Group, behave: fn(&mut World)) -> Kind {
    Kind { name, label: Innocent, group, watched: ANY, from_start: true, quick: false, behave }
}

const fn freed_twice(name: &'static str, behave: fn(&mut World)) -> Kind {
    let group = Group::OverRelease;
    let label = OverRelease;
    Kind { name, label, group, watched: ANY, from_start: true, quick: false, behave }
}
