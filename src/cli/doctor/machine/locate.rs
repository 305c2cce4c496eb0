//! Where a program is, on systems whose programs have endings.

use std::path::{Path, PathBuf};

/// Where a program is that a shell would find, with or without the ending of programs.
pub fn locate(command: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let named_only = command.components().count() == 1;
    let directories = std::env::split_paths(&path).filter(|_| named_only);
    let places = std::iter::once(PathBuf::new()).chain(directories);
    let endings = |path: PathBuf| {
        let with = path.with_added_extension(std::env::consts::EXE_EXTENSION);
        [path, with]
    };
    places.map(|place| place.join(command)).flat_map(endings).find(|path| path.is_file())
}
