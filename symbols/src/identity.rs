//! What makes a module the module it is: its name and path, and every version that
//! can be known of it. Nothing here is guessed: a field that was not read is `None`.

use serde::{Deserialize, Serialize};

use crate::{ElfFacts, PeFile};

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

    /// Adds what a PE file says of itself.
    pub fn add_pe(&mut self, file: &PeFile) {
        self.file_version.clone_from(&file.file_version);
        self.pdb.clone_from(&file.pdb);
        self.pe = Some(file.facts.clone());
    }

    /// Whether it is a module of Windows, as far as can be told without its file: by what is known of it,
    /// else by its path.
    pub fn is_pe(&self) -> bool {
        let known = self.pe.is_some() || self.pdb.is_some();
        let elf = self.build_id.is_some() || self.soname.is_some();
        let ending = || self.name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        let named = || {
            let pe = ["dll", "exe", "ocx", "drv", "sys", "cpl", "ax", "acm", "mui", "tlb"];
            self.path.contains('\\') || ending().is_some_and(|ending| pe.contains(&ending.as_str()))
        };
        known || !elf && named()
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

impl PdbId {
    /// From the parts of a CodeView record: the GUID as it lies there, 4, 2 and 2 bytes little-endian and
    /// then 8 bytes.
    pub fn new(guid: &[u8; 16], age: u32, name: &str) -> PdbId {
        const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
        let guid = ORDER.iter().map(|&at| format!("{:02X}", guid[at])).collect();
        PdbId { guid, age, name: name.to_owned() }
    }

    /// The PDB's file name without directories; `None` where that is none that a file can have.
    pub fn file_name(&self) -> Option<&str> {
        plain_name(&self.name)
    }

    /// The directory of a symbol store that holds the PDB below its file name: GUID and age. `None` where
    /// the GUID is none: it may come from a hostile trace, and becomes part of a path.
    pub fn key(&self) -> Option<String> {
        let guid = self.guid.len() == 32 && self.guid.bytes().all(|byte| byte.is_ascii_hexdigit());
        guid.then(|| format!("{}{:X}", self.guid.to_ascii_uppercase(), self.age))
    }
}

impl PeFacts {
    /// The directory of a symbol store that holds the PE below its file name: time stamp and image size.
    /// `None` where one of them is not known.
    pub fn key(&self) -> Option<String> {
        let known = self.timestamp != 0 && self.image_size != 0;
        known.then(|| format!("{:08X}{:x}", self.timestamp, self.image_size))
    }
}

/// The last part of a path of either system, where a file can be called so.
pub fn plain_name(path: &str) -> Option<&str> {
    let name = path.rsplit(['/', '\\', ':']).next()?;
    let plain = !matches!(name, "" | "." | "..") && !name.contains(|c: char| c.is_control());
    plain.then_some(name)
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
