//! The program on Windows, from outside: names and paths as only Windows has them, files that others hold open, consoles.
#![cfg(windows)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "on_windows/consoles.rs"]
mod consoles;
#[path = "on_windows/files.rs"]
mod files;
#[path = "on_windows/names.rs"]
mod names;
mod support;
mod synth;

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use synth::{Synth, windows_module};
use tempfile::TempDir;

/// A directory with a recording in which something leaks.
struct Bench {
    directory: TempDir,
}

/// What a run said.
#[derive(Debug)]
struct Told {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Bench {
    fn new() -> Self {
        let bench = Bench { directory: tempfile::tempdir().unwrap() };
        fs::write(bench.path("leak.unfreed"), leaking()).unwrap();
        bench
    }

    fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.directory.path().join(name.as_ref())
    }

    fn command<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unfreed"));
        command.args(arguments).current_dir(self.directory.path()).stdin(Stdio::null());
        command
    }

    fn run<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Told {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Told { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Told {
    /// Words, however they are broken into lines.
    fn said(&self) -> String {
        self.err.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// Mailboxes are opened, and each leaves something behind.
fn leaking() -> Vec<u8> {
    let mut t = Synth::windows();
    let inetinfo = t.process("Inetinfo.exe");
    t.module(inetinfo, windows_module("Cdoexm.dll", "6.0.6617.47"));
    let open = ["msvcrt.dll!malloc", "Cdoexm.dll!CMailbox::Open", "Inetinfo.exe!main"];
    t.leak(inetinfo, &open, 260, 3000, 1.0..30.0);
    t.churn(inetinfo, &["msvcrt.dll!malloc", "Inetinfo.exe!parse"], 200, 6000, 0.5..30.0, 0.05);
    t.lasts(30.0);
    t.build()
}
