//! The demo's programs, which this binary carries: written to a directory of their own, for as
//! long as the tour needs them. `demo/README.md` says what they do.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use unfreed::collect::agent::{ProgramDirectory, program_directory};

use crate::cli::fail::{Failure, Told};

/// Path, content and mode of each.
type Programs = [(&'static str, &'static [u8], u32); 3];

macro_rules! built {
    ($path:literal, $mode:literal) => {
        ($path, include_bytes!(concat!(env!("OUT_DIR"), "/", $path)), $mode)
    };
}
const PROGRAMS: Programs = [
    built!("courier", 0o700),
    built!("1.2.0/libcourier-archive.so", 0o600),
    built!("1.2.1/libcourier-archive.so", 0o600),
];

/// What the courier says when all went well.
pub const DELIVERED: &str = "delivered 6000 messages";

/// The programs, as files; gone when dropped.
pub struct Files {
    directory: ProgramDirectory,
}

impl Files {
    /// Writes them to where programs may be run.
    pub fn write() -> Result<Files, Failure> {
        let directory = program_directory(|directory| write_all(directory, &PROGRAMS))
            .told(|| "cannot write the demo's programs".to_owned())?;
        Ok(Files { directory })
    }

    /// The command that runs the courier with a version of its plug-in.
    pub fn command(&self, version: &str) -> [OsString; 2] {
        let root = self.directory.path();
        let plug_in = root.join(version).join("libcourier-archive.so");
        [root.join("courier").into(), plug_in.into()]
    }

    /// A new file for what the courier says.
    pub fn said(&self) -> Result<File, Failure> {
        tempfile::tempfile_in(self.directory.path())
            .told(|| "cannot make a temporary file".to_owned())
    }
}

fn write_all(directory: &Path, programs: &Programs) -> io::Result<()> {
    for &(path, content, mode) in programs {
        let path = directory.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, content)?;
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
    }
    Ok(())
}
