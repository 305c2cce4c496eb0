//! Identifies the modules of a running program, at the time it is recorded: later the files
//! may be gone or replaced. Only headers and notes of a file are read.

use std::fs::File;
use std::path::Path;

use unfreed_symbols::{ElfFacts, ModuleIdentity};

use super::PackageIndex;

/// The identity of the file at `path`, with everything that can be known of it here. What cannot
/// be read stays `None`; a file that is gone still has its name, path and (by the package
/// database) its package.
pub fn identify(path: &Path, packages: &PackageIndex) -> ModuleIdentity {
    let mut identity = ModuleIdentity::of_path(&path.to_string_lossy());
    identity.package = packages.owner(path);
    // A device or a FIFO is never opened: opening may block, or act.
    let Ok(metadata) = std::fs::metadata(path) else { return identity };
    if !metadata.is_file() {
        return identity;
    }
    identity.file_size = Some(metadata.len());
    if let Ok(file) = File::open(path)
        && let Ok(facts) = ElfFacts::read_from(file)
    {
        identity.add_elf(&facts);
    }
    identity
}
