//! Which entries can concern a suspect at all: by the modules on its stack, by the functions on it, and for a suspect
//! without a stack by the modules of its process. A signature is only ever hit by one of these (see `matcher/signature.rs`),
//! so what the index leaves out would not have fitted; a test holds the two against each other.

use rustc_hash::FxHashMap;

use super::entry::Entry;
use super::evidence::Evidence;
use super::matcher::{stem, unnumbered};

/// Where each entry stands in the catalogue, by what its signature names.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// By the name of a module of the signature, in lower case and without a soname's number.
    modules: FxHashMap<String, Vec<u32>>,
    /// By the last part of a telling function's name (`OpenMsgStore`).
    functions: FxHashMap<String, Vec<u32>>,
}

impl Index {
    /// Of all entries, in the catalogue's order.
    pub(super) fn new<'e>(entries: impl Iterator<Item = &'e Entry>) -> Index {
        let mut index = Index::default();
        for (at, entry) in (0u32..).zip(entries) {
            let signature = &entry.signature;
            for name in signature.modules.iter().flat_map(|modules| &modules.any) {
                add(&mut index.modules, key(name), at);
            }
            let telling = signature.frames.iter().filter(|step| !step.common);
            for name in telling.flat_map(|step| &step.any) {
                add(&mut index.functions, last_part(name).to_owned(), at);
            }
        }
        index
    }

    /// The entries that this suspect may fit, in the catalogue's order. `functions` are the bare names of its stack.
    pub(super) fn candidates(
        &self,
        evidence: &Evidence<'_>,
        functions: &[Option<&str>],
    ) -> Vec<usize> {
        let mut found: Vec<u32> = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        let mapped = evidence.modules.iter().copied().filter(|_| evidence.stack.is_empty());
        for module in evidence.stack.iter().filter_map(|frame| frame.module).chain(mapped) {
            for name in [Some(module.name.as_str()), module.soname.as_deref()].into_iter().flatten()
            {
                if seen.contains(&name) {
                    continue;
                }
                seen.push(name);
                found.extend(self.modules.get(&key(name)).into_iter().flatten());
            }
        }
        for function in functions.iter().flatten() {
            found.extend(self.functions.get(last_part(function)).into_iter().flatten());
        }
        found.sort_unstable();
        found.dedup();
        found.into_iter().filter_map(|at| usize::try_from(at).ok()).collect()
    }
}

fn add(map: &mut FxHashMap<String, Vec<u32>>, name: String, at: u32) {
    let places = map.entry(name).or_default();
    if places.last() != Some(&at) {
        places.push(at);
    }
}

/// A module's name as the index has it: an entry may mean every version of a library, and a debugger leaves the
/// extension out.
fn key(name: &str) -> String {
    stem(unnumbered(name)).to_ascii_lowercase()
}

/// A qualified name fits the end of a longer one, so both have this part in common.
fn last_part(name: &str) -> &str {
    name.rsplit("::").next().unwrap_or(name)
}
