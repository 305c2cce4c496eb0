//! How this crate asks for files. It names what it wants; somebody else knows the disks and
//! the servers. Candidates are offered in order of preference and read one at a time, because
//! the first may turn out to belong to another build.

use crate::{BuildId, PdbId, PeFacts};

/// A file that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// The module itself.
    Module {
        /// Its path on the traced machine.
        path: &'a str,
        /// Its build-id, where known.
        build_id: Option<&'a BuildId>,
    },
    /// The separate debug file of a module.
    Debug {
        /// The module's path on the traced machine.
        path: &'a str,
        /// The module's build-id, where known.
        build_id: Option<&'a BuildId>,
        /// The file name its `.gnu_debuglink` gives, where it has one. Never with directories.
        link: Option<&'a str>,
    },
    /// The supplementary file that several debug files share (`.gnu_debugaltlink`).
    Supplement {
        /// Where the debug file that names it was found.
        from: &'a Place,
        /// The path that file gives, absolute or relative to itself.
        path: &'a str,
        /// The supplement's build-id.
        build_id: &'a BuildId,
    },
    /// A PE module itself.
    Image {
        /// Its path on the traced machine, mostly with backslashes.
        path: &'a str,
        /// Its time stamp and image size, as far as the trace gives them.
        pe: Option<&'a PeFacts>,
    },
    /// The program database of a PE module.
    Pdb {
        /// The module's path on the traced machine.
        path: &'a str,
        /// What the module's record says.
        id: &'a PdbId,
    },
}

/// Where a file is: a path or an address. Only its giver understands it; people may read it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place(pub String);

/// Gives files.
pub trait Files {
    /// Where the wanted file may be, best first. Cheap: nothing is read yet.
    fn candidates(&mut self, wanted: &Wanted<'_>) -> Vec<Place>;

    /// The whole file at a place; `Ok(None)` where there is none.
    ///
    /// # Errors
    /// In words, why a file that seems to be there cannot be had.
    fn read(&mut self, place: &Place) -> Result<Option<Vec<u8>>, String>;
}

/// A file that was there and was not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which file.
    pub place: Place,
    /// Why not.
    pub reason: String,
}
