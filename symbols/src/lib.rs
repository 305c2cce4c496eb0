//! Module identity and symbols of ELF files. This crate knows nothing of heaps, and does no
//! I/O of its own: it asks for files and is given them.

pub mod identity;
mod program;

pub use identity::{ModuleIdentity, Package, PackageManager, PdbId};
pub use program::{ProgramShape, first_load_address, program_shape};
