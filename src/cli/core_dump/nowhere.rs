//! Core dumps are of Linux, and looked into there.

use std::path::Path;

use super::super::fail::Failure;
use super::super::recording::Recording;

/// Says where it can be done.
pub fn look_into(core: &Path, _: &mut Recording) -> Result<(), Failure> {
    let os = std::env::consts::OS;
    let what = format!("cannot look into the core dump {} on {os}", core.display());
    Err(Failure::new(what).advise(
        "run `unfreed analyze TRACE --core CORE` on Linux on x86_64; without --core the trace is analysed here",
    ))
}
