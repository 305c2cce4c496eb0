//! A build that carries none of the demo's programs.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs::File;

use crate::cli::fail::Failure;

/// What the courier says when all went well.
pub const DELIVERED: &str = "nothing";

/// The programs, as files: there are none.
pub struct Files(Infallible);

impl Files {
    /// Says that there are none.
    pub fn write() -> Result<Files, Failure> {
        Err(Failure::new("this build has no demo: its programs are for Linux on x86_64").advise(
            "run it there; `unfreed analyze FILE` works here, and `unfreed fixes list` shows the catalogue",
        ))
    }

    /// The command that runs the courier.
    pub fn command(&self, _: &str) -> [OsString; 2] {
        match self.0 {}
    }

    /// A new file for what the courier says.
    pub fn said(&self) -> Result<File, Failure> {
        match self.0 {}
    }
}
