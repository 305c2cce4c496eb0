//! The collector: reads the ring, follows processes as they fork, execute and end, and hands on events in the order of
//! the ring. That is the order in which things happened: an allocation is told after it, a release before.

mod growing;
mod leaderless;
mod notices;
mod processes;
mod records;
mod scan;
mod unmet;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use aya::maps::{MapData, RingBuf};
use rustc_hash::FxHashSet;

use self::notices::MODULES_EVERY;
use self::processes::{ENDED_BEFORE, Patience};
use self::unmet::Unmet;
use super::drain;
use super::error::AttachError;
use super::growth::{Grown, Growth};
use super::layout::{Counters, SLOTS, Slot};
use super::load::Probe;
use super::losses::Losses;
use super::modules::Modules;
use super::session::Wish;
use super::sizes::Area;
use super::target::Target;
use crate::collect::agent::Stop;
use crate::collect::agent::clock::{Stamp, now};
use crate::collect::agent::record::{Origin, Payload, Record};
use crate::collect::agent::signals::Signals;
use crate::collect::agent::translate::Translator;
use crate::collect::mark::MarkListener;
use crate::event::Exit;

/// Between two looks at the ring while there is little in it.
const PAUSE: Duration = Duration::from_millis(1);
/// Records after which the ring is read again at once.
const MANY: usize = 4096;

pub(super) struct Collector<'a> {
    translator: Translator<'a>,
    probe: Probe,
    ring: RingBuf<MapData>,
    modules: Modules,
    losses: Losses,
    marks: Option<MarkListener>,
    wish: Wish,
    growth: Growth,
    grown: Vec<Grown>,
    /// What processes whose growth was watched had as the watching ended.
    last: HashMap<Slot, Vec<Area>>,
    targets: BTreeMap<Slot, Target>,
    /// Those that run under Wine.
    wine: FxHashSet<Slot>,
    slots: HashMap<u32, Slot>,
    /// What each slot's records belong to: the translator's number of its image.
    images: Vec<u32>,
    image_count: u32,
    threads: FxHashSet<(u32, u32)>,
    /// Processes that share a traced one's memory until they execute something.
    expected: HashSet<u32>,
    /// Processes that are still to be attached to, as was asked.
    pending: HashSet<u32>,
    /// Processes that cannot be traced, until they execute something else.
    refused: HashSet<u32>,
    /// Those that had ended when their beginning was read: their end says what they were.
    unmet: BTreeMap<u32, Unmet>,
    records: Vec<drain::Record>,
    out: Vec<Record>,
    look: HashSet<Slot>,
    /// Found to have ended: what they told before is still in the ring.
    dying: Vec<u32>,
    untraced: usize,
    nobody: Counters,
    began: Instant,
    epoch_due: Duration,
    modules_due: Duration,
    alive_due: Duration,
    facts_said: bool,
    without_room: u64,
    /// What was stamped later is not told: probes were being taken away.
    until: Stamp,
}

/// Records of nobody's.
const NO_IMAGE: u32 = u32::MAX;

impl<'a> Collector<'a> {
    pub(super) fn new(
        translator: Translator<'a>,
        probe: Probe,
        ring: RingBuf<MapData>,
        modules: Modules,
        losses: Losses,
        marks: Option<MarkListener>,
        wish: Wish,
    ) -> Collector<'a> {
        Collector {
            translator,
            probe,
            ring,
            modules,
            losses,
            marks,
            wish,
            growth: Growth::default(),
            grown: Vec::new(),
            last: HashMap::new(),
            targets: BTreeMap::new(),
            wine: FxHashSet::default(),
            slots: HashMap::new(),
            images: vec![NO_IMAGE; SLOTS as usize],
            image_count: 0,
            threads: FxHashSet::default(),
            expected: HashSet::new(),
            pending: HashSet::new(),
            refused: HashSet::new(),
            unmet: BTreeMap::new(),
            records: Vec::new(),
            out: Vec::new(),
            look: HashSet::new(),
            dying: Vec::new(),
            untraced: 0,
            nobody: Counters::default(),
            began: Instant::now(),
            epoch_due: Duration::ZERO,
            modules_due: MODULES_EVERY,
            alive_due: Duration::ZERO,
            facts_said: false,
            without_room: 0,
            until: Stamp(u64::MAX),
        }
    }

    /// Attaches to those that were asked for; if that fails for one, to none.
    pub(super) fn attach_first(&mut self, pids: &[u32]) -> Result<(), AttachError> {
        // Whom they start meanwhile is told from here on.
        self.pending = pids.iter().copied().collect();
        for pid in pids {
            self.probe
                .follow(*pid, Slot(0))
                .map_err(AttachError::system("cannot follow a process"))?;
        }
        for pid in pids {
            let patience = if self.wish.wait { Patience::Waits } else { Patience::None };
            match self.attach(*pid, patience, None) {
                // Of many some may have ended meanwhile.
                Err(AttachError::NoSuch(_)) if pids.len() > 1 || self.wish.wait => {
                    self.probe.unfollow(*pid);
                    self.say_untraced(format!("a program (process {pid})"), ENDED_BEFORE);
                }
                Err(error) => {
                    self.let_go();
                    return Err(error);
                }
                Ok(()) => {}
            }
            self.pending.remove(pid);
            // The kernel takes its time over each, and the ring fills meanwhile.
            if pids.len() > 1 {
                self.pass();
            }
        }
        Ok(())
    }

    /// Watches until there is nobody left to be watched, `duration` is over, or somebody asks for the end.
    pub(super) fn run(
        &mut self,
        signals: &Signals,
        stop: &Stop,
        duration: Option<Duration>,
        scan: Option<Duration>,
    ) -> Result<(), AttachError> {
        loop {
            let taken = self.pass();
            let (passed_on, interrupted) = signals.take();
            let nobody = self.targets.is_empty() && self.expected.is_empty() && !self.wish.wait;
            if interrupted
                || stop.is_wanted()
                || !passed_on.is_empty()
                || nobody
                || duration.is_some_and(|duration| self.began.elapsed() >= duration)
                || self.translator.has_failed()
            {
                break;
            }
            if taken < MANY {
                std::thread::sleep(PAUSE);
            }
        }
        if let Some(limit) = scan {
            self.scan(limit);
        }
        self.finish()
    }

    /// One round: what is in the ring, and what there is to say beside. Gives how many records there were.
    fn pass(&mut self) -> usize {
        let dying = std::mem::take(&mut self.dying);
        let mut records = std::mem::take(&mut self.records);
        let damaged = drain::drain(&mut self.ring, &mut records);
        let is_over = self.until != Stamp(u64::MAX);
        // After the ring was read and before it is told: what was lost up to here comes before what followed
        // from it, so that a free whose allocation was lost accuses nobody.
        if !is_over {
            self.say_losses(damaged);
        }
        let taken = records.len();
        for record in records.drain(..) {
            self.take(record);
        }
        self.records = records;
        // All that they told was in the ring when they were found to have ended.
        if taken < drain::MOST {
            dying.into_iter().for_each(|pid| self.bury(pid));
        } else {
            self.dying.extend(dying);
        }
        self.translator.translate(&mut self.out);
        for slot in std::mem::take(&mut self.look) {
            if self.targets.get_mut(&slot).is_some_and(Target::is_to_be_looked_at) {
                self.look_at(slot);
            }
        }
        self.say();
        self.translator.translate(&mut self.out);
        taken
    }

    /// Takes all probes away: from here on nothing of us is in any process.
    fn let_go(&mut self) {
        let links = self.targets.values_mut().flat_map(Target::take_links).collect();
        self.probe.detach(links);
    }

    /// Nothing later counts. What was counted as lost is what was lost until now; what was told is read.
    fn end_at(&mut self, stamp: Stamp) {
        self.until = stamp;
        self.say_losses(0);
        self.epoch_due = Duration::MAX;
        while self.pass() >= drain::MOST {}
    }

    /// What the process of a slot executes.
    fn image(&self, slot: Slot) -> u32 {
        self.images.get(slot.0 as usize).copied().unwrap_or(NO_IMAGE)
    }

    fn finish(&mut self) -> Result<(), AttachError> {
        if self.wish.triage {
            self.measure_last();
        }
        // Once the first probe is gone only half of what happens is seen.
        if self.until == Stamp(u64::MAX) {
            self.end_at(now());
        }
        self.let_go();
        while self.pass() > 0 {}
        if self.wish.triage {
            self.tell_growth();
        }
        let stamp = now();
        self.out.push(Record {
            stamp,
            origin: Origin { process: 0, tid: 0 },
            payload: Payload::Epoch,
        });
        for slot in self.targets.keys().copied().collect::<Vec<_>>() {
            self.say_blind(slot, stamp, false);
            self.forget(slot, Exit::StillRunning);
        }
        self.say_all_unmet();
        self.say_more_untraced();
        self.translator.translate(&mut self.out);
        match self.translator.failure() {
            Some(error) => Err(AttachError::Sink(error)),
            None => Ok(()),
        }
    }
}
