//! Module identity and symbols of ELF files. This crate knows nothing of heaps, and does no
//! I/O of its own: it asks for files and is given them.

pub mod identity;

pub use identity::{ModuleIdentity, Package, PackageManager, PdbId};
