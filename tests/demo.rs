//! The tour a newcomer sees first, by the real binary: two real runs, and all that must be shown.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::compile::root;
use support::process::{Finished, LIMIT, run};
use tempfile::TempDir;

/// The whole tour, on a machine that has other things to do too.
const PATIENCE: Duration = Duration::from_secs(30);

/// A home that takes no files, and a place for temporary ones that shows what is left behind.
struct Visitor {
    home: TempDir,
    temporary: TempDir,
}

impl Visitor {
    fn new() -> Visitor {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o500)).unwrap();
        Visitor { home, temporary: tempfile::tempdir().unwrap() }
    }

    /// `unfreed` in that home, with nothing else in the environment but PATH.
    fn unfreed(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unfreed"));
        command.args(arguments).current_dir(&self.home).env_clear().env("HOME", self.home.path());
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command
    }

    /// Files and directories that are still there, but for the directory in which `unfreed mark`
    /// meets a running trace: that stays, empty.
    fn left_behind(&self) -> Vec<PathBuf> {
        let entries = |path: &Path| {
            let entries = fs::read_dir(path).into_iter().flatten();
            entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
        };
        let mut left = entries(self.home.path());
        left.extend(entries(self.temporary.path()));
        left.retain(|path| !path.is_dir() || !entries(path).is_empty());
        left
    }
}

fn json(finished: &Finished) -> Value {
    serde_json::from_slice(&finished.stdout).unwrap_or_else(|error| {
        panic!("not one JSON object: {error}\n{}\n{}", finished.out(), finished.err())
    })
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

#[test]
fn the_leak_is_found_blamed_and_gone_with_the_fix() {
    let visitor = Visitor::new();
    let finished = run(&mut visitor.unfreed(&["demo", "--json"]), LIMIT);
    let tour = json(&finished);
    let finished = finished.expect_code(0);
    assert_eq!(finished.err(), "", "nothing is told where nobody reads");
    let nothing = serde_json::json!({"events": 0, "frees": 0, "stacks": 0, "bytes": 0});
    for report in [&tour["before"], &tour["after"]] {
        assert_eq!(report["losses"], nothing);
        assert_eq!(report["target"][0]["exit"], serde_json::json!({"status": 0}));
        assert!(report["totals"]["allocations"].as_u64().unwrap() > 40_000);
        assert!(report["smallest_detectable_bytes_per_s"].as_f64().unwrap() < 100_000.0);
    }

    let suspects = tour["before"]["suspects"].as_array().unwrap();
    assert_eq!(suspects.len(), 1, "{suspects:#?}");
    let suspect = &suspects[0];
    assert_eq!(text(suspect, "/function"), "archive_remember_sender");
    assert_eq!(text(suspect, "/module/name"), "libcourier-archive.so");
    assert_eq!(text(suspect, "/module/version"), "1.2.0");
    assert_eq!(text(suspect, "/module/package"), "courier-archive 1.2.0");
    assert_eq!(suspect["live_blocks"], 6000);
    let confidence = suspect["confidence"].as_f64().unwrap();
    assert!(confidence > tour["before"]["min_confidence"].as_f64().unwrap(), "{confidence}");
    let fixes = suspect["fixes"].as_array().unwrap();
    let ids: Vec<_> = fixes.iter().map(|fix| text(fix, "/id")).collect();
    assert_eq!(ids, ["DEMO-ARCHIVE-1"]);
    assert_eq!(text(&fixes[0], "/status"), "applies");
    assert_eq!(text(&fixes[0], "/remedy/version"), "1.2.1");
    assert!(text(&fixes[0], "/title").contains("made up"));

    assert_eq!(tour["after"]["suspects"], serde_json::json!([]));
    let changes = tour["diff"]["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1, "{changes:#?}");
    assert_eq!(text(&changes[0], "/outcome"), "fixed");
    assert_eq!(text(&changes[0], "/matched_by"), "stack");
    assert_eq!(text(&changes[0], "/version_before"), "1.2.0");
    assert_eq!(text(&changes[0], "/version_after"), "1.2.1");
}

#[test]
fn the_text_tells_the_same_within_80_columns_and_leaves_nothing_behind() {
    let visitor = Visitor::new();
    let mut command = visitor.unfreed(&["demo"]);
    let finished = run(command.env("TMPDIR", visitor.temporary.path()), LIMIT).expect_code(0);
    assert!(finished.elapsed < PATIENCE, "{:?}", finished.elapsed);
    assert_eq!(finished.err(), "");
    assert_eq!(visitor.left_behind(), Vec::<PathBuf>::new());
    let out = finished.out();
    for line in out.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        assert!(!line.contains('\x1b'), "{line:?}");
    }
    let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut rest = words.as_str();
    for part in [
        "== 1 of 3: a program leaks ==",
        "made up",
        "libcourier-archive.so 1.2.0 keeps blocks that archive_remember_sender allocates",
        "Published fix DEMO-ARCHIVE-1: applies.",
        "Nothing was lost.",
        "> archive_remember_sender libcourier-archive.so",
        "== 2 of 3: the fix is installed ==",
        "No suspect. A leak slower than",
        "== 3 of 3: did it help? ==",
        "1 suspect: 1 fixed.",
        "version 1.2.1: no suspect",
        "== Your turn ==",
        "run -- YOUR-PROGRAM",
    ] {
        let at = rest.find(part).unwrap_or_else(|| panic!("no {part:?} in its place in {out}"));
        rest = &rest[at + part.len()..];
    }
    assert!(!out.contains("delivered 6000"), "what the courier says is not the result");
}

#[test]
fn where_programs_cannot_be_written_the_next_place_is_taken() {
    let visitor = Visitor::new();
    let mut command = visitor.unfreed(&["demo", "--quiet"]);
    command.env("TMPDIR", visitor.home.path().join("not-there"));
    let finished = run(&mut command, LIMIT).expect_code(0);
    assert!(finished.out().contains("1 suspect: 1 fixed."), "{}", finished.out());
}

#[test]
fn an_interrupted_tour_says_so() {
    let visitor = Visitor::new();
    let running = support::process::Running::start(&mut visitor.unfreed(&["demo"]));
    running.wait_for("1 of 3", LIMIT);
    // The terminal's Ctrl-C goes to the courier too, which ends early and cleanly.
    let plug_in_loaded = |pid: &u32| {
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        *pid != running.pid() && maps.contains("libcourier-archive.so")
    };
    let deadline = Instant::now() + LIMIT;
    while !support::procfs::family(running.pid()).iter().any(plug_in_loaded) {
        assert!(Instant::now() < deadline, "the courier never ran");
        std::thread::yield_now();
    }
    running.signal_group(support::signal::Signal::Interrupt);
    let finished = running.finish(LIMIT).expect_code(2);
    let err = finished.err().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(err.contains("courier did not get to its end"), "{err}");
    assert!(err.contains("what to do: run the demo again"), "{err}");
    assert!(!finished.out().contains("2 of 3"), "{}", finished.out());
}

#[test]
fn only_the_demo_knows_its_fix_and_it_is_whole() {
    let visitor = Visitor::new();
    let listed = run(&mut visitor.unfreed(&["fixes", "list"]), LIMIT).expect_code(0);
    assert!(listed.out().contains("KB891509"), "{}", listed.out());
    assert!(!listed.out().contains("DEMO"), "{}", listed.out());
    let demo = root().join("demo");
    run(&mut visitor.unfreed(&["fixes", "check", demo.to_str().unwrap()]), LIMIT).expect_code(0);
}
