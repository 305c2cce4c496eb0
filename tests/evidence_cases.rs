//! The founding articles' defects through the program, as the evidence that those servers could really give: two logs
//! of UMDH or LeakDiag and a debugger's list of modules. Names come from PDBs of stand-ins that are built here.
//! Then, constructed, as heap logs of Windows, which those servers could not write; and all of one server's evidence
//! as one case.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

macro_rules! tools {
    () => {
        for tool in crate::windows::TOOLS {
            let _ = crate::support::require!(tool);
        }
    };
}

#[path = "evidence_cases/articles.rs"]
mod articles;
#[path = "evidence_cases/constructed.rs"]
mod constructed;
mod evidence;
#[path = "minidump/made.rs"]
mod made;
#[path = "evidence_cases/server.rs"]
mod server;
#[path = "evidence_cases/snapshots.rs"]
mod snapshots;
#[path = "evidence_cases/stand_ins.rs"]
mod stand_ins;
mod support;
mod synth_etl;
#[path = "counters/table.rs"]
mod table;
mod windows;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use stand_ins::bare;

/// 2004-11-09 16:53:20 UTC: a working day of those servers.
const THEN: u64 = 1_100_020_400;

/// A file of evidence: name, content, and the second of 1970's at which it was written.
struct Evidence<'a> {
    name: &'a str,
    bytes: &'a [u8],
    written: u64,
}

/// Runs `unfreed analyze` on files.
fn run(files: &[Evidence<'_>], arguments: &[&str], symbols: Option<&Path>) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_unfreed"));
    command.current_dir(home.path()).arg("analyze").args(arguments).env_remove("_NT_SYMBOL_PATH");
    for Evidence { name, bytes, written } in files {
        let path = home.path().join(name);
        fs::write(&path, bytes).unwrap();
        let at: SystemTime = UNIX_EPOCH + Duration::from_secs(*written);
        File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
        command.arg(name);
    }
    command.args(symbols.iter().flat_map(|store| [Path::new("--symbols"), store]));
    command.output().unwrap()
}

/// What a reader of the report reads, without its line breaks.
fn text(files: &[Evidence<'_>]) -> String {
    let output = run(files, &[], None);
    let said = String::from_utf8(output.stdout).unwrap();
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The report.
fn analyze(files: &[Evidence<'_>], symbols: Option<&Path>) -> Value {
    let output = run(files, &["--json"], symbols);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What is expected of the one suspect.
#[derive(Clone, Copy, Debug)]
struct Expected<'a> {
    id: &'a str,
    status: &'a str,
    module: &'a str,
    version: Option<&'a str>,
    /// Without parameters; `None` where nothing can name it.
    function: Option<&'a str>,
}

/// Holds a report against what is expected.
#[track_caller]
fn check(report: &Value, expected: Expected<'_>) {
    let suspects = report["suspects"].as_array().unwrap();
    assert_eq!(suspects.len(), 1, "{expected:?}: {suspects:#?}");
    let suspect = &suspects[0];
    assert_eq!(suspect["module"]["name"], expected.module, "{expected:?}");
    assert_eq!(suspect["module"]["version"], Value::from(expected.version), "{expected:?}");
    let function = suspect["function"].as_str().unwrap();
    match expected.function {
        Some(name) => assert_eq!(bare(function), name, "{expected:?}"),
        None => assert!(function.starts_with(expected.module), "{function}"),
    }
    let fix = &suspect["fixes"][0];
    // Names of full PDBs have parameters, those of logs have none: either is the article's function.
    let reasons = fix["reasons"].as_array().unwrap().iter();
    for reason in reasons.filter(|reason| reason["clause"] == "function") {
        let named = if expected.function.is_some() { "yes" } else { "unknown" };
        assert_eq!(reason["standing"], named, "{expected:?}: {reason:#}");
    }
    assert_eq!(fix["id"], expected.id, "{expected:?}: {:#}", suspect["fixes"]);
    assert_eq!(fix["status"], expected.status, "{expected:?}: {:#}", fix["reasons"]);
}
