//! unfreed traces an unfreed that traces a program: each sees its own, once.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::process::{LIMIT, run};
use support::programs;

const UNFREED: &str = env!("CARGO_BIN_EXE_unfreed");

/// An unfreed that runs something and writes what it found.
fn watching(found: &Path) -> Vec<String> {
    let words = [UNFREED, "run", "--quiet", "--json", "--output", found.to_str().unwrap(), "--"];
    words.map(str::to_owned).into()
}

fn found(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_traced_unfreed_traces_its_program_as_if_it_were_not_traced() {
    let directory = tempfile::tempdir().unwrap();
    let (inner, outer) = (directory.path().join("inner.json"), directory.path().join("outer.json"));
    let program = [programs::c("leaks").to_str().unwrap().to_owned(), "500".to_owned()];
    let words = [watching(&outer), watching(&inner), program.into()].concat();
    let finished = run(Command::new(&words[0]).args(&words[1..]), LIMIT);
    assert!(finished.code() != Some(2), "{}", finished.err());
    let (inner, outer) = (found(&inner), found(&outer));
    // One block of 611 bytes for each message, and one that is freed; the rest is the C library's.
    let allocations = inner["totals"]["allocations"].as_u64().unwrap();
    assert!((1_000..1_100).contains(&allocations), "{}", inner["totals"]);
    assert_eq!(inner["losses"]["stacks"], 0, "{}", inner["losses"]);
    let targets = |report: &Value| -> Vec<String> {
        let targets = report["target"].as_array().unwrap();
        targets.iter().map(|target| target["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(targets(&inner), ["leaks"]);
    assert_eq!(targets(&outer), ["unfreed"]);
}
