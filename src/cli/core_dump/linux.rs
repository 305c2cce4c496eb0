//! A core dump beside a trace.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use unfreed::dump;

use super::super::fail::{Failure, Told};
use super::super::recording::Recording;

/// Folds in what a core says of the live blocks.
pub fn look_into(core: &Path, recording: &mut Recording) -> Result<(), Failure> {
    let file = File::open(core)
        .told(|| format!("cannot open {}", core.display()))
        .map_err(|failure| failure.advise("check the path, and whether you may read the file"))?;
    let since = u64::try_from(recording.header.started_unix_ns).ok().filter(|since| *since > 0);
    let started = since.map(|since| UNIX_EPOCH + Duration::from_nanos(since));
    dump::scan(file, &mut recording.ledger, started).map(drop).map_err(|error| {
        Failure::new(format!("cannot use the core dump {}: {error}", core.display())).advise(
            "take the core of a process of this trace (`gcore PID`, or the one it left as it ended), \
             with its own memory",
        )
    })
}
