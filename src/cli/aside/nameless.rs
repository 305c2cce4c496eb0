//! What is written aside on Linux: a file without a name, where the file system has such.

use std::fs::File;
use std::io::{self, Seek};
use std::os::fd::AsRawFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open};
use tempfile::NamedTempFile;

use super::{builder, directory};

#[derive(Debug)]
pub enum Written {
    Nameless(File),
    Named(NamedTempFile),
}

impl Written {
    /// One that is only to be read again.
    pub fn anywhere() -> io::Result<Self> {
        NamedTempFile::new().map(Written::Named)
    }

    /// One that is to become a file of this directory.
    pub fn create(directory: &Path) -> io::Result<Self> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        // Some network file systems can only make files with names.
        if let Ok(file) = open(directory, flags, Mode::RUSR | Mode::WUSR) {
            return Ok(Written::Nameless(File::from(file)));
        }
        builder().tempfile_in(directory).map(Written::Named)
    }

    pub fn file(&mut self) -> &mut File {
        match self {
            Written::Nameless(file) => file,
            Written::Named(file) => file.as_file_mut(),
        }
    }

    /// Gives it its name, whatever had that before.
    pub fn persist(mut self, path: &Path) -> io::Result<()> {
        self.file().sync_all()?;
        let named = match self {
            Written::Nameless(file) => name(file, directory(path))?,
            Written::Named(file) => file,
        };
        named.persist(path).map(drop).map_err(|error| error.error)
    }
}

/// Gives a file without a name one. A link cannot replace what is there, only a renaming can: so it has another name for a moment.
fn name(mut file: File, directory: &Path) -> io::Result<NamedTempFile> {
    let from = format!("/proc/self/fd/{}", file.as_raw_fd());
    let linked = builder().make_in(directory, |path| {
        linkat(CWD, from.as_str(), CWD, path, AtFlags::SYMLINK_FOLLOW)?;
        Ok(())
    });
    match linked {
        Ok(linked) => Ok(NamedTempFile::from_parts(file, linked.into_temp_path())),
        // There is no /proc: as elsewhere, then.
        Err(_) => {
            let mut named = builder().tempfile_in(directory)?;
            file.rewind()?;
            io::copy(&mut file, &mut named)?;
            named.as_file().sync_all()?;
            Ok(named)
        }
    }
}
