//! Exports: other tools open them and say the same of them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![cfg(target_os = "linux")]

#[path = "html/browser.rs"]
#[allow(dead_code, reason = "it looks at reports elsewhere")]
mod browser;
mod evidence;
#[path = "export/heaptrack.rs"]
mod heaptrack;
#[path = "export/profile.rs"]
mod profile;
#[path = "export/readers.rs"]
mod readers;
mod support;
mod synth;
#[path = "export/table.rs"]
mod table;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use readers::{read_pprof, speedscope};
use serde_json::Value;
use synth::Synth;
use table::read_csv;

fn unfreed(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_unfreed")).args(arguments).output().unwrap()
}

fn done(arguments: &[&str]) -> Vec<u8> {
    let output = unfreed(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{arguments:?}: {said}");
    output.stdout
}

fn plain(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn analyze(file: &Path) -> Value {
    serde_json::from_slice(&done(&["analyze", "--json", plain(file)])).unwrap()
}

/// Exports a file beside it.
fn export(file: &Path, more: &[&str]) -> PathBuf {
    export_as("heaptrack", file, more)
}

fn export_as(form: &str, file: &Path, more: &[&str]) -> PathBuf {
    let exported = file.with_extension(form);
    done(&[&["export", plain(file), "--as", form, "-q", "-o", plain(&exported)], more].concat());
    exported
}

/// A trace of a Windows process with a leak, a destroyed heap's worth of churn and a stack of its own per size.
fn story(processes: usize) -> Vec<u8> {
    let mut story = Synth::windows();
    for at in 0..processes {
        let process = story.process(["Inetinfo.exe", "store.exe"][at]);
        let stack = ["msvcrt.dll!malloc", "Cdoexm.dll!CMailbox::Open", "w3svc.dll!main"];
        story.leak(process, &stack, 260, 500, 0.0..5.0);
    }
    story.build()
}

#[test]
fn of_several_processes_one_is_chosen() {
    let home = tempfile::tempdir().unwrap();
    let trace = home.path().join("two.unfreed");
    fs::write(&trace, story(2)).unwrap();
    let out = home.path().join("out");
    let failed = unfreed(&["export", plain(&trace), "--as", "heaptrack", "-o", plain(&out)]);
    let said = String::from_utf8_lossy(&failed.stderr);
    assert_eq!(failed.status.code(), Some(2));
    assert!(said.contains("Inetinfo.exe (1000)") && said.contains("--pid 1000"), "{said}");
    assert!(!out.exists(), "nothing half is left");
    let failed =
        unfreed(&["export", plain(&trace), "--as", "heaptrack", "--pid", "7", "-o", plain(&out)]);
    assert_eq!(failed.status.code(), Some(2));
    let one = export(&trace, &["--pid", "1001"]);
    assert!(fs::read_to_string(one).unwrap().contains("X store.exe"));
}

#[test]
fn without_a_file_it_goes_to_stdout() {
    let home = tempfile::tempdir().unwrap();
    let trace = home.path().join("one.unfreed");
    fs::write(&trace, story(1)).unwrap();
    for form in ["heaptrack", "pprof", "collapsed", "csv"] {
        let out = done(&["export", plain(&trace), "--as", form]);
        assert_eq!(out, fs::read(export_as(form, &trace, &[])).unwrap(), "{form}");
        let failed = unfreed(&["export", plain(&trace), "--as", form, "--pid", "7"]);
        assert_eq!(failed.status.code(), Some(2), "{form}");
    }
    let failed = unfreed(&["export", plain(&trace), "--as", "pictures"]);
    assert_eq!(failed.status.code(), Some(2));
}

/// Two processes with a leak each, and one that frees.
fn mixed() -> Vec<u8> {
    let mut story = Synth::windows();
    let [web, store] = ["Inetinfo.exe", "store.exe"].map(|name| story.process(name));
    let module = synth::windows_module("Cdoexm.dll", "6.0.6617.47");
    story.module(web, module);
    let stack = ["msvcrt.dll!malloc", "Cdoexm.dll!CMailbox::Open", "w3svc.dll!main"];
    story.leak(web, &stack, 260, 500, 0.0..5.0);
    story.leak(store, &["msvcrt.dll!malloc", "store.exe!keep", "store.exe!main"], 8, 10, 0.0..5.0);
    let churn = ["msvcrt.dll!malloc", "w3svc.dll!answer", "w3svc.dll!main"];
    story.churn(web, &churn, 100, 300, 0.0..4.0, 0.05);
    story.build()
}

fn written(name: &str, trace: Vec<u8>) -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(name);
    fs::write(&file, trace).unwrap();
    (home, file)
}

#[test]
fn inferno_draws_collapsed_stacks() {
    let (_home, trace) = written("mixed.unfreed", mixed());
    let collapsed = fs::read_to_string(export_as("collapsed", &trace, &[])).unwrap();
    let sums = collapsed.lines().map(|line| line.rsplit_once(' ').unwrap().1);
    let sum: u64 = sums.map(|bytes| bytes.parse::<u64>().unwrap()).sum();
    assert_eq!(sum, analyze(&trace)["totals"]["live_bytes"]);
    let mut options = inferno::flamegraph::Options::default();
    let mut svg = Vec::new();
    inferno::flamegraph::from_lines(&mut options, collapsed.lines(), &mut svg).unwrap();
    let svg = String::from_utf8(svg).unwrap();
    assert!(svg.contains("CMailbox::Open") && svg.contains("Inetinfo.exe (1000)"), "{svg}");
}

#[test]
fn what_only_snapshots_list_is_exported_as_what_lives() {
    let home = tempfile::tempdir().unwrap();
    let case = evidence::kb896064("6.0.6603.1");
    let form = evidence::leakdiag::Form { symbols: true, split: true };
    let log = home.path().join("one.xml");
    fs::write(&log, evidence::leakdiag::log(&case, 1, form)).unwrap();
    let blocks: u32 = case.stacks.iter().map(|stack| stack.blocks[1]).sum();
    let bytes: u32 = case.stacks.iter().map(|stack| stack.blocks[1] * stack.size).sum();
    let collapsed = fs::read_to_string(export_as("collapsed", &log, &[])).unwrap();
    let sums = collapsed.lines().map(|line| line.rsplit_once(' ').unwrap().1);
    assert_eq!(sums.map(|bytes| bytes.parse::<u32>().unwrap()).sum::<u32>(), bytes);
    // No log of this kind has the number of its process.
    assert!(collapsed.starts_with("mailboxes.exe;"), "{collapsed}");
    let rows = read_csv(&export_as("csv", &log, &[]));
    assert!(rows.iter().all(|row| row["pid"] == ""), "{rows:#?}");
    let live = rows.iter().map(|row| row["live_blocks"].as_str().unwrap().parse::<u32>().unwrap());
    assert_eq!(live.sum::<u32>(), blocks, "{rows:#?}");
    assert!(rows.iter().all(|row| row["allocations"] == ""), "nobody counted them: {rows:#?}");
    for (form, says) in [("pprof", "are 0"), ("heaptrack", "the file lacks them")] {
        let out = home.path().join(form);
        let output = unfreed(&["export", plain(&log), "--as", form, "-o", plain(&out)]);
        let said = String::from_utf8_lossy(&output.stderr).replace('\n', " ");
        assert!(output.status.success() && said.contains(says), "{form}: {said}");
    }
    let Some(profile) = read_pprof(&home.path().join("pprof")) else { return };
    let samples = profile["samples"].as_array().unwrap().iter();
    assert_eq!(samples.map(|s| s["values"][3].as_u64().unwrap()).sum::<u64>(), u64::from(bytes));
}
