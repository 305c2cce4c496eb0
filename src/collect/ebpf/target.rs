//! One process that is attached to: its probes, and what the probe was told of its memory.

use std::collections::HashSet;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use unfreed_symbols::Entry;
use unfreed_wire::split_frame_word;

use super::drain::Walked;
use super::error::AttachError;
use super::functions::{Role, is_operator, known, may_throw};
use super::kernel::Places;
use super::layout::{
    Counters, MAPPING_ALLOCATOR, MAPPINGS_MOST, Mapping, ProcessTable, Shape, Slot, cookie,
};
use super::load::{Hook, Link, Probe};
use super::memory::{self, FileId, Mapped, Memory, link_to};
use super::modules::{Module, Modules};
use super::place::{Beginning, Place, beginning};
use super::seen::Sight;
use crate::collect::agent::clock::{Stamp, now};
use crate::collect::agent::record::ModuleSeen;
use crate::event::Function;

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

/// Functions of one file that get a probe.
struct Chosen {
    function: Function,
    role: Role,
    offset: u64,
    place: Place,
    /// Where it returns, if no probe may stand in the way of an exception that leaves it.
    exits: Option<Vec<u64>>,
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
        let Memory { mapped, unnamed } =
            memory::mapped(self.pid).map_err(|error| self.unreadable(&error))?;
        let same = mapped == self.mapped && unnamed == self.unnamed;
        if mapped.is_empty() || (same && !self.is_new) {
            return Ok(None);
        }
        self.unnamed = unnamed;
        let files: Vec<_> = mapped
            .iter()
            .map(|mapped| {
                let link = link_to(self.pid, mapped).unwrap_or_default();
                modules.get(&mapped.file, &link)
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

    /// The module of the allocator whose function is on a stack: the one that the program called.
    pub(super) fn allocator_on(&self, frames: &[u64]) -> Option<Arc<str>> {
        let of = |word: &u64| {
            let address = split_frame_word(*word).0;
            self.allocators.iter().find(|(code, _)| code.contains(&address))
        };
        frames.iter().rev().find_map(of).map(|(_, module)| module.clone())
    }

    /// Sets probes on the allocators that came.
    fn probe_all(
        &mut self,
        mapped: &[Mapped],
        files: &[Arc<Module>],
        probe: &mut Probe,
    ) -> Result<(), AttachError> {
        let guarded = may_call_each_other(mapped, files);
        if guarded && !self.guarded {
            // What is there was set for an allocator that is alone.
            self.had_gap = self.has_allocator;
            self.detach(probe);
            self.guarded = true;
        }
        for (mapped, module) in mapped.iter().zip(files) {
            if self.probed_at(mapped).is_none() {
                self.set_probes(probe, mapped, module)?;
            }
        }
        let allocators = mapped
            .iter()
            .zip(files)
            .filter(|(mapped, module)| !choose(mapped, module).is_empty())
            .map(|(mapped, _)| self.probed_at(mapped).unwrap_or_else(now));
        if let Some(last) = allocators.max() {
            self.has_allocator = true;
            self.sight.probed(last);
        } else {
            self.has_allocator = false;
        }
        self.news =
            mapped.iter().zip(files).flat_map(|(mapped, module)| news(mapped, module)).collect();
        Ok(())
    }

    /// When a file of its memory had got its probes.
    fn probed_at(&self, mapped: &Mapped) -> Option<Stamp> {
        self.probed.iter().find(|(file, _)| *file == mapped.file).map(|(_, at)| *at)
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

    /// Takes the frames of `operator new` off a stack of the malloc that it calls: a block is that function's which
    /// the program called.
    pub(super) fn name_by_caller(&mut self, walked: &mut Walked) {
        let of = |word: u64| {
            let address = split_frame_word(word).0;
            self.news
                .iter()
                .find(|(code, _)| code.contains(&address))
                .map(|(_, function)| *function)
        };
        let mut inner = 0;
        while inner + 1 < walked.frames.len()
            && let Some(function) = of(walked.frames[inner])
        {
            self.renamed.insert(walked.name, function);
            inner += 1;
        }
        walked.frames.drain(..inner);
    }

    /// Takes note of a stack that lies in the C library alone, from its innermost frame to its outermost: that of a
    /// thread that ends, which gives back what it had put by of blocks that were freed.
    pub(super) fn note_teardown(&mut self, walked: &Walked) {
        let within = |word: &u64| self.own.contains(&split_frame_word(*word).0);
        if walked.complete && walked.frames.iter().all(within) {
            self.teardown.insert(walked.name);
        }
    }

    /// Takes its probes away.
    pub(super) fn detach(&mut self, probe: &mut Probe) {
        probe.detach(self.take_links());
    }

    /// What holds its probes, for who takes away those of many at once.
    pub(super) fn take_links(&mut self) -> Vec<Link> {
        self.probed.clear();
        std::mem::take(&mut self.links)
    }

    fn unreadable(&self, error: &io::Error) -> AttachError {
        match error.kind() {
            io::ErrorKind::PermissionDenied => AttachError::NotAllowed,
            _ => AttachError::NoSuch(self.pid.to_string()),
        }
    }

    fn table(&mut self, mapped: &[Mapped], files: &[Arc<Module>]) -> Box<ProcessTable> {
        let mut table = Box::new(ProcessTable {
            generation: self.generation,
            count: 0,
            own_start: 0,
            own_end: 0,
            mappings: [Mapping::default(); MAPPINGS_MOST],
        });
        let own = mapped.iter().find(|mapped| is_libc(mapped)).and_then(|libc| libc.code.first());
        self.own = own.map_or(0..0, |code| code.start..code.end);
        (table.own_start, table.own_end) = (self.own.start, self.own.end);
        let parts = mapped.iter().zip(files).flat_map(|(mapped, module)| {
            let flags = if choose(mapped, module).is_empty() { 0 } else { MAPPING_ALLOCATOR };
            mapped.code.iter().map(move |code| Mapping {
                start: code.start,
                end: code.end,
                bias: module.bias(code.start, code.offset).unwrap_or(code.start),
                first: module.first,
                rows: if module.segments.is_empty() { 0 } else { module.rows },
                flags,
                unused: 0,
            })
        });
        // Of these nothing is known, which the probe must know: it would have them looked at.
        let unnamed =
            self.unnamed.iter().map(|&(start, end)| Mapping { start, end, ..Mapping::default() });
        let mut parts: Vec<Mapping> = parts.chain(unnamed).collect();
        parts.sort_by_key(|part| part.start);
        if parts.len() > MAPPINGS_MOST {
            tracing::warn!(
                "process {}: only {MAPPINGS_MOST} of {} mappings of code are known to the probe",
                self.pid,
                parts.len()
            );
        }
        for part in parts.into_iter().take(MAPPINGS_MOST) {
            table.mappings[table.count as usize] = part;
            table.count += 1;
        }
        self.mappings = table.mappings[..table.count as usize].to_vec();
        table
    }

    fn set_probes(
        &mut self,
        probe: &mut Probe,
        mapped: &Mapped,
        module: &Module,
    ) -> Result<(), AttachError> {
        let Some(link) = link_to(self.pid, mapped) else { return Ok(()) };
        if let Some(entry) = &module.map_changed {
            let places = Places {
                offsets: vec![entry.offset],
                cookies: vec![cookie(self.slot, Function::Unknown, Shape::Size, false)],
            };
            self.put(probe, Hook::MapChanged, &link, &places)?;
        }
        if module.functions.iter().any(|entry| has_no_place(module, entry)) {
            self.unprobed.push(mapped.path.clone());
        }
        let chosen = choose(mapped, module);
        if !chosen.is_empty() {
            let guarded = self.guarded;
            let mut allocations = Places::default();
            let mut returning = Places::default();
            let mut left = Places::default();
            let mut releases = Places::default();
            for Chosen { function, role, offset, place, exits } in chosen {
                let (shape, into) = match role {
                    Role::Allocates(shape) => (shape, &mut allocations),
                    Role::Releases => (Shape::Size, &mut releases),
                };
                if !place.cheap {
                    tracing::debug!(
                        "{}: {} is costly to probe",
                        mapped.path.display(),
                        function.name()
                    );
                }
                let cookie = cookie(self.slot, function, shape, guarded);
                into.offsets.push(offset + place.offset);
                into.cookies.push(cookie);
                if role == Role::Releases {
                    continue;
                }
                let Some(exits) = exits else {
                    returning.offsets.push(offset + place.offset);
                    returning.cookies.push(cookie);
                    continue;
                };
                for exit in exits {
                    // Two functions may end in the same code.
                    if !left.offsets.contains(&exit) {
                        left.offsets.push(exit);
                        left.cookies.push(cookie);
                    }
                }
            }
            // Whatever is seen allocated is seen released, and what is seen to begin is seen to end.
            self.put(probe, Hook::Release, &link, &releases)?;
            self.put(probe, Hook::Allocated, &link, &returning)?;
            self.put(probe, Hook::Left, &link, &left)?;
            self.put(probe, Hook::Allocation, &link, &allocations)?;
        }
        self.probed.push((mapped.file.clone(), now()));
        Ok(())
    }

    fn put(
        &mut self,
        probe: &mut Probe,
        hook: Hook,
        file: &Path,
        places: &Places,
    ) -> Result<(), AttachError> {
        if places.offsets.is_empty() {
            return Ok(());
        }
        let links =
            probe.attach(hook, file, self.pid, places).map_err(|cause| match cause.kind() {
                io::ErrorKind::PermissionDenied => AttachError::NotAllowed,
                _ => AttachError::System { what: "cannot set a probe", cause },
            })?;
        self.links.extend(links);
        Ok(())
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
            load_bias: module.bias(code.start, code.offset).unwrap_or(mapped.start),
            start: mapped.start,
            end: mapped.end,
        })
    }
}

fn may_call_each_other(mapped: &[Mapped], files: &[Arc<Module>]) -> bool {
    let releases = mapped.iter().zip(files).flat_map(|(mapped, module)| choose(mapped, module));
    releases.filter(|chosen| chosen.role == Role::Releases).count() > 1
}

/// The functions of a file that get a probe, and where.
fn choose(mapped: &Mapped, module: &Module) -> Vec<Chosen> {
    let name =
        mapped.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // The agent of another unfreed calls the real ones.
    if name == crate::collect::agent::AGENT_NAME {
        return Vec::new();
    }
    // glibc's loader has a malloc of its own, for itself, until the real one is there.
    if name.starts_with("ld-linux") {
        return Vec::new();
    }
    let mut chosen = Vec::new();
    for entry in &module.functions {
        let Some(known) = known(entry.name) else { continue };
        let made_of_malloc = module.made_of_malloc && is_operator(entry.name);
        if made_of_malloc || has_no_place(module, entry) {
            continue;
        }
        let exits = module.exits.get(&entry.address).cloned();
        let releases = known.role == Role::Releases;
        let place = match beginning(&entry.code, entry.address, releases) {
            Beginning::At(place) => place,
            Beginning::JumpsTo(target)
                if module.functions.iter().any(|other| other.address == target) =>
            {
                continue;
            }
            // To another module, or past our list: here it is.
            Beginning::JumpsTo(_) => Place { offset: 0, cheap: true },
        };
        chosen.push(Chosen {
            function: known.function,
            role: known.role,
            offset: entry.offset,
            place,
            exits,
        });
    }
    chosen
}

/// Whether no probe can see this function return without standing in the way of an exception.
fn has_no_place(module: &Module, entry: &Entry) -> bool {
    !module.made_of_malloc && may_throw(entry.name) && !module.exits.contains_key(&entry.address)
}

/// Where a file's functions are that allocate.
fn allocators(mapped: &Mapped, module: &Module) -> Vec<(Range<u64>, Arc<str>)> {
    let bias = mapped.code.first().and_then(|code| module.bias(code.start, code.offset));
    let name = mapped.path.file_name().map(|name| Arc::<str>::from(name.to_string_lossy()));
    let (Some(bias), Some(name)) = (bias, name) else { return Vec::new() };
    let gives = |entry: &&Entry| known(entry.name).is_some_and(|of| of.role != Role::Releases);
    let functions = module.functions.iter().filter(gives).map(|entry| {
        let start = bias.wrapping_add(entry.address);
        (start..start + entry.size.max(1) + 1, name.clone())
    });
    functions.collect()
}

/// Where a C++ library's functions are that call malloc.
fn news(mapped: &Mapped, module: &Module) -> Vec<(Range<u64>, Function)> {
    let bias = mapped.code.first().and_then(|code| module.bias(code.start, code.offset));
    let Some(bias) = bias.filter(|_| module.made_of_malloc) else { return Vec::new() };
    let operators = module.functions.iter().filter(|entry| is_operator(entry.name));
    let functions = operators.filter_map(|entry| {
        let known = known(entry.name).filter(|known| known.role != Role::Releases)?;
        let start = bias.wrapping_add(entry.address);
        // A return address may lie behind a call that is the last instruction.
        Some((start..start + entry.size + 1, known.function))
    });
    functions.collect()
}

fn is_libc(mapped: &Mapped) -> bool {
    mapped.path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libc.so"))
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
