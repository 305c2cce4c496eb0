//! Readers that are not ours, from npm.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use super::browser;
use super::support::{self, npm};

/// What npm's `pprof-format` reads in a profile; `None` where it cannot be had, told loudly.
pub fn read_pprof(profile: &Path) -> Option<Value> {
    read("pprof.mjs", &[profile])
}

/// What speedscope imports, in a browser.
pub fn speedscope(profile: &Path) -> Option<Value> {
    read("speedscope.mjs", &[Path::new(browser::executable()?), profile])
}

fn read(script: &str, arguments: &[&Path]) -> Option<Value> {
    let node = Command::new("node").arg(script).args(arguments).current_dir(scripts()?).output();
    let output = node.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{script}: {said}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// Where the readers are installed: once, whoever of the tests comes first.
fn scripts() -> Option<&'static Path> {
    static INSTALLED: OnceLock<Option<PathBuf>> = OnceLock::new();
    INSTALLED.get_or_init(install).as_deref()
}

fn install() -> Option<PathBuf> {
    let installed = npm::install("readers", &["pprof.mjs", "speedscope.mjs"]);
    if let Err(why) = &installed {
        support::skip::announce(why, file!(), line!());
    }
    installed.ok()
}
