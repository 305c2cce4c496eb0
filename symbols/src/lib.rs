//! Module identity and symbols of ELF and PE files. This crate knows nothing of heaps, and does no
//! I/O of its own: it asks for files through [`Files`] and is given their bytes.
//!
//! [`Symbols::load`] and [`Symbols::load_pe`] find and read everything there is for a module,
//! [`Symbols::frames`] names an address, [`ElfFacts::read`] and [`PeFile::read`] give what identifies a file. Input may be damaged or hostile: it
//! gives less, never a panic.

mod address;
mod build_id;
mod decoration;
mod demangle;
mod dwarf;
mod elf;
mod entries;
mod error;
mod exports;
mod files;
mod flow;
mod guard;
pub mod identity;
mod image;
mod linkage;
mod module;
mod package_note;
mod pdata;
mod pdb;
mod pe;
mod program;
mod table;
mod unwind;
mod version;

pub use address::{Found, FunctionExtent, ModuleOffset, NamedFrame, OffsetKind};
pub use build_id::BuildId;
pub use demangle::demangle;
pub use elf::{AltLink, DebugLink, ElfFacts};
pub use entries::{Entry, Segment, entries, image_size, segments};
pub use error::SymbolError;
pub use files::{Files, Place, Refusal, Wanted};
pub use flow::Flow;
pub use identity::{ModuleIdentity, Package, PackageManager, PdbId, PeFacts};
pub use linkage::{Definition, Import, Linkage};
pub use module::{Loaded, Symbols};
pub use package_note::PackageNote;
pub use pdb::PdbFacts;
pub use pe::PeFile;
pub use program::{ProgramShape, first_load_address, program_shape};
pub use unwind::{CallerFrame, FrameBase, SavedBase, UnwindRow, UnwindRows};
