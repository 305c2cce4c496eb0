//! The processes of a log. A number is used again after its process ended: each start of one begins another.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;

use rustc_hash::FxHashMap;

use super::committed::Committed;
use super::mappings::Mappings;
use super::pending::Number;
use super::process::ProcessRecord;
use super::record::Ticks;
use super::stacks::Remembered;
use crate::event::{Address, Bytes, Process, ProcessId};

/// So many ended processes keep their images, for stacks that come late.
const ENDED: usize = 64;

/// Memory that a process took from the system.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// How long.
    pub size: Bytes,
    /// The event that told so.
    pub number: Number,
}

/// One process.
#[derive(Debug, Default)]
pub struct Space {
    /// The system's number for it.
    pub pid: u32,
    /// How many processes of this number had started when it did, itself among them; 0 for one that ran before.
    pub starts: u32,
    /// Its id; `None` until something is told of it.
    pub id: Option<ProcessId>,
    /// What is known of it.
    pub about: Option<ProcessRecord>,
    /// When it started, if that was in the log.
    pub started: Option<Ticks>,
    /// Whether it ended.
    pub ended: bool,
    /// Whether its heaps were traced from its beginning, as far as is seen; `None` before their first record.
    pub heaps_from_start: Option<bool>,
    /// Whether its images were listed when it was found running.
    pub listed: bool,
    /// Its images.
    pub mappings: Mappings,
    /// Its stacks.
    pub remembered: Remembered,
    /// What its heaps committed.
    pub committed: Committed,
    /// What it took from the system and has not given back.
    pub regions: BTreeMap<Address, Region>,
    /// Stacks that were taken and did not come, since this was told last.
    pub lost_stacks: u64,
    /// Records that could not be read, since this was told last.
    pub lost_events: u64,
}

impl Space {
    /// Whether every block of it is seen. Its start alone does not say so: its heaps may be traced since later.
    pub fn whole(&self) -> bool {
        self.started.is_some() && self.heaps_from_start != Some(false)
    }

    /// What is told of it. The parent only of a process that started in the log: of an older one it would read as a
    /// fork, which inherits blocks.
    pub fn process(&self) -> Process {
        let about = self.about.clone().unwrap_or_default();
        let parent = if self.started.is_some() { about.parent } else { 0 };
        Process {
            pid: self.pid,
            parent,
            name: about.name,
            command: about.command,
            from_start: self.whole(),
            sampled: None,
        }
    }

    /// The region that an address lies in.
    pub fn region(&self, address: Address) -> Option<(Address, Region)> {
        let (base, region) = self.regions.range(..=address).next_back()?;
        (address.0 - base.0 < region.size.0).then_some((*base, *region))
    }
}

/// All processes.
#[derive(Debug, Default)]
pub struct Spaces {
    all: Vec<Space>,
    running: FxHashMap<u32, usize>,
    starts: FxHashMap<u32, u32>,
    ended: VecDeque<usize>,
    last: Option<(u32, usize)>,
    /// Those that lost something since this was told last.
    lossy: BTreeSet<usize>,
}

impl Spaces {
    /// The place of the running process of this number, and whether it is new.
    #[inline]
    pub fn at(&mut self, pid: u32) -> (usize, bool) {
        if let Some((last, at)) = self.last
            && last == pid
        {
            return (at, false);
        }
        let (at, new) = match self.running.get(&pid) {
            Some(at) => (*at, false),
            None => (self.add(pid), true),
        };
        self.last = Some((pid, at));
        (at, new)
    }

    fn add(&mut self, pid: u32) -> usize {
        let at = self.all.len();
        let starts = self.starts.get(&pid).copied().unwrap_or_default();
        self.all.push(Space { pid, starts, ..Space::default() });
        self.running.insert(pid, at);
        at
    }

    /// The running process of this number.
    pub fn running(&self, pid: u32) -> Option<usize> {
        self.running.get(&pid).copied()
    }

    /// A process of this number started: the place of the one that is new, and of one that must have ended.
    pub fn start(&mut self, pid: u32, at: Ticks) -> (usize, Option<usize>) {
        *self.starts.entry(pid).or_default() += 1;
        self.last = None;
        let old = self.running.get(&pid).copied();
        // Records of a process may come just before that of its start.
        let early = |space: &Space| space.id.is_none() && space.about.is_none();
        let place = match old {
            Some(old) if early(&self.all[old]) => {
                self.all[old].starts = self.starts.get(&pid).copied().unwrap_or_default();
                old
            }
            _ => {
                if let Some(old) = old {
                    self.end(old);
                }
                self.add(pid)
            }
        };
        self.all[place].started = Some(at);
        (place, old.filter(|old| *old != place))
    }

    /// A process ended.
    pub fn end(&mut self, at: usize) {
        let space = &mut self.all[at];
        if mem::replace(&mut space.ended, true) {
            return;
        }
        self.running.remove(&space.pid);
        self.last = None;
        self.ended.push_back(at);
        if self.ended.len() > ENDED
            && let Some(at) = self.ended.pop_front()
        {
            let space = &mut self.all[at];
            space.mappings.clear();
            space.remembered = Remembered::default();
            space.regions = BTreeMap::new();
            space.committed = Committed::default();
        }
    }

    /// A record of a process could not be read.
    #[cold]
    pub fn lose_event(&mut self, at: usize) {
        self.all[at].lost_events += 1;
        self.lossy.insert(at);
    }

    /// A stack of a process was taken and did not come.
    #[cold]
    pub fn lose_stack(&mut self, at: usize) {
        self.all[at].lost_stacks += 1;
        self.lossy.insert(at);
    }

    /// Takes those that lost something since this was asked last.
    pub fn take_lossy(&mut self) -> BTreeSet<usize> {
        mem::take(&mut self.lossy)
    }

    /// A process.
    #[inline]
    pub fn get_mut(&mut self, at: usize) -> &mut Space {
        &mut self.all[at]
    }

    /// A process.
    #[inline]
    pub fn get(&self, at: usize) -> &Space {
        &self.all[at]
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }
}
