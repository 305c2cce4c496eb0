//! Reports that `unfreed run` writes itself, and work that is cut short.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![cfg(target_os = "linux")]

mod support;
mod synth;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use synth::Synth;

fn unfreed(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_unfreed")).args(arguments).output().unwrap()
}

fn plain(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn functions(report: &Value) -> Vec<&str> {
    let suspects = report["suspects"].as_array().unwrap().iter();
    let mut all: Vec<_> = suspects.map(|suspect| suspect["function"].as_str().unwrap()).collect();
    all.sort_unstable();
    all
}

#[test]
fn run_writes_the_report_that_is_asked_for_beside_its_own() {
    support::require!("cc");
    let home = tempfile::tempdir().unwrap();
    let program = support::programs::c("keeps");
    let run = |more: &[&str]| {
        let output = unfreed(&[&["run"], more, &["--", plain(&program), "3000"]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("lose"), "{said}");
        said
    };
    let file = |name: &str| home.path().join(name);
    let (page, data, case) = (file("r.html"), file("r.json"), file("case.zip"));
    let said = run(&["--report", plain(&page)]);
    assert!(said.contains("Wrote"), "{said}");
    let text = fs::read_to_string(&page).unwrap();
    let command = format!("unfreed run --report {}", plain(&case.with_file_name("r.zip")));
    assert!(text.contains("lose") && text.contains(&command), "the command for a case: {command}");
    run(&["-q", "--report", plain(&data)]);
    let report: Value = serde_json::from_slice(&fs::read(&data).unwrap()).unwrap();
    assert_eq!(functions(&report), ["lose", "sometimes"]);
    run(&["--redact", "--report", plain(&case)]);
    let again: Value =
        serde_json::from_slice(&unfreed(&["analyze", "--json", plain(&case)]).stdout).unwrap();
    assert_eq!(functions(&again), ["lose", "sometimes"]);
    let mut archive = zip::ZipArchive::new(File::open(&case).unwrap()).unwrap();
    let manifest: Value =
        serde_json::from_reader(archive.by_name("manifest.json").unwrap()).unwrap();
    // It was recorded for the case alone: there is no other input, and nothing of it is cut away.
    assert_eq!(
        (&manifest["inputs"], &manifest["trace"]["whole"]),
        (&serde_json::json!([]), &true.into())
    );
    assert!(manifest["redacted"]["argument"].as_u64().unwrap() > 0, "{manifest}");
    let mut page = String::new();
    archive.by_name("report.html").unwrap().read_to_string(&mut page).unwrap();
    assert!(page.contains("The archive in which this report came"), "it is in a case already");
}

#[test]
fn what_cannot_be_reported_is_refused_before_the_program_runs() {
    let home = tempfile::tempdir().unwrap();
    let (ran, page) = (home.path().join("ran"), home.path().join("r.html"));
    for wrong in [
        vec!["--report", "r.doc"],
        vec!["--report", "/nowhere/r.html"],
        vec!["--redact", "--report", plain(&page)],
        vec!["--redact"],
    ] {
        let output = unfreed(&[&["run"], &wrong[..], &["--", "touch", plain(&ran)]].concat());
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(!ran.exists() && !page.exists(), "{wrong:?}");
    }
}

fn trace() -> Vec<u8> {
    let mut story = Synth::linux();
    let process = story.process("broker");
    let stack = ["libc.so.6!malloc", "broker!keep", "broker!main"];
    story.leak(process, &stack, 260, 500, 0.0..5.0);
    story.build()
}

#[test]
fn who_is_interrupted_leaves_nothing_and_keeps_what_was_there() {
    let home = tempfile::tempdir().unwrap();
    let pipe = home.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    for ending in ["html", "zip", "json"] {
        let out = home.path().join(format!("r.{ending}"));
        fs::write(&out, "what was there").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_unfreed"));
        let mut child = command
            .args(["report", plain(&pipe), "-o", plain(&out)])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // It has opened the pipe, and reads: more of the trace never comes.
        let mut write = File::options().write(true).open(&pipe).unwrap();
        write.write_all(&trace()[..64]).unwrap();
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        assert!(!child.wait().unwrap().success());
        assert_eq!(fs::read_to_string(&out).unwrap(), "what was there", "{ending}");
        fs::remove_file(&out).unwrap();
        let left: Vec<_> =
            fs::read_dir(home.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["pipe"], "{ending}");
    }
}
