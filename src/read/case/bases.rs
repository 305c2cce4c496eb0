//! Where modules lie. Of some frames a recording knows the module's name and the address, and not where the module
//! begins (LeakDiag without symbols); a debugger's list of modules or another log of the case does.

use rustc_hash::FxHashMap;

use super::modules::key;
use crate::event::{Address, Bytes, Module};

/// The ranges of addresses that modules take, by name.
#[derive(Debug, Default)]
pub(super) struct Bases(FxHashMap<String, Vec<(Address, Bytes)>>);

impl Bases {
    /// A recording says where a module lies.
    pub fn learn(&mut self, module: &Module) {
        let ranges = self.0.entry(key(&module.identity.name)).or_default();
        let range = (module.base, module.size);
        if module.size.0 > 0 && !ranges.contains(&range) {
            ranges.push(range);
        }
    }

    /// How far into a module of this name an address lies; `None` where it lies in none, or may lie in two.
    pub fn offset(&self, name: &str, address: u64) -> Option<u64> {
        let ranges = self.0.get(&key(name))?.iter();
        let mut offsets = ranges.filter_map(|(base, size)| {
            address.checked_sub(base.0).filter(|offset| *offset < size.0)
        });
        let offset = offsets.next()?;
        offsets.all(|other| other == offset).then_some(offset)
    }
}
