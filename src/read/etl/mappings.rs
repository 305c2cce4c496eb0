//! Where one process has its images. One that was unmapped stays until another takes its place: the
//! stacks of records from before come later.

use std::collections::BTreeMap;

use super::record::Ticks;
use crate::event::{Address, Bytes, ModuleId};

/// An image in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// Which.
    pub module: ModuleId,
    /// How long.
    pub size: Bytes,
    /// Since when it is mapped; 0 where it was found.
    pub since: Ticks,
    /// Until when it was mapped; `None` while it is.
    pub until: Option<Ticks>,
}

/// The images of a process.
#[derive(Debug, Default)]
pub struct Mappings {
    by_base: BTreeMap<Address, Mapped>,
    /// When an image was mapped or unmapped last: frames of before may be of others.
    changed: Ticks,
}

impl Mappings {
    /// An image was mapped, or is told again; whether that is new. What it lies over is gone.
    pub fn map(&mut self, base: Address, size: Bytes, module: ModuleId, since: Ticks) -> bool {
        let new = Mapped { module, size, since, until: None };
        let same = |old: &Mapped| Mapped { since, ..*old } == new;
        if self.by_base.get(&base).is_some_and(same) {
            return false;
        }
        self.changed = self.changed.max(since);
        let end = Address(base.0.saturating_add(size.0.max(1)));
        while let Some((&other, mapped)) = self.by_base.range(..end).next_back() {
            if other < base && other.0.saturating_add(mapped.size.0) <= base.0 {
                break;
            }
            self.by_base.remove(&other);
        }
        self.by_base.insert(base, new);
        true
    }

    /// The image at this base was unmapped; whether there was one.
    pub fn unmap(&mut self, base: Address, at: Ticks) -> bool {
        let mapped = self.by_base.get_mut(&base).filter(|mapped| mapped.until.is_none());
        self.changed = self.changed.max(at);
        mapped.map(|mapped| mapped.until = Some(at)).is_some()
    }

    /// The module at an address at a time, and the offset in it.
    pub fn find(&self, address: Address, at: Ticks) -> Option<(ModuleId, u64)> {
        let (base, mapped) = self.by_base.range(..=address).next_back()?;
        let offset = address.0 - base.0;
        let then = mapped.since <= at && mapped.until.is_none_or(|until| at <= until);
        let there = offset < mapped.size.0 && then;
        there.then_some((mapped.module, offset))
    }

    /// Whether these are the images of a time: none was mapped or unmapped since.
    pub fn unchanged_since(&self, at: Ticks) -> bool {
        self.changed < at
    }

    /// Whether something is mapped there now.
    pub fn covers(&self, base: Address, size: Bytes) -> bool {
        let end = Address(base.0.saturating_add(size.0.max(1)));
        self.by_base.range(..end).next_back().is_some_and(|(other, mapped)| {
            mapped.until.is_none() && other.0.saturating_add(mapped.size.0) > base.0
        })
    }

    /// All, by base.
    pub fn iter(&self) -> impl Iterator<Item = (Address, &Mapped)> {
        self.by_base.iter().map(|(base, mapped)| (*base, mapped))
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.by_base.clear();
    }
}
