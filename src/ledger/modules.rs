//! The modules of a trace: what each id is, as far as was said last, and where each process had
//! it mapped. A module that is mapped again takes the place of its old mapping, so a program that
//! loads and unloads one plug-in all day costs one entry.

use std::collections::BTreeMap;

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
pub(super) struct Mappings(Vec<Mapping>);

impl Mappings {
    pub(super) fn map(&mut self, module: &Module) {
        let new = Mapping { module: module.id, base: module.base, size: module.size, mapped: true };
        let replaces = |m: &Mapping| m.module == new.module && (m.base == new.base || !m.mapped);
        match self.0.iter_mut().find(|m| replaces(m)) {
            Some(old) => *old = new,
            None => self.0.push(new),
        }
    }

    pub(super) fn unmap(&mut self, base: Address) {
        if let Some(mapping) = self.0.iter_mut().rev().find(|m| m.base == base && m.mapped) {
            mapping.mapped = false;
        }
    }

    pub(super) fn all(&self) -> &[Mapping] {
        &self.0
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
