//! Stand-ins of a case's modules, built with real PDBs, so that its addresses lead to names as those of the products
//! would with the vendor's symbols: only through time stamp, GUID and age.

use tempfile::TempDir;

use crate::evidence::Case;
use crate::windows::{Built, Machine, Spec, dll};

/// A case whose modules lie in a symbol store.
pub struct StoodIn {
    pub case: Case,
    pub store: TempDir,
    /// The stand-in of each module of the case; the program has none, as nobody has its PDB.
    pub built: Vec<Option<Built>>,
}

/// Puts files that are built in the place of a case's modules. 32-bit, as the products were.
pub fn stand_in(mut case: Case) -> StoodIn {
    let store = tempfile::tempdir().unwrap();
    let mut built = vec![None];
    for at in 1..case.modules.len() {
        let mut functions: Vec<&'static str> = case
            .stacks
            .iter()
            .flat_map(|stack| &stack.frames)
            .filter_map(|frame| frame.1.filter(|_| frame.0 == at))
            .collect();
        functions.sort_unstable();
        functions.dedup();
        let (name, version) = (case.file_name(at), case.modules[at].version);
        let made = dll(Spec { name, version, machine: Machine::X86, functions: &functions });
        made.copy_into_store(store.path());
        let module = &mut case.modules[at];
        (module.size, module.timestamp) = (made.image_size, Some(made.timestamp));
        for name in functions {
            let begins = made.functions[name].rva;
            case.places.insert((at, name), begins);
            let into = made.functions[name].after_call - begins;
            let frames = case.stacks.iter_mut().flat_map(|stack| &mut stack.frames);
            frames
                .filter(|frame| (frame.0, frame.1) == (at, Some(name)))
                .for_each(|frame| frame.2 = into);
        }
        built.push(Some(made));
    }
    StoodIn { case, store, built }
}

/// The name of a function without its parameters, which full PDBs have and logs do not.
pub fn bare(function: &str) -> &str {
    function.split('(').next().unwrap()
}
