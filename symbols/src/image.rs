//! The symbols of one PE module: its PDB, else what it exports. The PDB is told by GUID and age, the
//! PE itself by time stamp and image size; one that is not the wanted one is refused with the reason.

use crate::exports::Exports;
use crate::files::{Files, Place, Refusal, Wanted};
use crate::pdb::Pdb;
use crate::{Loaded, ModuleIdentity, PdbId, PeFacts, PeFile, SymbolError, Symbols};

impl Symbols {
    /// Finds and reads what there is for a PE module: its PDB, by what the trace says or else by the PE's own
    /// record; without one the PE's exports. Where the trace tells nothing that a file could be
    /// compared with, names are [`crate::Found::Unverified`].
    pub fn load_pe(module: &ModuleIdentity, files: &mut dyn Files) -> Loaded {
        let mut loading = Loading { path: &module.path, files, loaded: Loaded::default() };
        if let Some(id) = &module.pdb
            && loading.pdb(id)
        {
            return loading.loaded;
        }
        let Some((place, bytes, found)) = loading.image(module) else { return loading.loaded };
        let verified = module.pdb.is_some() || has_key(module.pe.as_ref());
        loading.loaded.symbols.unverified = !verified;
        if module.pdb.is_none()
            && let Some(id) = &found
            && loading.pdb(id)
        {
            return loading.loaded;
        }
        match Exports::read(&bytes) {
            Ok(exports) => {
                loading.loaded.symbols.exports = exports;
                loading.loaded.used.push(place);
            }
            Err(error) => loading.refuse(place, &error),
        }
        loading.loaded
    }
}

struct Loading<'a> {
    path: &'a str,
    files: &'a mut dyn Files,
    loaded: Loaded,
}

impl Loading<'_> {
    /// Uses the first PDB that is the wanted one.
    fn pdb(&mut self, id: &PdbId) -> bool {
        for place in self.files.candidates(&Wanted::Pdb { path: self.path, id }) {
            let Some(bytes) = self.read(&place) else { continue };
            match Pdb::open(bytes, id) {
                Ok(pdb) => {
                    self.loaded.symbols.pdb = Some(pdb);
                    self.loaded.used.push(place);
                    return true;
                }
                Err(error) => self.refuse(place, &error),
            }
        }
        false
    }

    /// The module's own file, and its PDB as it has it.
    fn image(&mut self, module: &ModuleIdentity) -> Option<(Place, Vec<u8>, Option<PdbId>)> {
        let pe = module.pe.as_ref();
        for place in self.files.candidates(&Wanted::Image { path: self.path, pe }) {
            let Some(bytes) = self.read(&place) else { continue };
            match PeFile::read(&bytes[..]).and_then(|file| same(file, module)) {
                Ok(file) => return Some((place, bytes, file.pdb)),
                Err(error) if place.0 == self.path => {
                    let reason = format!("file changed since the trace: {error}");
                    self.loaded.refused.push(Refusal { place, reason });
                }
                Err(error) => self.refuse(place, &error),
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

    fn refuse(&mut self, place: Place, error: &SymbolError) {
        self.loaded.refused.push(Refusal { place, reason: error.to_string() });
    }
}

/// Whether a time stamp or PDB tells one build from another.
fn has_key(pe: Option<&PeFacts>) -> bool {
    pe.is_some_and(|pe| pe.timestamp != 0)
}

/// Whether a PE is the one that was traced, by all that the trace says.
fn same(file: PeFile, module: &ModuleIdentity) -> Result<PeFile, SymbolError> {
    if let Some(wanted) = &module.pe {
        let differs = |wanted: u32, found: u32| wanted != 0 && wanted != found;
        if differs(wanted.timestamp, file.facts.timestamp)
            || differs(wanted.image_size, file.facts.image_size)
        {
            let (wanted, found) = (wanted.clone(), file.facts);
            return Err(SymbolError::OtherImage { wanted, found });
        }
    }
    if let (Some(wanted), Some(found)) = (&module.pdb, &file.pdb)
        && (!wanted.guid.eq_ignore_ascii_case(&found.guid) || wanted.age != found.age)
    {
        let facts = |id: &PdbId| crate::PdbFacts { guid: id.guid.clone(), age: id.age };
        return Err(SymbolError::OtherPdb { wanted: facts(wanted), found: facts(found) });
    }
    Ok(file)
}
