//! What makes a module the module it is: its name and path, and every version that
//! can be known of it. Nothing here is guessed: a field that was not read is `None`.

use serde::{Deserialize, Serialize};

use crate::ElfFacts;

/// The identity of one module (an executable or a shared library), as far as it could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ModuleIdentity {
    /// File name without directories, as in `Cdoexm.dll` or `libssl.so.3`.
    pub name: String,
    /// Full path on the machine that was traced.
    pub path: String,
    /// ELF soname (`DT_SONAME`).
    pub soname: Option<String>,
    /// ELF build-id (`NT_GNU_BUILD_ID`), lower-case hexadecimal.
    pub build_id: Option<String>,
    /// File version: the PE version resource, or the version of an ELF packaging note (`.note.package`).
    pub file_version: Option<String>,
    /// Where the program database of a PE is named: GUID and age.
    pub pdb: Option<PdbId>,
    /// The package that owns the file, with its version.
    pub package: Option<Package>,
    /// Size of the file in bytes, where it was read.
    pub file_size: Option<u64>,
    /// What a PE's header and version resource say besides, where they were read or recorded.
    pub pe: Option<PeFacts>,
}

impl ModuleIdentity {
    /// The identity of a file that was not read: its path, and its name without directories
    /// (both kinds of separator are known, because traces travel).
    pub fn of_path(path: &str) -> ModuleIdentity {
        let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
        ModuleIdentity { name: name.to_owned(), path: path.to_owned(), ..Default::default() }
    }

    /// Adds what an ELF file says of itself. A package that is already known stays.
    pub fn add_elf(&mut self, facts: &ElfFacts) {
        self.build_id = facts.build_id.as_ref().map(ToString::to_string);
        self.soname.clone_from(&facts.soname);
        if let Some(note) = &facts.note {
            self.file_version = Some(note.version.clone());
            self.package.get_or_insert_with(|| note.package());
        }
    }
}

/// What else is known of a PE. Symbol stores keep the file itself under its time stamp and image size.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PeFacts {
    /// `TimeDateStamp` of the file header: seconds since 1970-01-01 UTC, or a hash of the content; 0 where the
    /// source gave none.
    pub timestamp: u32,
    /// `SizeOfImage` of the optional header, in bytes.
    pub image_size: u32,
    /// The product's version, from the version resource.
    pub product_version: Option<String>,
    /// Who made it, from the version resource.
    pub company: Option<String>,
}

/// The identity of a PDB: as written into the PE's CodeView record (RSDS).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PdbId {
    /// 32 hexadecimal digits, upper-case, without dashes.
    pub guid: String,
    /// How often the PDB was written since its GUID was made.
    pub age: u32,
    /// The PDB's file name, as the record gives it.
    pub name: String,
}

/// A package of a distribution, or the one an ELF packaging note names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Package {
    /// Who says so.
    pub manager: PackageManager,
    /// The binary package's name (`mosquitto`).
    pub name: String,
    /// The package's whole version (`2.0.11-1.2+deb12u2`).
    pub version: String,
    /// Architecture, where the manager states one.
    pub architecture: Option<String>,
    /// The distribution (`debian 12`), where known.
    pub distribution: Option<String>,
}

/// Where a package's name and version were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageManager {
    /// Debian's package database.
    Dpkg,
    /// The RPM database.
    Rpm,
    /// The file's own `.note.package` (ELF package metadata).
    Note,
}
