//! Modules whose allocator calls do not pass the agent: loaded with `RTLD_DEEPBIND`, say, or calling
//! an allocator by names of its own. What such a module frees looks alive, and what it allocates is
//! not known, so both must stand beside every conclusion about its process.
//!
//! It is found without the process's help: a module's file says where the loader puts the addresses
//! of the functions that it calls, and the process's memory what stands there. A file is read once;
//! of a process, a module's first bytes (which tell whether the file is that one), and those places
//! until all calls are bound. Calls that the linker bound within a module, and those of addresses
//! that a program asked the loader for (`dlsym`), leave no such place and are not found.

mod names;
mod past;
mod peek;
mod watch;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use unfreed_symbols::Linkage;

use super::embedded::AGENT_NAME;
use super::record::ModuleSeen;
use crate::event::{Fact, FactKind};
use names::NAMES;
use past::{Mapped, past_agent};
use peek::{Piece, peek};

pub(super) use watch::UnseenWatch;

/// So many bytes at a module's start tell it from another of its path: headers and build-id.
const HEAD: usize = 1024;
/// Modules of a process that are looked at, at most.
const MODULES_MOST: usize = 1024;

/// Files that are remembered, at most.
const FILES_MOST: usize = 16_384;

/// What is known of the processes' modules.
#[derive(Default)]
struct Unseen {
    files: FxHashMap<FileSeen, Arc<Linkage>>,
    processes: FxHashMap<u32, BTreeMap<u64, Module>>,
}

/// A file by its path and its first bytes.
#[derive(PartialEq, Eq, Hash)]
struct FileSeen {
    path: Vec<u8>,
    head: Vec<u8>,
}

/// A module of a process.
struct Module {
    seen: ModuleSeen,
    file_name: String,
    is_agent: bool,
    linkage: Arc<Linkage>,
    values: Vec<Option<u64>>,
    /// All its calls are bound, and where was told.
    settled: bool,
    /// Which facts were told of it: of what it frees, of what it allocates.
    told: [bool; 2],
}

impl Unseen {
    /// Looks at a process's modules; gives the facts that are new. `process` is its number in the
    /// session, `name` its own.
    fn look(&mut self, process: u32, pid: u32, name: &str, modules: &[ModuleSeen]) -> Vec<Fact> {
        self.learn(process, pid, modules);
        let Some(known) = self.processes.get_mut(&process) else { return Vec::new() };
        // Without the agent in the map nothing leads to it, and nothing could be said.
        let traced = known.values().any(|module| module.is_agent);
        if !traced || !read_slots(pid, known) {
            return Vec::new();
        }
        let found = {
            let mapped: Vec<Mapped<'_>> = known.values().map(Module::mapped).collect();
            let open = known.values().enumerate().filter(|(_, module)| !module.settled);
            open.map(|(at, _)| past_agent(&mapped, at)).collect::<Vec<_>>()
        };
        let mut facts = Vec::new();
        for (module, past) in known.values_mut().filter(|module| !module.settled).zip(found) {
            module.settled = past.settled;
            let path = String::from_utf8_lossy(&module.seen.path);
            let kinds = [FactKind::FreesUnseen, FactKind::AllocationsUnseen];
            for (n, why) in [past.releases, past.hands_out].into_iter().enumerate() {
                if why.is_some() && !std::mem::replace(&mut module.told[n], true) {
                    let subject = format!("{path} in {name} (process {pid})");
                    facts.push(Fact { kind: kinds[n], subject, value: why });
                }
            }
        }
        facts
    }

    /// Forgets a process that has ended.
    fn forget(&mut self, process: u32) {
        self.processes.remove(&process);
    }

    /// Takes note of modules that have come and gone.
    fn learn(&mut self, process: u32, pid: u32, modules: &[ModuleSeen]) {
        let known = self.processes.entry(process).or_default();
        let now: FxHashMap<u64, &ModuleSeen> =
            modules.iter().map(|seen| (seen.start, seen)).collect();
        known.retain(|start, module| now.get(start).is_some_and(|seen| **seen == module.seen));
        let room = MODULES_MOST.saturating_sub(known.len());
        let new: Vec<&ModuleSeen> =
            modules.iter().filter(|seen| !known.contains_key(&seen.start)).take(room).collect();
        let heads: Vec<Piece> = new
            .iter()
            .map(|seen| Piece {
                address: seen.start,
                bytes: HEAD.min(seen.end.saturating_sub(seen.start) as usize),
            })
            .collect();
        for (seen, head) in new.into_iter().zip(peek(pid, &heads)) {
            let Some(head) = head else { continue };
            let key = FileSeen { path: seen.path.clone(), head };
            let linkage = match self.files.get(&key) {
                Some(known) => known.clone(),
                None => {
                    let linkage = Arc::new(linkage(pid, &key));
                    if self.files.len() >= FILES_MOST {
                        self.files.clear();
                    }
                    self.files.insert(key, linkage.clone());
                    linkage
                }
            };
            known.insert(seen.start, Module::new(seen, linkage));
        }
    }
}

impl Module {
    fn new(seen: &ModuleSeen, linkage: Arc<Linkage>) -> Module {
        let file_name = Path::new(OsStr::from_bytes(&seen.path)).file_name().unwrap_or_default();
        let is_agent = file_name == AGENT_NAME;
        Module {
            seen: seen.clone(),
            file_name: file_name.to_string_lossy().into_owned(),
            is_agent,
            values: vec![None; linkage.imports.len()],
            settled: is_agent || linkage.imports.is_empty(),
            linkage,
            told: [false; 2],
        }
    }

    fn mapped(&self) -> Mapped<'_> {
        Mapped {
            file_name: &self.file_name,
            start: self.seen.start,
            end: self.seen.end,
            load_bias: self.seen.load_bias,
            is_agent: self.is_agent,
            // What the agent itself calls is meant to lead past it.
            linkage: if self.is_agent { NOTHING } else { &self.linkage },
            values: &self.values,
        }
    }
}

const NOTHING: &Linkage = &Linkage { imports: Vec::new(), definitions: Vec::new() };

/// Reads the places of calls that are not bound for good. Whether there were any.
fn read_slots(pid: u32, modules: &mut BTreeMap<u64, Module>) -> bool {
    let open = || |module: &&Module| !module.settled;
    let slots: Vec<Piece> = modules
        .values()
        .filter(open())
        .flat_map(|module| {
            let slots = module.linkage.imports.iter().map(|import| import.slot);
            slots.map(|slot| Piece { address: slot.wrapping_add(module.seen.load_bias), bytes: 8 })
        })
        .collect();
    let mut read = peek(pid, &slots).into_iter();
    for module in modules.values_mut().filter(|module| !module.settled) {
        for (value, read) in module.values.iter_mut().zip(read.by_ref()) {
            *value = read.and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
        }
    }
    !slots.is_empty()
}

/// What a module has to do with the allocator; nothing, where its file cannot be read.
fn linkage(pid: u32, seen: &FileSeen) -> Linkage {
    let path = Path::new(OsStr::from_bytes(&seen.path));
    // In a mount namespace of its own the process may mean another file by the same path.
    let inside = PathBuf::from(format!("/proc/{pid}/root"));
    let inside = inside.join(path.strip_prefix("/").unwrap_or(path));
    let file = [path, &inside].into_iter().find_map(|path| open(path, &seen.head));
    let read = file.map(|file| Linkage::read_from(file, &NAMES));
    match read {
        Some(Ok(linkage)) => linkage,
        Some(Err(error)) => {
            tracing::debug!("{}: what it calls is not known: {error}", path.display());
            Linkage::default()
        }
        None => {
            tracing::debug!("{}: the file that is mapped is not to be found", path.display());
            Linkage::default()
        }
    }
}

/// The file, if it begins like this.
fn open(path: &Path, head: &[u8]) -> Option<File> {
    // A traced process says what it has mapped, and may have put something else there since:
    // nothing here waits for a pipe.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut begins = vec![0; head.len()];
    file.read_exact_at(&mut begins, 0).ok()?;
    (begins == head).then_some(file)
}
