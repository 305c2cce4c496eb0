//! Files told apart by more than a version: one number may stand for builds with the fault and without it, and an old article
//! may give date and size alone.

use unfreed_symbols::ModuleIdentity;

use super::versions::State;
use crate::fixes::entry::LineFile;

/// What a build-id or a size says, where the entry knows one: it tells more than any number.
pub(super) fn judge(file: &LineFile, module: &ModuleIdentity) -> Option<(State, String)> {
    let name = &module.name;
    if let Some(id) = &module.build_id {
        if file.fixed_builds.contains(id) {
            return Some((State::Fixed, format!("{name} is build {id}, which has the fix")));
        }
        if file.affected_builds.contains(id) {
            return Some((State::Affected, format!("{name} is build {id}, which has the fault")));
        }
    }
    let wanted = file.fixed_size?;
    let told = format!("the source tells the fixed {name} by date and size alone, {wanted} bytes");
    Some(match module.file_size {
        Some(size) if size == wanted => (State::Fixed, format!("{told}: this one has them")),
        Some(size) => (
            State::Unknown,
            format!("{told}: this one has {size}, so it is older or newer; compare the dates"),
        ),
        None => (State::Unknown, format!("{told}; the size of this one was not read")),
    })
}
