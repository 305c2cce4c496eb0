//! The public symbols of a PDB by address, for PDBs that do not say which module lies where: those of
//! .NET's native images, and those whose contributions contradict each other. Each is taken to reach to
//! the next or to its section's end, and said to be the nearest.

use pdb_addr2line::pdb::{
    AddressMap, FallibleIterator, ImageSectionHeader, PdbInternalSectionOffset, SymbolData,
    SymbolTable,
};

use crate::decoration::{Decoration, undecorated};
use crate::{Found, FunctionExtent, ModuleOffset};

/// Symbols taken, at most.
const SYMBOLS_MOST: usize = 1 << 24;
/// Longest name taken, in bytes.
const NAME_MOST: usize = 16 << 10;

/// Public symbols in executable sections.
#[derive(Default)]
pub(super) struct Publics {
    /// Begin, end of the section, and where in `names` the name lies.
    symbols: Vec<(u32, u32, u32, u32)>,
    names: Vec<u8>,
    decoration: Option<Decoration>,
}

impl Publics {
    /// Takes them from the table of global symbols, up to where it is damaged.
    pub(super) fn read(
        globals: &SymbolTable<'_>,
        sections: &[ImageSectionHeader],
        addresses: &AddressMap<'_>,
        decoration: Decoration,
    ) -> Publics {
        let mut publics = Publics { decoration: Some(decoration), ..Publics::default() };
        let mut symbols = globals.iter();
        while let Ok(Some(symbol)) = symbols.next() {
            let Ok(SymbolData::Public(public)) = symbol.parse() else { continue };
            let index = usize::from(public.offset.section).checked_sub(1);
            let section = index.and_then(|index| sections.get(index));
            let Some(section) = section.filter(|section| section.characteristics.execute()) else {
                continue;
            };
            let end = PdbInternalSectionOffset::new(public.offset.section, section.virtual_size);
            let end = end.to_rva(addresses).map_or(u32::MAX, |rva| rva.0);
            let name = public.name.as_bytes();
            if let Some(begin) = public.offset.to_rva(addresses)
                && let Ok(at) = u32::try_from(publics.names.len())
                && let Ok(length) = u32::try_from(name.len())
                && name.len() <= NAME_MOST
            {
                publics.names.extend_from_slice(name);
                publics.symbols.push((begin.0, end, at, length));
            }
            if publics.symbols.len() == SYMBOLS_MOST {
                break;
            }
        }
        publics.symbols.sort_by_key(|&(begin, ..)| begin);
        publics.symbols.dedup_by_key(|&mut (begin, ..)| begin);
        publics
    }

    /// The nearest function before an address.
    pub(super) fn covering(&self, rva: u32) -> Option<FunctionExtent> {
        let next = self.symbols.partition_point(|&(begin, ..)| begin <= rva);
        let &(begin, end, at, length) = self.symbols.get(next.checked_sub(1)?)?;
        let end = self.symbols.get(next).map_or(end, |&(next, ..)| next.min(end));
        if rva >= end {
            return None;
        }
        let name = self.names.get(at as usize..)?.get(..length as usize)?;
        Some(FunctionExtent {
            name: undecorated(&String::from_utf8_lossy(name), self.decoration?),
            start: ModuleOffset(begin.into()),
            size: u64::from(end - begin),
            found: Found::PdbPublic,
        })
    }
}
