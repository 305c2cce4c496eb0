//! One process that is attached to: its probes, and what the probe was told of its memory.

mod probes;
mod stacks;
mod table;

use std::collections::HashSet;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::stacks::allocators;
use super::error::AttachError;
use super::layout::{Counters, Mapping, Slot};
use super::load::{Link, Probe};
use super::memory::{self, FileId, Mapped, Memory, link_to};
use super::modules::{Module, Modules};
use super::seen::Sight;
use super::wine;
use crate::collect::agent::clock::{Stamp, now};
use crate::collect::agent::record::ModuleSeen;
use crate::event::Function;
use rustc_hash::FxHashMap;

/// Between two looks at a process's memory for stacks that lead out of what is known, at first and at most.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
const LOOK_AGAIN_MOST: Duration = Duration::from_secs(1);

/// A process that is attached to.
pub(super) struct Target {
    pub(super) pid: u32,
    pub(super) slot: Slot,
    /// Counts changes of its map.
    pub(super) generation: u32,
    /// What was lost of it and told.
    pub(super) told: Counters,
    /// Whether what it executes is a new image that was not looked at yet.
    pub(super) is_new: bool,
    /// The code of its C library, if that is glibc.
    own: Range<u64>,
    /// Whether it runs a program of Windows under Wine: only Windows' heaps are traced then.
    pub(super) is_wine: bool,
    /// Whether only its growth is watched: it gets no probes.
    pub(super) watches_growth: bool,
    /// Where functions are that allocate, and in which module.
    allocators: Vec<(Range<u64>, Arc<str>)>,
    /// Where C++'s `operator new` is that calls malloc.
    news: Vec<(Range<u64>, Function)>,
    /// Stacks of malloc that such a one called: which.
    pub(super) renamed: FxHashMap<u64, Function>,
    /// Stacks that the C library's own code makes all by itself: what is freed there was freed before.
    pub(super) teardown: HashSet<u64>,
    /// Whether its allocators' functions may call each other, so that one release is seen as several.
    guarded: bool,
    /// Whether anything of the allocator was found so far.
    pub(super) has_allocator: bool,
    /// Since when what its image allocates is seen.
    pub(super) sight: Sight,
    /// What its image is called.
    pub(super) name: String,
    /// Whether its probes were away for a moment, and not told yet: something was missed then.
    pub(super) had_gap: bool,
    /// When its first thread ended, if that took the probes along and was not told yet.
    pub(super) first_ended: Option<Stamp>,
    /// When its memory may be looked at again because a stack led out of what is known of it, and how long that
    /// was put off: what is made while the program runs (JIT) would have it looked at all the time.
    look_after: Instant,
    put_off: Duration,
    mapped: Vec<Mapped>,
    unnamed: Vec<(u64, u64)>,
    /// As the probe was told.
    pub(super) mappings: Vec<Mapping>,
    links: Vec<Link>,
    /// Files with probes, and when they were there.
    probed: Vec<(FileId, Stamp)>,
    /// Files in which no probe could be set on an `operator new` without standing in an exception's way; not told yet.
    pub(super) unprobed: Vec<PathBuf>,
    /// Where its files are, if they are not seen by their own paths.
    root: Option<PathBuf>,
}

impl Target {
    /// A process; nothing is done to it yet.
    pub(super) fn new(pid: u32, slot: Slot) -> Target {
        Target {
            pid,
            slot,
            generation: 0,
            told: Counters::default(),
            is_new: true,
            own: 0..0,
            is_wine: false,
            watches_growth: false,
            allocators: Vec::new(),
            news: Vec::new(),
            renamed: FxHashMap::default(),
            teardown: HashSet::new(),
            guarded: false,
            has_allocator: false,
            sight: Sight::default(),
            name: String::new(),
            had_gap: false,
            first_ended: None,
            look_after: Instant::now(),
            put_off: LOOK_AGAIN,
            mapped: Vec::new(),
            unnamed: Vec::new(),
            mappings: Vec::new(),
            links: Vec::new(),
            probed: Vec::new(),
            unprobed: Vec::new(),
            root: foreign_root(pid),
        }
    }

    /// Looks at its memory: tells the probe what is new there, and sets probes on allocators that came. Gives the
    /// modules where anything changed.
    pub(super) fn look(
        &mut self,
        probe: &mut Probe,
        modules: &mut Modules,
    ) -> Result<Option<Vec<ModuleSeen>>, AttachError> {
        let memory = memory::mapped(self.pid).map_err(|error| self.unreadable(&error))?;
        let is_wine = wine::is(self.pid, &memory);
        let memory = if is_wine { wine::adopt(self.pid, memory, modules) } else { memory };
        if is_wine && !self.is_wine {
            // It was something else before, of which the probes on the C library are left.
            self.detach(probe);
        }
        self.is_wine = is_wine;
        let Memory { mapped, unnamed, .. } = memory;
        let same = mapped == self.mapped && unnamed == self.unnamed;
        if mapped.is_empty() || (same && !self.is_new) {
            return Ok(None);
        }
        self.unnamed = unnamed;
        let files: Vec<_> = mapped
            .iter()
            .map(|mapped| {
                let module = modules.get(&mapped.file, &link_to(self.pid, mapped));
                let is_watched =
                    self.watches_growth || !is_wine || wine::has_heaps(mapped, &module);
                if is_watched { module } else { Arc::new(module.unallocating()) }
            })
            .collect();
        self.generation += 1;
        let table = self.table(&mapped, &files);
        probe
            .set_process(self.slot, &table)
            .map_err(AttachError::system("cannot tell the probe of a process"))?;
        if self.watches_growth {
            self.allocators = mapped
                .iter()
                .zip(&files)
                .flat_map(|(mapped, module)| allocators(mapped, module))
                .collect();
            self.has_allocator = true;
            self.sight.probed(now());
        } else if is_wine && wine::is_32_bit(&mapped, &files) {
            // Of its heaps nothing would be seen.
            self.detach(probe);
            self.has_allocator = false;
        } else {
            self.probe_all(&mapped, &files, probe)?;
        }
        let seen =
            mapped.iter().zip(&files).filter_map(|(mapped, module)| self.seen(mapped, module));
        let seen = seen.collect();
        self.mapped = mapped;
        self.is_new = false;
        self.put_off = LOOK_AGAIN;
        Ok(Some(seen))
    }

    /// Whether to look at its memory because a stack led out of what is known of it.
    pub(super) fn is_to_be_looked_at(&mut self) -> bool {
        let now = Instant::now();
        if now < self.look_after {
            return false;
        }
        self.look_after = now + self.put_off;
        self.put_off = (self.put_off * 2).min(LOOK_AGAIN_MOST);
        true
    }

    fn unreadable(&self, error: &io::Error) -> AttachError {
        match error.kind() {
            io::ErrorKind::PermissionDenied => AttachError::NotAllowed,
            _ => AttachError::NoSuch(self.pid.to_string()),
        }
    }

    fn seen(&self, mapped: &Mapped, module: &Module) -> Option<ModuleSeen> {
        use std::os::unix::ffi::OsStrExt;
        let code = mapped.code.first()?;
        let path = match &self.root {
            Some(root) => root.join(mapped.path.strip_prefix("/").unwrap_or(&mapped.path)),
            None => mapped.path.clone(),
        };
        Some(ModuleSeen {
            path: path.as_os_str().as_bytes().to_vec(),
            load_bias: module.bias(mapped, code).unwrap_or(mapped.start),
            start: mapped.start,
            end: mapped.end,
        })
    }
}

/// Where a process's files are seen, if it has another root or other mounts than we.
fn foreign_root(pid: u32) -> Option<PathBuf> {
    let same = |what: &str| {
        let of = |pid: &str| std::fs::read_link(format!("/proc/{pid}/{what}")).ok();
        of(&pid.to_string()) == of("self")
    };
    let seen = same("ns/mnt") && same("root");
    (!seen).then(|| PathBuf::from(format!("/proc/{pid}/root")))
}
