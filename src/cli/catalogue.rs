//! The catalogue of fixes as the user wants it: the embedded one, and the directories given with
//! `--fixes` over it.

use std::path::PathBuf;

use unfreed::fixes::Catalogue;

use super::fail::{Failure, Told};

/// Opens the catalogue.
pub fn open(directories: &[PathBuf]) -> Result<Catalogue, Failure> {
    let mut catalogue = Catalogue::embedded().told(|| "the embedded fixes".to_owned())?;
    for directory in directories {
        let more = Catalogue::load_dir(directory)
            .told(|| format!("cannot take in the fixes in {}", directory.display()))
            .map_err(|failure| {
                failure.advise("correct them; `unfreed fixes check DIR` lists every problem")
            })?;
        catalogue.merge(more);
    }
    Ok(catalogue)
}
