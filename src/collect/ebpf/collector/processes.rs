//! Processes as they are attached to, fork, execute and end.

use std::fs;

use super::{Collector, NO_IMAGE};
use crate::collect::agent::clock::{Stamp, now};
use crate::collect::agent::procfs;
use crate::collect::agent::record::{Generation, Origin, Payload, Record};
use crate::collect::ebpf::error::AttachError;
use crate::collect::ebpf::layout::{SLOTS, Slot};
use crate::collect::ebpf::obstacle;
use crate::collect::ebpf::sizes::sizes;
use crate::collect::ebpf::target::Target;
use crate::collect::ebpf::wine;
use crate::event::{Exit, Fact, FactKind, Lost};

/// Why a function is not traced.
const UNPROBED: &str = "a function of it that allocates may throw, and no way out of that was found on which a probe \
    could sit without standing in the way of an exception";

pub(super) const ENDED_BEFORE: &str = "it ended before unfreed could attach to it";
pub(super) const NO_ALLOCATOR: &str =
    "no allocator was found in it: it may be linked statically and have no symbols";

pub(super) const NO_HEAPS: &str = "Windows' heaps were not found in it: it has not loaded its ntdll.dll, or is a 32-bit program, which \
    is not traced under Wine";

/// Whether a process is given time to map its allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    None,
    Waits,
}

/// A process that has ended before it could be attached to.
struct Ended;

impl Collector<'_> {
    /// Attaches to a process. With patience, one in which no allocator is found yet, or whose map changes under our
    /// hands, is looked at again. `began`: when what it executes did; `None` where that is older than the watching.
    pub(super) fn attach(
        &mut self,
        pid: u32,
        patience: Patience,
        began: Option<Stamp>,
    ) -> Result<(), AttachError> {
        if self.slots.contains_key(&pid) {
            return Ok(());
        }
        obstacle::of(pid)?;
        // Slot 0 is nobody's.
        let free = (1..SLOTS).map(Slot).find(|slot| !self.targets.contains_key(slot));
        let slot = free.ok_or_else(|| AttachError::Unable("too many processes".to_owned()))?;
        let mut target = Target::new(pid, slot);
        target.watches_growth = self.wish.triage;
        target.told = self.losses.of(slot);
        self.probe.follow(pid, slot).map_err(AttachError::system("cannot follow a process"))?;
        self.targets.insert(slot, target);
        self.slots.insert(pid, slot);
        self.begin_image(now(), slot, began, None);
        let looked = self.look(slot);
        if self.wish.triage {
            // From here on it is seen.
            self.growth.begin(self.image(slot), now(), sizes(pid));
        }
        let found = self.targets.get(&slot).is_some_and(|target| target.has_allocator);
        let why = if self.wine.contains(&slot) { NO_HEAPS } else { NO_ALLOCATOR };
        match looked {
            Ok(()) if found || patience == Patience::Waits => Ok(()),
            // What it executes takes the place of what it was.
            Err(AttachError::System { .. })
                if patience == Patience::Waits && procfs::is_alive(pid) =>
            {
                Ok(())
            }
            looked => {
                self.say_late(slot, Some(now()));
                self.forget(slot, Exit::Unknown);
                if !procfs::is_alive(pid) {
                    return Err(AttachError::NoSuch(pid.to_string()));
                }
                looked?;
                let name = procfs::describe(pid, None).name;
                Err(AttachError::Refused(format!("{name} (process {pid})"), why.to_owned()))
            }
        }
    }

    /// Says that a slot's process is from now on this image, which may have begun before. `name`: the kernel's, for
    /// one that has gone.
    fn begin_image(&mut self, stamp: Stamp, slot: Slot, since: Option<Stamp>, name: Option<&str>) {
        let Some(target) = self.targets.get_mut(&slot) else { return };
        let mut began = procfs::describe(target.pid, None);
        if let Some(name) = name.filter(|_| began.name.is_empty()) {
            began.name = name.to_owned();
        }
        if let Some(program) = wine::program(target.pid, &began.command) {
            began.name = program;
            // Wine writes its program's words over its own, which were more.
            let said = began.command.iter().rposition(|word| !word.is_empty());
            began.command.truncate(said.map_or(0, |last| last + 1));
        }
        target.sight = target.sight.next(since);
        target.name.clone_from(&began.name);
        // Its parent may be traced, too, and has left it no block that was seen.
        began.parent = 0;
        began.attached = true;
        // Its map is told, not looked up by what it executes.
        began.program = String::new();
        let image = self.image_count;
        self.image_count += 1;
        self.images[slot.0 as usize] = image;
        if self.wish.triage {
            self.growth.begin(image, now(), sizes(target.pid));
        }
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

    pub(super) fn look_at(&mut self, slot: Slot) {
        // It may have ended, or execute something; whatever it was, it is looked at again.
        if let Err(error) = self.look(slot) {
            tracing::debug!("{error}");
        }
    }

    fn look(&mut self, slot: Slot) -> Result<(), AttachError> {
        let Some(target) = self.targets.get_mut(&slot) else { return Ok(()) };
        let looked = target.look(&mut self.probe, &mut self.modules);
        match target.is_wine {
            true => self.wine.insert(slot),
            false => self.wine.remove(&slot),
        };
        let Some(modules) = looked? else { return Ok(()) };
        let generation = Generation(target.generation);
        let origin = Origin { process: self.images[slot.0 as usize], tid: 0 };
        let had_gap = std::mem::take(&mut target.had_gap);
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
        self.say_late(slot, None);
        if had_gap {
            // How much cannot be known.
            self.say_lost(origin, Lost::Allocations, 1);
            self.say_lost(origin, Lost::Frees, 1);
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

    /// Only those are told whose parents are followed, and so all are to be traced; a parent may be gone by now.
    pub(super) fn forked(&mut self, stamp: Stamp, parent: u32, child: u32) {
        let status = fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
        let group = status.lines().find_map(|line| line.strip_prefix("Tgid:"));
        match group.map(|group| group.trim().parse() == Ok(child)) {
            // A thread.
            Some(false) => {}
            None => self.expect_end(parent, child, stamp),
            // A vforked child is its parent until it executes something, and is seen as that.
            // (Two that have ended have both no memory.)
            Some(true) if shares_memory(parent, child) && procfs::is_alive(child) => {
                self.expected.insert(child);
            }
            Some(true) => {
                if self.attach_child(stamp, child).is_err() {
                    self.expect_end(parent, child, stamp);
                }
            }
        }
    }

    /// Attaches to a process that began while others were watched. An error: it has ended, and was not told.
    fn attach_child(&mut self, began: Stamp, pid: u32) -> Result<(), Ended> {
        let Err(error) = self.attach(pid, Patience::Waits, Some(began)) else { return Ok(()) };
        if !procfs::is_alive(pid) || matches!(error, AttachError::NoSuch(_)) {
            return Err(Ended);
        }
        let why = match error {
            AttachError::Refused(_, why) => why,
            other => other.to_string(),
        };
        // What it starts and what else it executes may be traced.
        self.refused.insert(pid);
        if let Err(error) = self.probe.follow(pid, Slot(0)) {
            tracing::warn!("process {pid} cannot be followed: {error}");
        }
        self.say_untraced(described(pid), &why);
        Ok(())
    }

    pub(super) fn executed(&mut self, stamp: Stamp, pid: u32, name: &str) {
        let expected = self.expected.remove(&pid) | self.refused.remove(&pid);
        self.met_execution(pid, name);
        if let Some(&slot) = self.slots.get(&pid) {
            self.say_late(slot, Some(stamp));
            let origin = Origin { process: self.images[slot.0 as usize], tid: 0 };
            let payload = Payload::ProcessEnded(Exit::Replaced);
            self.out.push(Record { stamp, origin, payload });
            if let Some(target) = self.targets.get_mut(&slot) {
                // The probes on files that both programs map stay, and see it from its first allocation.
                target.is_new = true;
                target.has_allocator = false;
            }
            self.growth.end(self.image(slot));
            self.begin_image(stamp, slot, Some(stamp), Some(name));
            self.look_at(slot);
        } else if (expected || self.is_awaited(pid)) && self.attach_child(stamp, pid).is_err() {
            self.probe.unfollow(pid);
            self.say_untraced(format!("{name} (process {pid})"), ENDED_BEFORE);
        }
    }

    fn is_awaited(&self, pid: u32) -> bool {
        self.wish.wait && pid != std::process::id() && self.wish.who.iter().any(|who| who.is(pid))
    }

    pub(super) fn ended(&mut self, pid: u32) {
        if !procfs::is_alive(pid) && !self.dying.contains(&pid) {
            self.dying.push(pid);
        }
    }

    pub(super) fn bury(&mut self, pid: u32) {
        self.expected.remove(&pid);
        self.refused.remove(&pid);
        self.probe.unfollow(pid);
        if let Some(&slot) = self.slots.get(&pid) {
            self.say_losses_of(slot);
            self.say_blind(slot, now(), true);
            self.forget(slot, Exit::Unknown);
        }
    }

    /// A process has ended, or is not to be watched.
    pub(super) fn forget(&mut self, slot: Slot, exit: Exit) {
        let Some(mut target) = self.targets.remove(&slot) else { return };
        self.wine.remove(&slot);
        let image = std::mem::replace(&mut self.images[slot.0 as usize], NO_IMAGE);
        if exit == Exit::Unknown {
            self.probe.detach_ended(target.take_links());
        } else {
            target.detach(&mut self.probe);
        }
        self.probe.remove_process(slot);
        self.probe.forget_sampled(slot);
        self.probe.unfollow(target.pid);
        self.slots.remove(&target.pid);
        self.growth.end(image);
        self.threads.retain(|(of, _)| *of != image);
        let origin = Origin { process: image, tid: 0 };
        self.out.push(Record { stamp: now(), origin, payload: Payload::ProcessEnded(exit) });
    }

    /// Looks at those again that have begun to execute something and had not mapped their allocator.
    pub(super) fn look_for_allocators(&mut self) {
        let open = self.targets.iter_mut().filter(|(_, target)| !target.has_allocator);
        let due: Vec<Slot> = open
            .filter_map(|(slot, target)| target.is_to_be_looked_at().then_some(*slot))
            .collect();
        for slot in due {
            self.look_at(slot);
        }
    }
}

/// What a process is, for who reads of it.
fn described(pid: u32) -> String {
    format!("{} (process {pid})", procfs::describe(pid, None).name)
}

/// Whether two processes have one memory, as after vfork.
fn shares_memory(one: u32, other: u32) -> bool {
    const KCMP_VM: libc::c_int = 1;
    // SAFETY: compares, and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_kcmp, one, other, KCMP_VM, 0, 0) == 0 }
}
