//! The functions of a file that get a probe, and where.

use std::sync::Arc;

use unfreed_symbols::Entry;

use super::functions::{Role, is_operator, known, may_throw};
use super::layout::Shape;
use super::memory::Mapped;
use super::modules::Module;
use super::place::{Beginning, Place, beginning};
use crate::event::Function;

/// Functions of one file that get a probe.
pub(super) struct Chosen {
    pub(super) function: Function,
    pub(super) role: Role,
    pub(super) offset: u64,
    pub(super) place: Place,
    /// Where it returns, if no probe may stand in the way of an exception that leaves it.
    pub(super) exits: Option<Vec<u64>>,
}

/// Whether one release may be seen as several.
pub(super) fn may_call_each_other(mapped: &[Mapped], files: &[Arc<Module>]) -> bool {
    let releases = mapped.iter().zip(files).flat_map(|(mapped, module)| choose(mapped, module));
    // Of Windows' each frees by itself.
    releases.filter(|chosen| chosen.role == Role::Releases(Shape::Size)).count() > 1
}

/// The functions of a file that get a probe, and where.
pub(super) fn choose(mapped: &Mapped, module: &Module) -> Vec<Chosen> {
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
        let releases = matches!(known.role, Role::Releases(_));
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
pub(super) fn has_no_place(module: &Module, entry: &Entry) -> bool {
    !module.made_of_malloc && may_throw(entry.name) && !module.exits.contains_key(&entry.address)
}
