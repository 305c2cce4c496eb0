//! Case bundles: they say what the recording said, hold what their manifest says, and a redacted one holds no name that was planted.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![cfg(target_os = "linux")]

#[path = "bundle/baseline.rs"]
mod baseline;
#[path = "bundle/cut.rs"]
mod cut;
mod evidence;
#[path = "bundle/hostile.rs"]
mod hostile;
#[path = "bundle/inputs.rs"]
mod inputs;
#[path = "bundle/modules.rs"]
mod modules;
#[path = "bundle/redaction.rs"]
mod redaction;
mod support;
mod synth;
#[path = "bundle/written.rs"]
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, UNIX_EPOCH};

use redaction::holds;
use serde_json::Value;
use sha2::{Digest, Sha256};
use synth::{Synth, windows_module};
use unfreed::bundle::Cut;
use unfreed::event::{FactKind, Name, NamedFunction, Process, What};
use unfreed::ledger::Ledger;
use unfreed::read::Source;
use unfreed::read::trace::Reader;
use unfreed::verdict::judge;
use unfreed_symbols::{ModuleIdentity, PeFacts};

const LEAK: [&str; 3] = ["msvcrt.dll!malloc", "Cdoexm.dll!CMailbox::Open", "w3svc.dll!main"];
const CHURN: [&str; 3] = ["msvcrt.dll!malloc", "w3svc.dll!answer", "w3svc.dll!main"];

fn unfreed(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unfreed"));
    command.args(arguments).env("USER", "jdoe").env("HOSTNAME", "mail01").output().unwrap()
}

fn done(arguments: &[&str]) -> String {
    let output = unfreed(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{arguments:?}: {said}");
    unwrapped(&said)
}

/// As it was before it was broken into lines.
fn unwrapped(said: &str) -> String {
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn plain(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn analyze(file: &Path) -> Value {
    serde_json::from_slice(&unfreed(&["analyze", "--json", plain(file)]).stdout).unwrap()
}

/// A leak beside what is freed again.
fn story() -> Synth {
    let mut story = Synth::windows();
    let web = story.process("Inetinfo.exe");
    story.module(web, windows_module("Cdoexm.dll", "6.0.6617.47"));
    story.leak(web, &LEAK, 260, 500, 0.0..5.0);
    story.churn(web, &CHURN, 100, 3000, 0.0..4.9, 0.05);
    story
}

fn written(trace: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("inetinfo.unfreed");
    fs::write(&file, trace).unwrap();
    (home, file)
}

fn case(trace: &Path, more: &[&str]) -> PathBuf {
    let case = trace.with_file_name("case.zip");
    let said = done(&[&["report", plain(trace), "-o", plain(&case)], more].concat());
    assert!(said.contains("Writing ") && said.contains(" before compression"), "{said}");
    case
}

fn unpacked(case: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut archive = zip::ZipArchive::new(File::open(case).unwrap()).unwrap();
    let mut parts = BTreeMap::new();
    for at in 0..archive.len() {
        let mut part = archive.by_index(at).unwrap();
        let mut bytes = Vec::new();
        part.read_to_end(&mut bytes).unwrap();
        parts.insert(part.name().unwrap().into_owned(), bytes);
    }
    parts
}

fn manifest(parts: &BTreeMap<String, Vec<u8>>) -> Value {
    serde_json::from_slice(&parts["manifest.json"]).unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_case_says_what_the_recording_said() {
    let (_home, trace) = written(&story().build());
    let case = case(&trace, &[]);
    let (original, again) = (analyze(&trace), analyze(&case));
    assert_eq!(original["suspects"].as_array().unwrap().len(), 1);
    assert_eq!(again["suspects"], original["suspects"]);
    assert_eq!(again["faults"], serde_json::json!([]));
    let parts = unpacked(&case);
    let report: Value = serde_json::from_slice(&parts["report.json"]).unwrap();
    assert_eq!(report["suspects"], original["suspects"]);
    for (part, says) in [
        ("report.html", "CMailbox::Open"),
        ("report.md", "CMailbox::Open"),
        ("modules.csv", "Cdoexm.dll,C:\\WINNT\\system32\\Cdoexm.dll,6.0.6617.47,"),
        ("fixes.txt", "Cdoexm.dll"),
        ("environment.txt", "The machine on which the case was written"),
        ("log.txt", ""),
    ] {
        let text = std::str::from_utf8(&parts[part]).unwrap();
        assert!(text.contains(says), "{part}: {text}");
    }
    // A case is a recording like others.
    let collapsed = unfreed(&["export", plain(&case), "--as", "collapsed"]).stdout;
    assert!(String::from_utf8(collapsed).unwrap().contains("CMailbox::Open"));
    let from_case = case.with_file_name("again.md");
    done(&["report", plain(&case), "-q", "-o", plain(&from_case)]);
}

fn events(trace: &[u8]) -> Vec<unfreed::event::Event> {
    let mut reader = Reader::new(trace).unwrap();
    let (mut batch, mut all) = (Vec::new(), Vec::new());
    while reader.next_batch(&mut batch).unwrap() {
        all.append(&mut batch);
    }
    all
}

#[test]
fn only_a_case_is_redacted() {
    let (home, trace) = written(&story().build());
    let out = home.path().join("r.html");
    for option in ["--redact", "--with-originals"] {
        let failed = unfreed(&["report", plain(&trace), "-o", plain(&out), option]);
        assert!(failed.status.code() == Some(2) && !out.exists(), "{option}");
    }
}
