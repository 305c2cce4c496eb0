//! Wine: where its own modules lie, and programs of Windows that run under it. Its prefix takes some seconds and half a
//! gigabyte, so it is made once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::process::{LIMIT, Running, run};
use super::skip;

/// The directory of its modules for x64; `None` where it is not installed.
pub fn modules() -> Option<PathBuf> {
    skip::tool("wine64").or_else(|| skip::tool("wine"))?;
    let homes = [
        "/usr/lib/x86_64-linux-gnu/wine",
        "/usr/lib/wine",
        "/usr/lib64/wine",
        "/opt/wine-stable/lib64/wine",
    ];
    let homes = homes.iter().map(|home| Path::new(home).join("x86_64-windows"));
    homes.into_iter().find(|home| home.join("ntdll.dll").exists())
}

/// Leaves the calling test where there is no Wine.
macro_rules! require_wine {
    () => {
        let _ = $crate::support::require!("wine");
        let _ = $crate::support::require!("wineserver");
        if $crate::support::wine::modules().is_none() {
            $crate::support::skip!("Wine for 64-bit programs is not installed");
        }
    };
}
pub(crate) use require_wine;

/// One after the other: they share a prefix, and the processor.
static ONE: Mutex<()> = Mutex::new(());

/// Wine, for programs of one test.
pub struct Wine {
    prefix: PathBuf,
    _one: MutexGuard<'static, ()>,
}

impl Wine {
    pub fn new() -> Wine {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let version = run(Command::new("wine").arg("--version"), LIMIT).out();
        let version: String = version.chars().filter(char::is_ascii_alphanumeric).collect();
        let store = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("wine");
        let prefix = store.join(version);
        if !prefix.exists() {
            fs::create_dir_all(&store).unwrap();
            let aside = tempfile::tempdir_in(&store).unwrap();
            let mut boot = Command::new("wineboot");
            run(environment(&mut boot, aside.path()).arg("-i"), LIMIT).expect_code(0);
            end_server(aside.path());
            // A directory that is there and not empty is another test binary's equal result.
            let renamed = fs::rename(aside.path(), &prefix);
            assert!(renamed.is_ok() || prefix.exists(), "{}: {renamed:?}", prefix.display());
        }
        Wine { prefix, _one: one }
    }

    /// Starts a program, which waits where it reads a line; the process's number is its own.
    pub fn start(&self, program: &Path, arguments: &[&str]) -> Running {
        let mut command = Command::new("wine");
        environment(&mut command, &self.prefix).arg(program).args(arguments);
        Running::start_open(&mut command)
    }
}

impl Drop for Wine {
    fn drop(&mut self) {
        end_server(&self.prefix);
    }
}

fn environment<'c>(command: &'c mut Command, prefix: &Path) -> &'c mut Command {
    command
        .env("WINEPREFIX", prefix)
        .env("WINEDEBUG", "-all")
        // Wine has a Mapi32.dll of its own, which would come before one beside the program.
        .env("WINEDLLOVERRIDES", "mscoree,mshtml=;mapi32=n")
        .env_remove("DISPLAY")
}

/// Ends the server of this prefix, and with it whatever runs in it.
fn end_server(prefix: &Path) {
    for argument in ["-k", "-w"] {
        // None may run.
        run(environment(&mut Command::new("wineserver"), prefix).arg(argument), LIMIT);
    }
}
