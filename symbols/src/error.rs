//! What can be wrong with a symbol file. Each error says which part of the file it is about;
//! whoever read the file adds where it was.

use crate::{BuildId, PdbFacts, PeFacts};

/// Why a file gives no identity or symbols.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SymbolError {
    /// The file is of another kind (a script, a PE, an archive).
    #[error("not an ELF file")]
    NotElf,
    /// A part of the file contradicts itself or ends early.
    #[error("damaged ELF {part}: {cause}")]
    Damaged {
        /// Which part.
        part: &'static str,
        /// What the parser says.
        cause: String,
    },
    /// Sections claim to become more than the file can hold.
    #[error(
        "section {section} claims {claimed} bytes uncompressed, more than a file of {file} bytes plausibly holds"
    )]
    TooLarge {
        /// The section's name.
        section: &'static str,
        /// Bytes it claims.
        claimed: u64,
        /// Bytes of the file.
        file: u64,
    },
    /// The file is of another build than wanted.
    #[error("build-id {found} instead of {wanted}")]
    OtherBuild {
        /// The build-id wanted.
        wanted: BuildId,
        /// The build-id found.
        found: BuildId,
    },
    /// The file has no build-id, and nothing else tells that it belongs to the module.
    #[error("no build-id, so that it cannot be told whether it belongs to build {wanted}")]
    NoBuildId {
        /// The build-id wanted.
        wanted: BuildId,
    },
    /// The file is of another size than the one that was traced.
    #[error("{found} bytes instead of {wanted}")]
    OtherSize {
        /// Bytes of the file that was traced.
        wanted: u64,
        /// Bytes of this one.
        found: u64,
    },
    /// The file is not the one whose checksum the module's debug link gives.
    #[error("checksum {found:08x} instead of {wanted:08x} of .gnu_debuglink")]
    OtherChecksum {
        /// CRC-32 wanted.
        wanted: u32,
        /// CRC-32 found.
        found: u32,
    },
    /// The file is no PE.
    #[error("not a PE file")]
    NotPe,
    /// A part of a PE contradicts itself or ends early.
    #[error("damaged PE {part}: {cause}")]
    DamagedPe {
        /// Which part.
        part: &'static str,
        /// What the parser says.
        cause: String,
    },
    /// The PE is not the one that was traced.
    #[error(
        "time stamp {:08x} and image size {:#x} instead of {:08x} and {:#x}",
        found.timestamp, found.image_size, wanted.timestamp, wanted.image_size
    )]
    OtherImage {
        /// What the trace says of the module; 0 is what it does not say.
        wanted: PeFacts,
        /// What the file says.
        found: PeFacts,
    },
    /// The file is no program database of this century.
    #[error("not a PDB file (MSF 7.00)")]
    NotPdb,
    /// A PDB contradicts itself or ends early.
    #[error("damaged PDB: {cause}")]
    DamagedPdb {
        /// What the parser says.
        cause: String,
    },
    /// The PDB is not the one that the module names.
    #[error("PDB {} age {} instead of {} age {}", found.guid, found.age, wanted.guid, wanted.age)]
    OtherPdb {
        /// The PDB wanted.
        wanted: PdbFacts,
        /// The PDB found.
        found: PdbFacts,
    },
}

impl SymbolError {
    pub(crate) fn damaged_pe(
        part: &'static str,
    ) -> impl FnOnce(object::read::Error) -> SymbolError {
        move |cause| SymbolError::DamagedPe { part, cause: cause.to_string() }
    }

    pub(crate) fn damaged(part: &'static str) -> impl FnOnce(object::read::Error) -> SymbolError {
        move |cause| SymbolError::Damaged { part, cause: cause.to_string() }
    }
}
