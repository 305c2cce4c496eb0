//! The catalogue of fixes as the user wants it: the embedded one, over it the user's own in the configuration directory, over
//! both the directories given with `--fixes`.

use std::path::PathBuf;

use unfreed::fixes::Catalogue;

use super::fail::{Failure, Told};

/// Opens the catalogue.
pub fn open(directories: &[PathBuf]) -> Result<Catalogue, Failure> {
    let mut catalogue = Catalogue::embedded().told(|| "the embedded fixes".to_owned())?;
    let own = own_directory().filter(|directory| directory.is_dir());
    for directory in own.iter().chain(directories) {
        let more = Catalogue::load_dir(directory)
            .told(|| format!("cannot take in the fixes in {}", directory.display()))
            .map_err(|failure| {
                failure.advise("correct them; `unfreed fixes check DIR` lists every problem")
            })?;
        catalogue.merge(more);
    }
    Ok(catalogue)
}

/// Where a user's own fixes are: `unfreed/fixes` in the configuration directory. A relative path in the environment counts
/// for nothing, as the XDG specification has it: what is loaded must not depend on where a program is started.
fn own_directory() -> Option<PathBuf> {
    let absolute =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = if cfg!(windows) {
        absolute("APPDATA")?
    } else {
        absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?
    };
    Some(base.join("unfreed").join("fixes"))
}
