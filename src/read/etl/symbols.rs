//! Records that say what an image is: its file's time stamp and size, its program database, its version. They
//! mostly come at the end of a log, put there by whoever merged it.

use unfreed_symbols::PdbId;

use super::payload::Payload;
use super::record::Record;
use crate::event::Address;

/// What symbol stores keep a PE under: two files with the same are taken for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// `SizeOfImage`.
    pub size: u32,
    /// `TimeDateStamp`.
    pub timestamp: u32,
}

/// An image's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The process.
    pub pid: u32,
    /// Where the image begins in it.
    pub base: Address,
}

/// What a record says of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SymbolRecord {
    /// Its file.
    File {
        /// Where it was mapped.
        place: Place,
        /// Its file's stamp.
        stamp: Stamp,
        /// The name it was linked with.
        name: String,
    },
    /// Its program database.
    Pdb {
        /// Where it was mapped.
        place: Place,
        /// The program database.
        pdb: PdbId,
    },
    /// Its version, which names no process.
    Version {
        /// Its file's stamp.
        stamp: Stamp,
        /// The version.
        version: VersionFacts,
    },
    /// Anything else of the same provider.
    Other,
}

/// Strings of a version resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionFacts {
    /// `OriginalFilename`.
    pub original_name: String,
    /// `FileVersion`: the numbers at its beginning are what is compared.
    pub file_version: Option<String>,
    /// `ProductVersion`.
    pub product_version: Option<String>,
    /// `CompanyName`.
    pub company: Option<String>,
}

impl SymbolRecord {
    /// Reads a record of kind [`Symbols`](super::kind::Kind::Symbols); `None` where it is too short.
    ///
    /// ```text
    ///  0 file     base p, size p, pid u32, time stamp u32, name (UTF-16)
    /// 36 pdb      base p, pid u32, GUID, age u32, name (UTF-8)
    /// 64 version  size u32, time stamp u32, then UTF-16: original name, description, file version, binary version,
    ///             language, product, company, product version, file id, program id
    /// ```
    pub fn read(record: &Record<'_>) -> Option<SymbolRecord> {
        let mut from = Payload::of(record);
        Some(match record.opcode {
            0 => {
                let (base, size) = (Address(from.pointer()?), from.pointer()?);
                let place = Place { pid: from.u32()?, base };
                let stamp = Stamp { size: u32::try_from(size).ok()?, timestamp: from.u32()? };
                SymbolRecord::File { place, stamp, name: from.utf16() }
            }
            36 => {
                let base = Address(from.pointer()?);
                let place = Place { pid: from.u32()?, base };
                let (guid, age) = (from.guid()?, from.u32()?);
                SymbolRecord::Pdb { place, pdb: PdbId { guid, age, name: from.text() } }
            }
            64 => {
                let stamp = Stamp { size: from.u32()?, timestamp: from.u32()? };
                let original_name = from.utf16();
                from.skip_utf16();
                let [file, binary] = [from.utf16(), from.utf16()];
                from.skip_utf16();
                from.skip_utf16();
                let [company, product] = [from.utf16(), from.utf16()];
                let some = |text: String| (!text.trim().is_empty()).then_some(text);
                let version = VersionFacts {
                    original_name,
                    file_version: some(file).or(some(binary)),
                    product_version: some(product),
                    company: some(company),
                };
                SymbolRecord::Version { stamp, version }
            }
            _ => SymbolRecord::Other,
        })
    }
}
