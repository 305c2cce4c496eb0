//! Readers that are not ours, from npm.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use super::{browser, support};

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
    let scripts = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readers");
    fs::create_dir_all(&scripts).unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers");
    for file in ["package.json", "package-lock.json", "pprof.mjs", "speedscope.mjs"] {
        fs::copy(from.join(file), scripts.join(file)).unwrap();
    }
    let installed = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .current_dir(&scripts)
        .output();
    if !installed.as_ref().is_ok_and(|output| output.status.success()) {
        support::skip::announce(&format!("npm: {installed:?}"), file!(), line!());
        return None;
    }
    Some(scripts)
}
