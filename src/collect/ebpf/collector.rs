//! The collector: reads the ring, follows processes as they fork, execute and end, and hands on events in the order of
//! the ring. That is the order in which things happened: an allocation is told after it, a release before.

mod scan;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::time::{Duration, Instant};

use aya::maps::{MapData, RingBuf};
use rustc_hash::FxHashSet;

use super::drain::{self, Copy, Told, Walked};
use super::error::AttachError;
use super::layout::{Counters, SLOTS, Slot};
use super::load::Probe;
use super::losses::Losses;
use super::modules::Modules;
use super::obstacle;
use super::session::Wish;
use super::target::Target;
use super::walk::walk;
use crate::collect::agent::Stop;
use crate::collect::agent::clock::{Stamp, now};
use crate::collect::agent::procfs;
use crate::collect::agent::record::{
    Generation, Origin, Payload, Record, StackDefinition, StackHash,
};
use crate::collect::agent::signals::Signals;
use crate::collect::agent::translate::Translator;
use crate::collect::mark::MarkListener;
use crate::event::{Exit, Fact, FactKind, Lost, Metric};

/// Between two looks at the ring while there is little in it.
const PAUSE: Duration = Duration::from_millis(1);
/// Records after which the ring is read again at once.
const MANY: usize = 4096;
/// Shortest time between two epochs. It grows with the trace, so that there are never too many.
const EPOCH: Duration = Duration::from_millis(100);
const EPOCHS: u32 = 2048;
const MODULES_EVERY: Duration = Duration::from_secs(1);
const ALIVE_EVERY: Duration = Duration::from_millis(20);
/// Processes that could not be traced and are told by name.
const UNTRACED_MOST: usize = 64;

pub(super) struct Collector<'a> {
    translator: Translator<'a>,
    probe: Probe,
    ring: RingBuf<MapData>,
    modules: Modules,
    losses: Losses,
    marks: Option<MarkListener>,
    wish: Wish,
    targets: BTreeMap<Slot, Target>,
    slots: HashMap<u32, Slot>,
    /// What each slot's records belong to: the translator's number of its image.
    images: Vec<u32>,
    image_count: u32,
    threads: FxHashSet<(u32, u32)>,
    /// Processes that share a traced one's memory until they execute something.
    expected: HashSet<u32>,
    /// Processes that are still to be attached to, as was asked.
    pending: HashSet<u32>,
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

/// Why an `operator new` is not traced.
const UNPROBED: &str = "its operator new may throw, and no way out of it was found on which a probe could sit \
    without standing in the way of an exception";

const ENDED_BEFORE: &str = "it ended before unfreed could attach to it";
const NO_ALLOCATOR: &str =
    "no allocator was found in it: it may be linked statically and have no symbols";

/// Whether a process is given time to map its allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    None,
    Waits,
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
            targets: BTreeMap::new(),
            slots: HashMap::new(),
            images: vec![NO_IMAGE; SLOTS as usize],
            image_count: 0,
            threads: FxHashSet::default(),
            expected: HashSet::new(),
            pending: HashSet::new(),
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
            match self.attach(*pid, patience) {
                // Of many some may have ended meanwhile.
                Err(AttachError::NoSuch(_)) if pids.len() > 1 || self.wish.wait => {}
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

    fn take(&mut self, record: drain::Record) {
        let drain::Record { stamp, slot, tid, told } = record;
        if stamp > self.until {
            return;
        }
        let image = self.image(slot);
        let origin = Origin { process: image, tid };
        let payload = match told {
            Told::Forked { parent, child } => return self.forked(parent, child),
            Told::Executed { pid, name } => return self.executed(stamp, pid, &name),
            Told::Ended { pid } => return self.ended(pid),
            // What a process still told when its end was seen already.
            _ if image == NO_IMAGE => return,
            Told::MapChanged => return self.look_at(slot),
            Told::Stack(walked) => return self.define(origin, slot, *walked),
            Told::Copied(copy) => return self.walk(origin, slot, &copy),
            Told::Alloc { address, size, stack, function } => {
                if self.threads.insert((image, tid)) {
                    self.name_thread(stamp, origin, slot);
                }
                let renamed = self.targets.get(&slot).and_then(|target| target.renamed.get(&stack));
                let function = renamed.copied().unwrap_or(function);
                Payload::Alloc { address, size, stack: StackHash(stack), function }
            }
            Told::Free { address, function } => Payload::Free { address, function },
            Told::OwnFree { address, stack, function } => {
                let target = self.targets.get(&slot);
                if target.is_some_and(|target| target.teardown.contains(&stack)) {
                    return;
                }
                Payload::Free { address, function }
            }
            // The block lives on and is not known any more: nothing will be said of it.
            Told::Kept => Payload::Lost { what: Lost::Allocations, count: 1 },
        };
        self.out.push(Record { stamp, origin, payload });
    }

    fn define(&mut self, origin: Origin, slot: Slot, mut walked: Walked) {
        if walked.left_the_map {
            self.look.insert(slot);
        }
        if let Some(target) = self.targets.get_mut(&slot) {
            target.note_teardown(&walked);
            target.name_by_caller(&mut walked);
        }
        let definition = StackDefinition {
            hash: StackHash(walked.name),
            complete: walked.complete,
            generation: Generation(walked.generation),
            frames: walked.frames,
        };
        let payload = Payload::Stack(Box::new(definition));
        self.out.push(Record { stamp: Stamp(0), origin: Origin { tid: 0, ..origin }, payload });
    }

    /// Walks what the probe could not: a stack through code that it had not been told of.
    fn walk(&mut self, origin: Origin, slot: Slot, copy: &Copy) {
        if self.targets.get_mut(&slot).is_some_and(Target::is_to_be_looked_at) {
            self.look_at(slot);
        }
        let Some(target) = self.targets.get(&slot) else { return };
        let (frames, complete) = walk(copy, &target.mappings, |mapping| self.modules.rows(mapping));
        let walked = Walked {
            name: copy.name,
            generation: target.generation,
            complete,
            left_the_map: false,
            frames,
        };
        self.define(origin, slot, walked);
    }

    fn name_thread(&mut self, stamp: Stamp, origin: Origin, slot: Slot) {
        let pid = self.targets.get(&slot).map_or(0, |target| target.pid);
        let name = procfs::thread_name(pid, origin.tid);
        self.out.push(Record { stamp, origin, payload: Payload::ThreadBegan(name) });
    }

    /// Attaches to a process. With patience, one in which no allocator is found yet, or whose map changes under our
    /// hands, is looked at again.
    fn attach(&mut self, pid: u32, patience: Patience) -> Result<(), AttachError> {
        if self.slots.contains_key(&pid) {
            return Ok(());
        }
        obstacle::of(pid)?;
        // Slot 0 is nobody's.
        let free = (1..SLOTS).map(Slot).find(|slot| !self.targets.contains_key(slot));
        let slot = free.ok_or_else(|| AttachError::Unable("too many processes".to_owned()))?;
        let mut target = Target::new(pid, slot);
        target.told = self.losses.of(slot);
        self.probe.follow(pid, slot).map_err(AttachError::system("cannot follow a process"))?;
        self.targets.insert(slot, target);
        self.slots.insert(pid, slot);
        self.begin_image(now(), slot);
        let looked = self.look(slot);
        let found = self.targets.get(&slot).is_some_and(|target| target.has_allocator);
        match looked {
            Ok(()) if found || patience == Patience::Waits => Ok(()),
            // What it executes takes the place of what it was.
            Err(AttachError::System { .. })
                if patience == Patience::Waits && procfs::is_alive(pid) =>
            {
                Ok(())
            }
            looked => {
                self.forget(slot, Exit::Unknown);
                looked?;
                let name = procfs::describe(pid, None).name;
                Err(AttachError::Refused(
                    format!("{name} (process {pid})"),
                    NO_ALLOCATOR.to_owned(),
                ))
            }
        }
    }

    /// Says that a slot's process is from now on this image.
    fn begin_image(&mut self, stamp: Stamp, slot: Slot) {
        let Some(target) = self.targets.get(&slot) else { return };
        let mut began = procfs::describe(target.pid, None);
        // Its parent may be traced, too, and has left it no block that was seen.
        began.parent = 0;
        began.attached = true;
        // Its map is told, not looked up by what it executes.
        began.program = String::new();
        let image = self.image_count;
        self.image_count += 1;
        self.images[slot.0 as usize] = image;
        let origin = Origin { process: image, tid: 0 };
        self.out.push(Record { stamp, origin, payload: Payload::ProcessBegan(Box::new(began)) });
        if !self.facts_said {
            self.facts_said = true;
            for (subject, value) in crate::collect::agent::machine_facts() {
                let fact = Fact { kind: FactKind::System, subject, value };
                self.out.push(Record { stamp, origin, payload: Payload::Fact(Box::new(fact)) });
            }
        }
    }

    fn look_at(&mut self, slot: Slot) {
        // It may have ended, or execute something; whatever it was, it is looked at again.
        if let Err(error) = self.look(slot) {
            tracing::debug!("{error}");
        }
    }

    fn look(&mut self, slot: Slot) -> Result<(), AttachError> {
        let Some(target) = self.targets.get_mut(&slot) else { return Ok(()) };
        let Some(modules) = target.look(&mut self.probe, &mut self.modules)? else { return Ok(()) };
        let generation = Generation(target.generation);
        let origin = Origin { process: self.images[slot.0 as usize], tid: 0 };
        for path in std::mem::take(&mut target.unprobed) {
            let fact = Fact {
                kind: FactKind::AllocationsUnseen,
                subject: format!("{} in process {}", path.display(), target.pid),
                value: Some(UNPROBED.to_owned()),
            };
            self.out.push(Record { stamp: now(), origin, payload: Payload::Fact(Box::new(fact)) });
        }
        for seen in modules {
            let payload = Payload::Module(Box::new(seen), generation);
            self.out.push(Record { stamp: Stamp(0), origin, payload });
        }
        let without_room = self.modules.without_room();
        if without_room > self.without_room {
            self.without_room = without_room;
            tracing::warn!(
                "no room for the unwind tables of {without_room} files: stacks end in them"
            );
        }
        Ok(())
    }

    fn forked(&mut self, parent: u32, child: u32) {
        let is_ours = self.slots.contains_key(&parent)
            || self.expected.contains(&parent)
            || self.pending.contains(&parent);
        if !is_ours {
            return self.probe.unfollow(child);
        }
        let status = fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
        let group = status.lines().find_map(|line| line.strip_prefix("Tgid:"));
        match group.map(|group| group.trim().parse() == Ok(child)) {
            // A thread.
            Some(false) => {}
            None => self.say_untraced(child, ENDED_BEFORE),
            // A vforked child is its parent until it executes something, and is seen as that.
            Some(true) if shares_memory(parent, child) => {
                self.expected.insert(child);
            }
            Some(true) => self.attach_child(child),
        }
    }

    fn attach_child(&mut self, pid: u32) {
        if let Err(error) = self.attach(pid, Patience::Waits) {
            let why = match error {
                _ if !procfs::is_alive(pid) => ENDED_BEFORE.to_owned(),
                AttachError::NoSuch(_) => ENDED_BEFORE.to_owned(),
                AttachError::Refused(_, why) => why,
                other => other.to_string(),
            };
            self.say_untraced(pid, &why);
        }
    }

    fn executed(&mut self, stamp: Stamp, pid: u32, name: &str) {
        let expected = self.expected.remove(&pid);
        if let Some(&slot) = self.slots.get(&pid) {
            let origin = Origin { process: self.images[slot.0 as usize], tid: 0 };
            let payload = Payload::ProcessEnded(Exit::Replaced);
            self.out.push(Record { stamp, origin, payload });
            if let Some(target) = self.targets.get_mut(&slot) {
                // The probes on files that both programs map stay, and see it from its first allocation.
                target.is_new = true;
                target.has_allocator = false;
            }
            self.begin_image(stamp, slot);
            self.look_at(slot);
        } else if expected || self.is_awaited(pid, name) {
            self.attach_child(pid);
        }
    }

    fn is_awaited(&self, pid: u32, _name: &str) -> bool {
        self.wish.wait && pid != std::process::id() && self.wish.who.iter().any(|who| who.is(pid))
    }

    fn ended(&mut self, pid: u32) {
        if !procfs::is_alive(pid) && !self.dying.contains(&pid) {
            self.dying.push(pid);
        }
    }

    fn bury(&mut self, pid: u32) {
        self.expected.remove(&pid);
        self.probe.unfollow(pid);
        if let Some(&slot) = self.slots.get(&pid) {
            self.say_losses_of(slot);
            if self.targets.get(&slot).is_some_and(|target| !target.has_allocator) {
                self.say_untraced(pid, NO_ALLOCATOR);
            }
            self.forget(slot, Exit::Unknown);
        }
    }

    /// A process has ended, or is not to be watched.
    fn forget(&mut self, slot: Slot, exit: Exit) {
        let Some(mut target) = self.targets.remove(&slot) else { return };
        let image = std::mem::replace(&mut self.images[slot.0 as usize], NO_IMAGE);
        target.detach(&mut self.probe);
        self.probe.remove_process(slot);
        self.probe.unfollow(target.pid);
        self.slots.remove(&target.pid);
        self.threads.retain(|(of, _)| *of != image);
        let origin = Origin { process: image, tid: 0 };
        self.out.push(Record { stamp: now(), origin, payload: Payload::ProcessEnded(exit) });
    }

    fn say_untraced(&mut self, pid: u32, why: &str) {
        self.probe.unfollow(pid);
        self.untraced += 1;
        if self.untraced > UNTRACED_MOST {
            return;
        }
        let program = procfs::program(pid).map(|path| path.display().to_string());
        let subject =
            format!("{} (process {pid})", program.unwrap_or_else(|| "a program".to_owned()));
        let fact = Fact { kind: FactKind::NotTraced, subject, value: Some(why.to_owned()) };
        let payload = Payload::Fact(Box::new(fact));
        self.out.push(Record { stamp: now(), origin: Origin { process: 0, tid: 0 }, payload });
    }

    fn say_losses(&mut self, damaged: u64) {
        let slots: Vec<Slot> = self.targets.keys().copied().collect();
        for slot in slots {
            self.say_losses_of(slot);
        }
        let lost = self.losses.of(Slot(0));
        let others = lost.others - self.nobody.others + damaged;
        self.nobody = lost;
        self.say_lost(Origin::EVERYBODY, Lost::Events, others);
    }

    fn say_losses_of(&mut self, slot: Slot) {
        let lost = self.losses.of(slot);
        let Some(target) = self.targets.get_mut(&slot) else { return };
        let before = std::mem::replace(&mut target.told, lost);
        if before == lost {
            return;
        }
        let origin = Origin { process: self.images[slot.0 as usize], tid: 0 };
        let allocations = lost.allocations - before.allocations;
        let unseen = lost.missed_returns - before.missed_returns;
        self.say_lost(origin, Lost::Allocations, allocations + unseen);
        self.say_lost(origin, Lost::Frees, lost.frees - before.frees);
        self.say_lost(origin, Lost::Stacks, lost.stacks - before.stacks);
        self.say_lost(origin, Lost::Events, lost.others - before.others);
    }

    fn say_lost(&mut self, origin: Origin, what: Lost, count: u64) {
        if count > 0 {
            self.out.push(Record {
                stamp: Stamp(0),
                origin,
                payload: Payload::Lost { what, count },
            });
        }
    }

    /// What the collector itself has to say: marks, ends, samples, epochs.
    fn say(&mut self) {
        let elapsed = self.began.elapsed();
        if let Some(listener) = &self.marks {
            let out = &mut self.out;
            listener.poll(|mark| {
                let payload = Payload::Mark(Box::new(mark));
                out.push(Record { stamp: now(), origin: Origin { process: 0, tid: 0 }, payload });
            });
        }
        if elapsed >= self.alive_due {
            self.alive_due = elapsed + ALIVE_EVERY;
            let pids: Vec<u32> = self.slots.keys().chain(&self.expected).copied().collect();
            for pid in pids {
                self.ended(pid);
            }
        }
        self.look_for_allocators();
        if elapsed >= self.modules_due {
            self.modules_due = elapsed + MODULES_EVERY;
            for slot in self.targets.keys().copied().collect::<Vec<_>>() {
                self.look_at(slot);
            }
        }
        if elapsed >= self.epoch_due && self.image_count > 0 {
            self.epoch_due = elapsed + EPOCH.max(elapsed / EPOCHS);
            let stamp = now();
            for (slot, target) in &self.targets {
                let origin = Origin { process: self.images[slot.0 as usize], tid: 0 };
                for (metric, value) in sizes(target.pid) {
                    self.out.push(Record {
                        stamp,
                        origin,
                        payload: Payload::Sample { metric, value },
                    });
                }
            }
            let origin = Origin { process: 0, tid: 0 };
            self.out.push(Record { stamp, origin, payload: Payload::Epoch });
        }
    }

    /// Looks at those again that have begun to execute something and had not mapped their allocator.
    fn look_for_allocators(&mut self) {
        let open = self.targets.iter_mut().filter(|(_, target)| !target.has_allocator);
        let due: Vec<Slot> = open
            .filter_map(|(slot, target)| target.is_to_be_looked_at().then_some(*slot))
            .collect();
        for slot in due {
            self.look_at(slot);
        }
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
        // Once the first probe is gone only half of what happens is seen.
        if self.until == Stamp(u64::MAX) {
            self.end_at(now());
        }
        self.let_go();
        while self.pass() > 0 {}
        let stamp = now();
        self.out.push(Record {
            stamp,
            origin: Origin { process: 0, tid: 0 },
            payload: Payload::Epoch,
        });
        for slot in self.targets.keys().copied().collect::<Vec<_>>() {
            self.forget(slot, Exit::StillRunning);
        }
        self.translator.translate(&mut self.out);
        match self.translator.failure() {
            Some(error) => Err(AttachError::Sink(error)),
            None => Ok(()),
        }
    }
}

/// Whether two processes have one memory, as after vfork.
fn shares_memory(one: u32, other: u32) -> bool {
    const KCMP_VM: libc::c_int = 1;
    // SAFETY: compares, and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_kcmp, one, other, KCMP_VM, 0, 0) == 0 }
}

/// How large a process is, by what `/proc/PID/status` says.
fn sizes(pid: u32) -> Vec<(Metric, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    let mut sizes = Vec::new();
    if let Some(resident) = kib("VmRSS:") {
        sizes.push((Metric::Rss, resident << 10));
    }
    // Not shared with anybody, and nobody's file: resident or in swap.
    if let Some(private) = kib("RssAnon:") {
        sizes.push((Metric::PrivateBytes, (private + kib("VmSwap:").unwrap_or(0)) << 10));
    }
    sizes
}
