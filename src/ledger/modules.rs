//! The modules of a trace: what each id is, as far as was said last, and where each process had
//! it mapped. A module that is mapped again takes the place of its old mapping, so a program that
//! loads and unloads one plug-in all day costs one entry.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;
use unfreed_symbols::ModuleIdentity;

use crate::event::{Address, Bytes, Module, ModuleId, Name, NamedFunction};

/// A module in one process's address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Which.
    pub module: ModuleId,
    /// Where it begins.
    pub base: Address,
    /// How long it is.
    pub size: Bytes,
    /// Whether it still is mapped.
    pub mapped: bool,
}

/// The mappings of one process.
#[derive(Debug, Default)]
pub(super) struct Mappings {
    all: Vec<Mapping>,
    /// The place in `all` of each module at each base.
    places: FxHashMap<(ModuleId, Address), usize>,
    /// Places of what is mapped, by base, and of what no longer is, by module.
    mapped: BTreeSet<(Address, usize)>,
    unmapped: BTreeSet<(ModuleId, usize)>,
}

impl Mappings {
    pub(super) fn map(&mut self, module: &Module) {
        let new = Mapping { module: module.id, base: module.base, size: module.size, mapped: true };
        let key = (new.module, new.base);
        let left = || self.unmapped.range((new.module, 0)..=(new.module, usize::MAX)).next();
        let known = self.places.get(&key).copied().or_else(|| left().map(|(_, place)| *place));
        let place = known.unwrap_or(self.all.len());
        match self.all.get_mut(place) {
            Some(old) => {
                self.places.remove(&(old.module, old.base));
                *old = new;
            }
            None => self.all.push(new),
        }
        self.places.insert(key, place);
        self.unmapped.remove(&(new.module, place));
        self.mapped.insert((new.base, place));
    }

    pub(super) fn unmap(&mut self, base: Address) {
        let Some(&(_, place)) = self.mapped.range((base, 0)..=(base, usize::MAX)).next_back()
        else {
            return;
        };
        self.mapped.remove(&(base, place));
        if let Some(mapping) = self.all.get_mut(place) {
            mapping.mapped = false;
            self.unmapped.insert((mapping.module, place));
        }
    }

    pub(super) fn all(&self) -> &[Mapping] {
        &self.all
    }
}

/// Everything known of modules, and the names a trace carries for their frames.
#[derive(Debug, Default)]
pub struct Modules {
    identities: BTreeMap<ModuleId, ModuleIdentity>,
    names: BTreeMap<(ModuleId, u64), Vec<NamedFunction>>,
}

impl Modules {
    pub(super) fn identify(&mut self, module: &Module) {
        self.identities.insert(module.id, module.identity.clone());
    }

    pub(super) fn name(&mut self, name: &Name) {
        self.names.insert((name.module, name.offset), name.functions.clone());
    }

    /// The identity as it was said last.
    pub fn identity(&self, module: ModuleId) -> Option<&ModuleIdentity> {
        self.identities.get(&module)
    }

    /// Every module seen, by id.
    pub fn iter(&self) -> impl Iterator<Item = (ModuleId, &ModuleIdentity)> {
        self.identities.iter().map(|(id, identity)| (*id, identity))
    }

    /// The functions the trace names at a frame (offset as in [`crate::event::Frame::offset`]),
    /// innermost inlined first; empty if it names none.
    pub fn functions(&self, module: ModuleId, offset: u64) -> &[NamedFunction] {
        self.names.get(&(module, offset)).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(mappings: &mut Mappings, module: u32, base: u64) {
        mappings.map(&Module {
            id: ModuleId(module),
            identity: ModuleIdentity::default(),
            base: Address(base),
            size: Bytes(4096),
        });
    }

    fn held(mappings: &Mappings) -> Vec<(u32, u64, bool)> {
        mappings.all().iter().map(|m| (m.module.0, m.base.0, m.mapped)).collect()
    }

    #[test]
    fn a_module_mapped_again_takes_its_own_place_first_and_then_a_place_it_left() {
        let mut mappings = Mappings::default();
        map(&mut mappings, 0, 0x1000);
        map(&mut mappings, 0, 0x2000);
        map(&mut mappings, 1, 0x3000);
        mappings.unmap(Address(0x1000));
        map(&mut mappings, 0, 0x2000);
        assert_eq!(held(&mappings), [(0, 0x1000, false), (0, 0x2000, true), (1, 0x3000, true)]);
        map(&mut mappings, 0, 0x4000);
        assert_eq!(held(&mappings), [(0, 0x4000, true), (0, 0x2000, true), (1, 0x3000, true)]);
        mappings.unmap(Address(0x1000));
        assert!(mappings.all().iter().all(|m| m.mapped));
        for _ in 0..1000 {
            mappings.unmap(Address(0x3000));
            map(&mut mappings, 1, 0x3000);
        }
        assert_eq!((mappings.all.len(), mappings.places.len()), (3, 3));
        assert_eq!((mappings.mapped.len(), mappings.unmapped.len()), (3, 0));
    }
}
