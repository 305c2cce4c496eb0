//! Names: what a module is and what its code is called. This is the one room that looks for
//! symbol files, package databases and symbol servers; it names only what it is asked for.
//! [`blame`] is pure: which frame of a stack is to be held responsible.

pub mod blame;
mod debuginfod;
mod download;
mod function_name;
mod identify;
mod known;
mod known_windows;
mod namer;
mod packages;
mod skip;
mod store;
mod symbol_path;
mod symsrv;
mod windows;

pub use blame::{Blamed, FrameSeen, SiteSeen, Wrapper};
pub use debuginfod::Debuginfod;
pub use identify::identify;
pub use namer::{Namer, place};
pub use packages::{PackageIndex, changelog, read_changelog};
pub use store::{Notice, Store, StoreOptions};
pub use symbol_path::{Part, SymbolPath};
