//! The symbols of one module, from its own file and from the separate debug files that belong
//! to it. A file of another build is refused with the reason, never used: a name that is wrong
//! is worse than none.

use crate::demangle::demangle;
use crate::dwarf::Dwarf;
use crate::exports::Exports;
use crate::files::{Files, Place, Refusal, Wanted};
use crate::pdb::Pdb;
use crate::table::{SymbolTable, TableKind};
use crate::{BuildId, ElfFacts, Found, FunctionExtent, ModuleOffset, NamedFrame, SymbolError};

/// The symbols of one module.
#[derive(Default)]
pub struct Symbols {
    /// The module's own tables, then those of its debug file.
    symtabs: Vec<SymbolTable>,
    dynsym: SymbolTable,
    dwarf: Option<Dwarf>,
    pub(crate) pdb: Option<Pdb>,
    pub(crate) exports: Exports,
    /// Whether nothing tells that the module's file is the one that was traced.
    pub(crate) unverified: bool,
}

/// A function as a symbol table has it.
struct Function {
    extent: FunctionExtent,
    /// Whether its symbol was mangled, and so says where the function belongs.
    mangled: bool,
}

/// A module's symbols, and where they came from.
#[derive(Default)]
pub struct Loaded {
    /// The symbols; empty where no file was found.
    pub symbols: Symbols,
    /// The files used: the module's own, its debug file, the debug file's supplement.
    pub used: Vec<Place>,
    /// The files that were there and were not used, or only in part.
    pub refused: Vec<Refusal>,
}

impl Symbols {
    /// The symbols of one file alone. Damaged parts are left out.
    ///
    /// # Errors
    /// [`SymbolError::NotElf`], or [`SymbolError::Damaged`] where not even the headers can be read.
    pub fn parse(bytes: &[u8]) -> Result<Symbols, SymbolError> {
        ElfFacts::read(bytes)?;
        let mut symbols = Symbols::default();
        symbols.add(bytes, None, &mut |_| {});
        Ok(symbols)
    }

    /// Finds and reads what there is for a module: its own file, else or in addition its debug file
    /// by build-id or debug link, and that one's supplement. `file_size` is the size in bytes of
    /// the file that was traced: without a build-id a file of another size is refused, and names
    /// from one of the same, or where the size is not known, are [`Found::Unverified`].
    pub fn load(
        path: &str,
        build_id: Option<&BuildId>,
        file_size: Option<u64>,
        files: &mut dyn Files,
    ) -> Loaded {
        let mut loading = Loading { files, loaded: Loaded::default() };
        let module = loading.module(path, build_id, file_size);
        let build_id = build_id.cloned().or(module.build_id);
        if loading.loaded.symbols.dwarf.is_none() {
            loading.debug(path, build_id.as_ref(), module.debug_link.as_ref());
        }
        loading.loaded
    }

    /// Whether there is nothing here to name anything with.
    pub fn is_empty(&self) -> bool {
        self.dwarf.is_none()
            && self.pdb.is_none()
            && self.exports.is_empty()
            && self.dynsym.is_empty()
            && self.symtabs.iter().all(SymbolTable::is_empty)
    }

    /// The functions at an address, innermost first; empty where nothing is known. Look up the
    /// call, not the return address: see [`crate::OffsetKind::lookup`].
    pub fn frames(&self, offset: ModuleOffset) -> Vec<NamedFrame> {
        let mut frames = self.frames_as_found(offset);
        frames.iter_mut().for_each(|frame| frame.found = self.trusted(frame.found));
        frames
    }

    /// How far a name can be trusted, which the file that it is from decides first.
    fn trusted(&self, found: Found) -> Found {
        if self.unverified { Found::Unverified } else { found }
    }

    fn frames_as_found(&self, offset: ModuleOffset) -> Vec<NamedFrame> {
        if let Some(pdb) = &self.pdb {
            let frames = pdb.frames(offset);
            if !frames.is_empty() {
                return frames;
            }
        }
        let (mut frames, whole) = match &self.dwarf {
            Some(dwarf) => dwarf.frames(offset),
            None => (Vec::new(), false),
        };
        if whole {
            return frames;
        }
        let named = frames.last().is_some_and(|frame| frame.function.is_some());
        // DWARF names a function of internal linkage without its namespace and parameters; its
        // symbol has both. A symbol that says no more is not preferred (`receive.cold`).
        let function = self.function(offset).filter(|function| !named || function.mangled);
        match (frames.last_mut(), function) {
            (Some(frame), Some(function)) => {
                frame.function = Some(function.extent.name);
                frame.found = function.extent.found;
            }
            (None, Some(function)) => frames.push(NamedFrame {
                function: Some(function.extent.name),
                file: None,
                line: None,
                inlined: false,
                found: function.extent.found,
            }),
            (_, None) => frames.retain(|frame| frame.function.is_some() || frame.line.is_some()),
        }
        frames
    }

    /// The function that covers an address, by the symbol tables or the PDB. Inlined functions have no extent.
    pub fn extent(&self, offset: ModuleOffset) -> Option<FunctionExtent> {
        let pdb = || self.pdb.as_ref()?.extent(offset);
        let extent = pdb().or_else(|| Some(self.function(offset)?.extent))?;
        Some(FunctionExtent { found: self.trusted(extent.found), ..extent })
    }

    fn function(&self, offset: ModuleOffset) -> Option<Function> {
        let symtabs = self.symtabs.iter().filter_map(|table| {
            let covering = table.covering(offset)?;
            let found = if covering.sized { Found::Symtab } else { Found::SymtabUnsized };
            Some((covering, found))
        });
        let dynsym = self.dynsym.covering(offset).filter(|covering| covering.sized);
        let found = symtabs.chain(dynsym.map(|covering| (covering, Found::Dynsym)));
        let Some((covering, found)) = found.min_by_key(|(_, found)| *found) else {
            let extent = self.exports.covering(offset)?;
            return Some(Function { extent, mangled: true });
        };
        let name = demangle(&covering.name);
        let mangled = name != covering.name;
        let (start, size) = (covering.start, covering.size);
        Some(Function { extent: FunctionExtent { name, start, size, found }, mangled })
    }

    /// Adds what a file has, and tells what of it could not be read.
    fn add(&mut self, bytes: &[u8], supplement: Option<&[u8]>, fault: &mut dyn FnMut(SymbolError)) {
        match SymbolTable::read(bytes, TableKind::Symtab) {
            Ok(table) if table.is_empty() => {}
            Ok(table) => self.symtabs.push(table),
            Err(error) => fault(error),
        }
        if self.dynsym.is_empty() {
            match SymbolTable::read(bytes, TableKind::Dynsym) {
                Ok(table) => self.dynsym = table,
                Err(error) => fault(error),
            }
        }
        match Dwarf::read(bytes, supplement) {
            Ok(Some(dwarf)) => self.dwarf = Some(dwarf),
            Ok(None) => {}
            Err(error) => fault(error),
        }
    }
}

struct Loading<'a> {
    files: &'a mut dyn Files,
    loaded: Loaded,
}

impl Loading<'_> {
    fn module(
        &mut self,
        path: &str,
        build_id: Option<&BuildId>,
        file_size: Option<u64>,
    ) -> ElfFacts {
        let wanted = Wanted::Module { path, build_id };
        for place in self.files.candidates(&wanted) {
            let Some(bytes) = self.read(&place) else { continue };
            let facts = ElfFacts::read(&bytes[..]);
            let wanted_size = file_size.filter(|_| build_id.is_none());
            match facts
                .and_then(|facts| same_build(facts, build_id))
                .and_then(|facts| same_size(facts, &bytes, wanted_size))
            {
                Ok(facts) => {
                    self.loaded.symbols.unverified = build_id.is_none();
                    self.take(&place, &bytes, &facts);
                    return facts;
                }
                // The file was identified when it was traced, so that another build-id or size means
                // another file (an upgrade while the program ran, most often).
                Err(error) if place.0 == path => {
                    let reason = format!("file changed since the trace: {error}");
                    self.loaded.refused.push(Refusal { place, reason });
                }
                Err(error) => self.refuse(&place, &error),
            }
        }
        ElfFacts::default()
    }

    fn debug(
        &mut self,
        path: &str,
        build_id: Option<&BuildId>,
        link: Option<&crate::elf::DebugLink>,
    ) {
        if build_id.is_none() && link.is_none() {
            return;
        }
        let name = link.map(|link| link.name.as_str());
        for place in self.files.candidates(&Wanted::Debug { path, build_id, link: name }) {
            let Some(bytes) = self.read(&place) else { continue };
            let facts = ElfFacts::read(&bytes[..]);
            match facts.and_then(|facts| belongs(facts, &bytes, build_id, link)) {
                Ok(facts) => {
                    self.take(&place, &bytes, &facts);
                    return;
                }
                Err(error) => self.refuse(&place, &error),
            }
        }
    }

    /// Uses a file that belongs to the module.
    fn take(&mut self, place: &Place, bytes: &[u8], facts: &ElfFacts) {
        let supplement = self.supplement(place, facts);
        let (supplement_place, supplement) = supplement.unzip();
        let refused = &mut self.loaded.refused;
        self.loaded.symbols.add(bytes, supplement.as_deref(), &mut |error| {
            refused.push(Refusal { place: place.clone(), reason: error.to_string() });
        });
        self.loaded.used.push(place.clone());
        self.loaded.used.extend(supplement_place);
    }

    fn supplement(&mut self, from: &Place, facts: &ElfFacts) -> Option<(Place, Vec<u8>)> {
        let link = facts.alt_link.as_ref()?;
        let wanted = Wanted::Supplement { from, path: &link.path, build_id: &link.build_id };
        for place in self.files.candidates(&wanted) {
            let Some(bytes) = self.read(&place) else { continue };
            let facts = ElfFacts::read(&bytes[..]);
            match facts.and_then(|facts| belongs(facts, &bytes, Some(&link.build_id), None)) {
                Ok(_) => return Some((place, bytes)),
                Err(error) => self.refuse(&place, &error),
            }
        }
        None
    }

    fn read(&mut self, place: &Place) -> Option<Vec<u8>> {
        match self.files.read(place) {
            Ok(bytes) => bytes,
            Err(reason) => {
                self.loaded.refused.push(Refusal { place: place.clone(), reason });
                None
            }
        }
    }

    fn refuse(&mut self, place: &Place, error: &SymbolError) {
        let reason = error.to_string();
        self.loaded.refused.push(Refusal { place: place.clone(), reason });
    }
}

/// Whether a file is of the build wanted.
fn same_build(facts: ElfFacts, wanted: Option<&BuildId>) -> Result<ElfFacts, SymbolError> {
    match (wanted, &facts.build_id) {
        (Some(wanted), Some(found)) if wanted != found => {
            Err(SymbolError::OtherBuild { wanted: wanted.clone(), found: found.clone() })
        }
        (Some(wanted), None) => Err(SymbolError::NoBuildId { wanted: wanted.clone() }),
        _ => Ok(facts),
    }
}

/// Whether a file is as long as the one wanted, where that is known.
fn same_size(facts: ElfFacts, bytes: &[u8], wanted: Option<u64>) -> Result<ElfFacts, SymbolError> {
    let found = bytes.len() as u64;
    match wanted {
        Some(wanted) if wanted != found => Err(SymbolError::OtherSize { wanted, found }),
        _ => Ok(facts),
    }
}

/// Whether a debug file belongs to the module: by build-id where there is one, else by checksum.
fn belongs(
    facts: ElfFacts,
    bytes: &[u8],
    build_id: Option<&BuildId>,
    link: Option<&crate::elf::DebugLink>,
) -> Result<ElfFacts, SymbolError> {
    match (build_id, &facts.build_id, link) {
        (Some(_), Some(_), _) => same_build(facts, build_id),
        (_, _, Some(link)) => {
            let found = crc32fast::hash(bytes);
            if found == link.crc {
                Ok(facts)
            } else {
                Err(SymbolError::OtherChecksum { wanted: link.crc, found })
            }
        }
        (_, _, None) => same_build(facts, build_id),
    }
}
