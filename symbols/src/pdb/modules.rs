//! The streams of an opened PDB. Those of its modules (object files) are read when one of their
//! functions is first asked for. One whose symbols lead backwards, or whose inlined functions nest
//! deeper than any compiler's, is left out: the parser recurses along them.

use std::sync::{Mutex, OnceLock, PoisonError};

use pdb_addr2line::pdb::{
    AddressMap, DebugInformation, Error, FallibleIterator, IdInformation, ImageSectionHeader,
    MachineType, Module, ModuleInfo, PDB, StringTable, SymbolData, SymbolTable, TypeInformation,
};
use pdb_addr2line::{Context, ModuleProvider, TypeFormatter, maybe_owned::MaybeOwned};

use super::publics::Publics;
use super::source::Pages;
use crate::decoration::Decoration;

/// How deep inlined functions may nest.
const INLINED_DEEPEST: usize = 128;
/// Symbols that begin what may hold others, and end it (`cvinfo.h`).
const NESTING: [u16; 10] =
    [0x100a, 0x100b, 0x110f, 0x1110, 0x1146, 0x1147, 0x1155, 0x1156, INLINE_SITE, INLINE_SITE_2];
const INLINE_SITE: u16 = 0x114d;
const INLINE_SITE_2: u16 = 0x115d;

/// What a context borrows.
pub(super) struct Streams {
    pdb: Mutex<PDB<'static, Pages>>,
    modules: Vec<OnceLock<Option<ModuleInfo<'static>>>>,
    sections: Vec<ImageSectionHeader>,
    addresses: AddressMap<'static>,
    strings: Option<StringTable<'static>>,
    globals: SymbolTable<'static>,
    debug: DebugInformation<'static>,
    types: TypeInformation<'static>,
    ids: IdInformation<'static>,
}

impl Streams {
    pub(super) fn read(mut pdb: PDB<'static, Pages>) -> Result<Streams, pdb_addr2line::Error> {
        let debug = pdb.debug_information()?;
        let count = debug.modules()?.count()?;
        Ok(Streams {
            modules: (0..count).map(|_| OnceLock::new()).collect(),
            sections: pdb.sections()?.unwrap_or_default(),
            addresses: pdb.address_map()?,
            strings: pdb.string_table().ok(),
            globals: pdb.global_symbols()?,
            types: pdb.type_information()?,
            ids: pdb.id_information()?,
            debug,
            pdb: Mutex::new(pdb),
        })
    }

    /// How the names of its public symbols are decorated.
    pub(super) fn decoration(&self) -> Decoration {
        match self.debug.machine_type() {
            Ok(MachineType::X86) => Decoration::X86,
            _ => Decoration::Plain,
        }
    }

    /// Its public symbols by address.
    pub(super) fn publics(&self) -> Publics {
        Publics::read(&self.globals, &self.sections, &self.addresses, self.decoration())
    }

    /// Whether it says which module lies where.
    pub(super) fn has_contributions(&self) -> bool {
        let first = self.debug.section_contributions().and_then(|mut all| all.next());
        first.is_ok_and(|first| first.is_some())
    }

    pub(super) fn context(&self) -> Result<Context<'_, 'static>, pdb_addr2line::Error> {
        let strings = self.strings.as_ref();
        let formatter = TypeFormatter::new_from_parts(
            self,
            self.debug.modules()?.collect()?,
            &self.debug,
            &self.types,
            &self.ids,
            strings,
            Default::default(),
        )?;
        Context::new_from_parts(
            self,
            &self.sections,
            &self.addresses,
            &self.globals,
            strings,
            &self.debug,
            MaybeOwned::Owned(formatter),
        )
    }
}

impl ModuleProvider<'static> for Streams {
    fn get_module_info(
        &self,
        index: usize,
        module: &Module<'_>,
    ) -> Result<Option<&ModuleInfo<'static>>, Error> {
        let Some(cell) = self.modules.get(index) else { return Ok(None) };
        let info = cell.get_or_init(|| {
            let mut pdb = self.pdb.lock().unwrap_or_else(PoisonError::into_inner);
            let info = pdb.module_info(module).ok().flatten()?;
            is_sound(&info).ok()?.then_some(info)
        });
        Ok(info.as_ref())
    }
}

/// Whether the parser may follow the module's symbols.
fn is_sound(info: &ModuleInfo<'_>) -> Result<bool, Error> {
    let mut ends = Vec::new();
    let mut symbols = info.symbols()?;
    while let Some(symbol) = symbols.next()? {
        // The parser takes the symbol at which an inlined function ends for nothing else.
        if ends.last().is_some_and(|&end| symbol.index() >= end) {
            ends.pop();
            continue;
        }
        if !NESTING.contains(&symbol.raw_kind()) {
            continue;
        }
        let (end, inlined) = match symbol.parse() {
            Ok(SymbolData::Procedure(procedure)) => (procedure.end, false),
            Ok(SymbolData::InlineSite(site)) => (site.end, true),
            _ => continue,
        };
        if end <= symbol.index() {
            return Ok(false);
        }
        if inlined {
            ends.push(end);
        }
        if ends.len() > INLINED_DEEPEST {
            return Ok(false);
        }
    }
    Ok(true)
}
