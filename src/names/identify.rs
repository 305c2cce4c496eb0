//! Identifies the modules of a running program, at the time it is recorded: later the files
//! may be gone or replaced. Only headers, notes and version resources of a file are read.

use std::fs::File;
use std::path::Path;

use unfreed_symbols::{ElfFacts, ModuleIdentity, PeFile};

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
    if let Ok(mut file) = File::open(path) {
        if let Ok(facts) = ElfFacts::read_from(&mut file) {
            identity.add_elf(&facts);
        } else if let Ok(facts) = PeFile::read_from(&mut file) {
            // Wine maps the modules of Windows from their files.
            identity.add_pe(&facts);
        }
    }
    identity
}
