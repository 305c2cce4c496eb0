//! Program databases: whatever the bytes, an answer or an error. Panics of the parser beneath are caught by
//! the crate; one that gets out ends the run.

#![no_main]

use libfuzzer_sys::fuzz_target;
use unfreed_symbols::{
    Files, ModuleIdentity, ModuleOffset, PdbFacts, PdbId, Place, Symbols, Wanted,
};

struct Database(Vec<u8>);

impl Files for Database {
    fn candidates(&mut self, wanted: &Wanted<'_>) -> Vec<Place> {
        match wanted {
            Wanted::Pdb { .. } => vec![Place("fuzzed.pdb".to_owned())],
            _ => Vec::new(),
        }
    }

    fn read(&mut self, _: &Place) -> Result<Option<Vec<u8>>, String> {
        Ok(Some(self.0.clone()))
    }
}

fuzz_target!(|data: &[u8]| {
    // It is the one wanted, whatever it says.
    let Ok(PdbFacts { guid, age }) = PdbFacts::read(data.to_vec()) else { return };
    let mut module = ModuleIdentity::of_path(r"C:\fuzzed.dll");
    module.pdb = Some(PdbId { guid, age, name: "fuzzed.pdb".to_owned() });
    let symbols = Symbols::load_pe(&module, &mut Database(data.to_vec())).symbols;
    for offset in (0x1000..0x1100).step_by(3).chain([0, 1, 0x2000, 0xffff_ffff, u64::MAX]) {
        let _ = symbols.frames(ModuleOffset(offset));
        let _ = symbols.extent(ModuleOffset(offset));
    }
});
