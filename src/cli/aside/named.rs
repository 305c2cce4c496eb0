//! What is written aside where every file has a name.

use std::fs::File;
use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

use super::builder;

#[derive(Debug)]
pub struct Written(NamedTempFile);

impl Written {
    /// One that is only to be read again.
    pub fn anywhere() -> io::Result<Self> {
        NamedTempFile::new().map(Written)
    }

    /// One that is to become a file of this directory.
    pub fn create(directory: &Path) -> io::Result<Self> {
        builder().tempfile_in(directory).map(Written)
    }

    pub fn file(&mut self) -> &mut File {
        self.0.as_file_mut()
    }

    /// Gives it its name, whatever had that before.
    pub fn persist(self, path: &Path) -> io::Result<()> {
        self.0.as_file().sync_all()?;
        self.0.persist(path).map(drop).map_err(|error| error.error)
    }
}
