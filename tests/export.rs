//! Exports: other tools open them and say the same of them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![cfg(target_os = "linux")]

mod support;
mod synth;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use synth::Synth;

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
    let exported = file.with_extension("heaptrack");
    done(
        &[&["export", plain(file), "--as", "heaptrack", "-q", "-o", plain(&exported)], more]
            .concat(),
    );
    exported
}

/// What heaptrack_print says of a file: a number for each innermost function.
fn printed(file: &Path, what: &str) -> BTreeMap<String, u64> {
    let flames = file.with_extension(what);
    let mut command = Command::new("heaptrack_print");
    command.arg("-f").arg(file).arg("-F").arg(&flames).args(["--flamegraph-cost-type", what]);
    let output = command.arg("--disable-builtin-suppressions").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("failed to parse"), "{said}");
    let mut sums = BTreeMap::new();
    for line in fs::read_to_string(&flames).unwrap().lines() {
        let (stack, number) = line.rsplit_once(' ').unwrap();
        let innermost = stack.trim_end_matches(';').rsplit(';').next().unwrap();
        let function = innermost.split(" (").next().unwrap().to_owned();
        *sums.entry(function).or_default() += number.parse::<u64>().unwrap();
    }
    sums
}

/// Expects the same sums of both tools.
fn same_sums(trace: &Path, exported: &Path) {
    let totals = &analyze(trace)["totals"];
    let of = |name: &str| totals[name].as_u64().unwrap();
    let sum = |what| printed(exported, what).values().sum::<u64>();
    assert_eq!(sum("allocations"), of("allocations"));
    assert_eq!(sum("leaked"), of("live_bytes"));
    let again = &analyze(exported)["totals"];
    for name in ["allocations", "frees", "live_blocks", "live_bytes"] {
        assert_eq!(again[name], totals[name], "{name}");
    }
}

#[test]
fn heaptrack_print_opens_what_the_agent_recorded() {
    support::require!("cc");
    support::require!("heaptrack_print");
    let home = tempfile::tempdir().unwrap();
    let trace = home.path().join("keeps.unfreed");
    let program = support::programs::c("keeps");
    done(&["record", "-q", "-o", plain(&trace), "--", plain(&program), "3000"]);
    let exported = export(&trace, &[]);
    same_sums(&trace, &exported);
    let [allocations, leaked] = ["allocations", "leaked"].map(|what| printed(&exported, what));
    let sum = |sums: &BTreeMap<String, u64>, function| sums.get(function).copied().unwrap_or(0);
    assert_eq!([sum(&allocations, "lose"), sum(&leaked, "lose")], [3000, 3000 * 40]);
    assert_eq!([sum(&allocations, "sometimes"), sum(&leaked, "sometimes")], [30_000, 3000 * 72]);
    assert_eq!([sum(&allocations, "make"), sum(&leaked, "make")], [15_000, 0]);
    assert_eq!(sum(&printed(&exported, "temporary"), "make"), 0, "nobody knows of any");
    // And the other way round: the verdicts are the same.
    let report = analyze(&exported);
    let suspects = report["suspects"].as_array().unwrap();
    let mut functions: Vec<&str> =
        suspects.iter().map(|suspect| suspect["function"].as_str().unwrap()).collect();
    functions.sort_unstable();
    assert_eq!(functions, ["lose", "sometimes"], "{report:#}");
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
fn names_and_modules_of_another_system_come_along() {
    support::require!("heaptrack_print");
    let home = tempfile::tempdir().unwrap();
    let trace = home.path().join("windows.unfreed");
    fs::write(&trace, story(1)).unwrap();
    let exported = export(&trace, &[]);
    same_sums(&trace, &exported);
    let text = fs::read_to_string(&exported).unwrap();
    assert!(text.contains(" CMailbox::Open\n") && text.contains("Cdoexm.dll\n"), "{text}");
    assert_eq!(printed(&exported, "leaked").values().sum::<u64>(), 500 * 260);
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
    let out = done(&["export", plain(&trace), "--as", "heaptrack"]);
    assert_eq!(out, fs::read(export(&trace, &[])).unwrap());
    let failed = unfreed(&["export", plain(&trace), "--as", "pictures"]);
    assert_eq!(failed.status.code(), Some(2));
}
