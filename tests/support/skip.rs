//! How a test says that it did not run. libtest has no such state and swallows the output of tests
//! that pass, so the notice goes to the process's standard error itself, past the capture.
//! With `UNFREED_REQUIRE_ALL=1` in the environment nothing is skipped: a missing tool is a failure.

#![allow(dead_code, unused_imports, unused_macros, reason = "each user takes a part of this")]

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Says that the calling test is skipped, and why; panics where everything is required.
///
/// Use it through `support::skip!`, which also returns from the test.
pub fn announce(reason: &str, file: &str, line: u32) {
    assert!(
        !everything_required(),
        "UNFREED_REQUIRE_ALL is set and {file}:{line} cannot run: {reason}"
    );
    let notice = format!("SKIPPED {file}:{line}: {reason}\n");
    // Nothing can be done about a standard error that is closed.
    let _ = std::io::stderr().write_all(notice.as_bytes());
}

/// Whether the environment forbids skipping.
pub fn everything_required() -> bool {
    env::var_os("UNFREED_REQUIRE_ALL").is_some_and(|value| value == "1")
}

/// The path of a program, searched in `PATH` and then in the system's directories: an ordinary
/// user's `PATH` often lacks `/usr/sbin`, where Debian has mosquitto.
pub fn tool(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(name).with_added_extension(env::consts::EXE_EXTENSION))
        .find(|candidate| is_executable(candidate))
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

/// Leaves the calling test (which returns nothing) with a notice that it did not run:
/// `support::skip!("no mosquitto here")`.
macro_rules! skip {
    ($($reason:tt)+) => {{
        $crate::support::skip::announce(&format!($($reason)+), file!(), line!());
        return;
    }};
}

/// The path of a tool, or leaves the calling test with a notice: `let cxx = support::require!("c++");`.
macro_rules! require {
    ($tool:expr) => {
        match $crate::support::skip::tool($tool) {
            Some(path) => path,
            None => $crate::support::skip!("{} is not installed", $tool),
        }
    };
}

pub(crate) use {require, skip};
