//! Which module of one recording is which of another: the same file name, no version, build or program database that
//! says otherwise, and one that says the same or a process in which both are. What one recording knows of a module (a debugger's `lmv` its version) the others' stacks then have, too.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;
use unfreed_symbols::ModuleIdentity;

use crate::event::{Module, ModuleId, ProcessId};

/// The modules of a case.
#[derive(Debug, Default)]
pub(super) struct Modules {
    known: Vec<Known>,
    by_name: FxHashMap<String, Vec<usize>>,
    of: FxHashMap<(usize, ModuleId), usize>,
}

/// One module of the case.
#[derive(Debug, Default)]
struct Known {
    identity: ModuleIdentity,
    /// Recordings that tell of it.
    parts: BTreeSet<usize>,
    /// The processes that it is in; `None` is one that is not known.
    processes: BTreeSet<Option<ProcessId>>,
}

impl Modules {
    /// The module as the case has it: with the case's number, and all that is known. `process` is the case's, `None` where
    /// the recording does not say which it is.
    pub fn map(&mut self, part: usize, process: Option<ProcessId>, module: &Module) -> Module {
        let at = match self.of.get(&(part, module.id)) {
            Some(at) => *at,
            None => self.find(part, process, &module.identity),
        };
        self.of.insert((part, module.id), at);
        let known = &mut self.known[at];
        known.parts.insert(part);
        known.processes.insert(process);
        fill(&mut known.identity, &module.identity);
        Module { id: ModuleId(at as u32), identity: known.identity.clone(), ..module.clone() }
    }

    /// The case's number for a recording's module; one that was never told of has no identity.
    pub fn id(&mut self, part: usize, id: ModuleId) -> ModuleId {
        let at = *self.of.entry((part, id)).or_insert_with(|| {
            self.known.push(Known::default());
            self.known.len() - 1
        });
        ModuleId(at as u32)
    }

    /// The name of a module, by the case's number.
    pub fn name(&self, id: ModuleId) -> Option<&str> {
        self.known.get(id.0 as usize).map(|known| known.identity.name.as_str())
    }

    fn find(
        &mut self,
        part: usize,
        process: Option<ProcessId>,
        identity: &ModuleIdentity,
    ) -> usize {
        let named = self.by_name.entry(key(&identity.name)).or_default();
        let is_it = |at: &&usize| {
            let known = &self.known[**at];
            let near = process.is_none()
                || known.processes.contains(&process)
                || known.processes.contains(&None);
            // One recording knows its own modules apart.
            !known.parts.contains(&part)
                && agree(&known.identity, identity)
                && (near || is_same_file(&known.identity, identity))
        };
        if let Some(at) = named.iter().find(is_it) {
            return *at;
        }
        self.known.push(Known { identity: identity.clone(), ..Known::default() });
        named.push(self.known.len() - 1);
        self.known.len() - 1
    }
}

/// Debuggers and logs leave the ending away; only `.exe` and `.dll` are never what tells two modules apart.
pub(super) fn key(name: &str) -> String {
    let lower = name.to_lowercase();
    let stem = lower.strip_suffix(".dll").or_else(|| lower.strip_suffix(".exe"));
    stem.map_or_else(|| lower.clone(), str::to_owned)
}

/// Whether nothing tells two modules of one name apart.
fn agree(known: &ModuleIdentity, new: &ModuleIdentity) -> bool {
    fn same<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
        one.is_none() || other.is_none() || one == other
    }
    let ending = |identity: &ModuleIdentity| {
        identity.name.rsplit_once('.').map(|(_, ending)| ending.to_lowercase())
    };
    same(known.file_version.as_ref(), new.file_version.as_ref())
        && same(known.build_id.as_ref(), new.build_id.as_ref())
        && same(known.pdb.as_ref(), new.pdb.as_ref())
        && same(stamp(known).as_ref(), stamp(new).as_ref())
        && same(ending(known).as_ref(), ending(new).as_ref())
}

/// Whether something that only one file has is the same in both.
fn is_same_file(one: &ModuleIdentity, other: &ModuleIdentity) -> bool {
    fn same<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
        one.is_some() && one == other
    }
    same(one.build_id.as_ref(), other.build_id.as_ref())
        || same(one.pdb.as_ref(), other.pdb.as_ref())
        || same(stamp(one).as_ref(), stamp(other).as_ref())
        || same(one.file_version.as_ref(), other.file_version.as_ref())
}

/// When a Windows module was linked, and its size.
fn stamp(identity: &ModuleIdentity) -> Option<(u32, u32)> {
    let pe = identity.pe.as_ref()?;
    Some((pe.timestamp, pe.image_size)).filter(|(time, size)| *time != 0 && *size != 0)
}

/// Adds what was not known.
fn fill(known: &mut ModuleIdentity, new: &ModuleIdentity) {
    fn take<T: Clone>(known: &mut Option<T>, new: Option<&T>) {
        if known.is_none() {
            *known = new.cloned();
        }
    }
    // The name with its ending says more, and so does the path.
    if new.name.len() > known.name.len() {
        known.name.clone_from(&new.name);
    }
    if new.path.len() > known.path.len() {
        known.path.clone_from(&new.path);
    }
    take(&mut known.soname, new.soname.as_ref());
    take(&mut known.build_id, new.build_id.as_ref());
    take(&mut known.file_version, new.file_version.as_ref());
    take(&mut known.pdb, new.pdb.as_ref());
    take(&mut known.package, new.package.as_ref());
    take(&mut known.file_size, new.file_size.as_ref());
    take(&mut known.pe, new.pe.as_ref());
}
