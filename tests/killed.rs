//! What an end in the middle leaves: the recorder killed, the disk full, the target killed. The
//! target never notices what happens to its recorder, and what was recorded can be read.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::ffi::OsString;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::process::{LIMIT, Running, run};
use support::procfs;
use support::programs::{self, Archiver};
use support::signal::{self, Signal};
use unfreed::read::trace::Reader;

const UNFREED: &str = env!("CARGO_BIN_EXE_unfreed");
const MESSAGES: u64 = 10_000;
const COUNTS: &str = "warm-up done\nload done\nhandled=10000 stored=10000\n";

/// The server that loses a block with every message; five seconds of load.
fn server() -> Vec<OsString> {
    let server = programs::server(Archiver::Leaking, MESSAGES, 4);
    let mut command = vec![server.get_program().to_owned()];
    command.extend(server.get_args().map(OsString::from));
    command.extend(["--rate", "2000"].map(OsString::from));
    command
}

fn record(trace: &Path, command: &[OsString]) -> Command {
    let mut record = Command::new(UNFREED);
    record.args(["record", "--output"]).arg(trace).arg("--").args(command);
    record
}

fn analyze(trace: &Path) -> Value {
    let mut command = Command::new(UNFREED);
    let finished = run(command.args(["analyze", "--json"]).arg(trace), LIMIT);
    assert!(matches!(finished.code(), Some(0 | 1)), "{}", finished.err());
    serde_json::from_slice(&finished.stdout).unwrap()
}

/// Fails unless the report blames the plug-in for as many blocks as it allocated.
#[track_caller]
fn assert_found(report: &Value) -> u64 {
    let suspects = report["suspects"].as_array().unwrap();
    let blamed: Vec<_> = suspects.iter().map(|suspect| &suspect["function"]).collect();
    assert_eq!(blamed.len(), 1, "{blamed:?}");
    assert_eq!(suspects[0]["module"]["name"], json!("libarchiver.so"));
    assert_eq!(suspects[0]["live_blocks"], suspects[0]["allocations"]);
    suspects[0]["live_blocks"].as_u64().unwrap()
}

/// The time in seconds that a trace reaches to at present; 0 while there is nothing to read.
fn reaches(trace: &Path) -> f64 {
    let Ok(file) = File::open(trace) else { return 0.0 };
    let Ok(mut reader) = Reader::new(BufReader::new(file)) else { return 0.0 };
    let (mut events, mut last) = (Vec::new(), 0.0);
    while reader.next_chunk(&mut events).unwrap_or(false) {
        last = events.last().map_or(last, |event| event.time.seconds());
    }
    last
}

/// Waits for something outside this process.
fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !done() {
        assert!(Instant::now() < deadline, "{what} did not come");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_killed_recorder_leaves_a_readable_trace_and_the_target_alone() {
    support::require!("c++");
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    // The script outlives the recorder and tells how the server ended.
    let mut command = vec![OsString::from(programs::script("start.sh"))];
    command.extend(server());
    // What a killed recorder leaves behind is gone with the directory.
    let running = Running::start(record(&trace, &command).env("TMPDIR", directory.path()));
    running.wait_for("warm-up done\n", LIMIT);
    wait_until("three seconds of trace", || reaches(&trace) > 3.0);
    running.signal(Signal::Kill);
    // It is killed, and the streams stay open until the server and the script have ended.
    let finished = running.finish(LIMIT);
    assert_eq!(finished.signal(), Some(9), "{}", finished.err());
    assert_eq!(finished.out(), format!("{COUNTS}script=done status=0\n"), "{}", finished.err());
    assert_eq!(finished.err(), "");

    let report = analyze(&trace);
    let faults = report["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert_eq!(faults[0]["count"], json!(1));
    let size = std::fs::metadata(&trace).unwrap().len();
    assert!(faults[0]["offset"].as_u64().unwrap() <= size);
    assert!(report["duration_s"].as_f64().unwrap() > 2.5);
    let found = assert_found(&report);
    assert!((4_000..MESSAGES).contains(&found), "{found} blocks");
    assert_eq!(
        report["target"].as_array().unwrap().last().unwrap()["exit"],
        json!("still_running")
    );

    // The last chunk cut in two: all whole ones are still read, and that is said.
    let bytes = std::fs::read(&trace).unwrap();
    let cut = directory.path().join("cut");
    std::fs::write(&cut, &bytes[..bytes.len() - 7]).unwrap();
    let report = analyze(&cut);
    assert!(!report["faults"].as_array().unwrap().is_empty());
    let fewer = report["suspects"][0]["live_blocks"].as_u64().unwrap();
    assert!((1..found).contains(&fewer), "{fewer} of {found}");
}

#[test]
fn a_full_disk_does_not_disturb_the_target() {
    support::require!("c++");
    let directory = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(directory.path().join("disk")) else {
        support::skip!("only root may mount a small disk");
    };
    let trace = disk.0.join("trace");
    let finished = run(&mut record(&trace, &server()), LIMIT);
    assert_eq!(finished.out(), COUNTS, "{}", finished.err());
    assert_eq!(finished.code(), Some(2), "it could not record all of it");
    let told = finished.err().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("No space left on device"), "{told}");
    assert!(told.contains(trace.to_str().unwrap()), "{told}");
    assert!(told.contains(" events lost"), "{told}");

    // What is there is whole chunks and one that is cut.
    let report = analyze(&trace);
    assert!(report["totals"]["allocations"].as_u64().unwrap() > 1_000, "{report:#}");
    assert!(!report["faults"].as_array().unwrap().is_empty());
}

/// A disk of 256 KiB.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Option<SmallDisk> {
        std::fs::create_dir(&at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=256k", "unfreed-test"]).arg(&at);
        let mounted = mount.output().is_ok_and(|done| done.status.success());
        mounted.then_some(SmallDisk(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || thread::panicking());
    }
}

#[test]
fn a_device_that_takes_nothing_is_told_before_the_program_runs() {
    let command = [OsString::from(programs::c("exit3"))];
    let finished = run(&mut record(Path::new("/dev/full"), &command), LIMIT).expect_code(2);
    assert_eq!(finished.out(), "", "the program did not run");
    let told = finished.err();
    assert!(told.contains("/dev/full") && told.contains("No space left on device"), "{told}");
}

#[test]
fn a_killed_target_gets_its_verdict() {
    support::require!("c++");
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report.json");
    let mut command = Command::new(UNFREED);
    command.args(["run", "--json", "--output"]).arg(&report).arg("--").args(server());
    let running = Running::start(command.arg("--wait"));
    running.wait_for("load done\n", LIMIT);
    let family = procfs::family(running.pid());
    let [_, target] = family.as_slice() else { panic!("one child, not {family:?}") };
    assert!(signal::send(*target, Signal::Kill));
    let finished = running.finish(LIMIT).expect_code(1);
    assert_eq!(finished.out(), "warm-up done\nload done\n");

    let report: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert_eq!(assert_found(&report), MESSAGES);
    assert_eq!(report["target"][0]["exit"], json!({"signal": 9}));
    assert_eq!(report["losses"], json!({"events": 0, "frees": 0, "stacks": 0, "bytes": 0}));
}

#[test]
fn a_killed_target_leaves_a_whole_trace() {
    support::require!("c++");
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    let mut command = server();
    command.push("--wait".into());
    let running = Running::start(&mut record(&trace, &command));
    running.wait_for("load done\n", LIMIT);
    let family = procfs::family(running.pid());
    let [_, target] = family.as_slice() else { panic!("one child, not {family:?}") };
    assert!(signal::send(*target, Signal::Kill));
    running.finish(LIMIT).expect_code(0);
    let report = analyze(&trace);
    assert_eq!(report["faults"], json!([]));
    assert_eq!(assert_found(&report), MESSAGES);
}

#[test]
fn a_target_that_kills_its_recorder_goes_on_as_without_it() {
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    let command = [programs::script("start.sh"), programs::c("outlive")].map(OsString::from);
    let finished = run(record(&trace, &command).env("TMPDIR", directory.path()), LIMIT);
    assert_eq!(finished.signal(), Some(9), "{}", finished.err());
    assert_eq!(finished.out(), "child=4 executed=5\nscript=done status=9\n", "{}", finished.err());
    assert_eq!(finished.err(), "", "the loader or the agent complained");
    let report = analyze(&trace);
    assert_eq!(report["suspects"], json!([]));
}

#[test]
fn what_was_done_until_a_kill_is_seen_to_the_last_block() {
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    let mut command = record(&trace, &[programs::c("self_kill").into()]);
    let finished = run(&mut command, LIMIT).expect_code(0);
    assert_eq!(finished.out(), "");
    let report = analyze(&trace);
    assert_eq!(report["target"][0]["exit"], json!({"signal": 9}));
    assert_eq!(report["faults"], json!([]));
    assert_eq!(report["losses"], json!({"events": 0, "frees": 0, "stacks": 0, "bytes": 0}));
    let bytes = report["totals"]["live_bytes"].as_u64().unwrap();
    let blocks = report["totals"]["live_blocks"].as_u64().unwrap();
    // Beside them there is what the C library keeps for each thread.
    const BLOCKS: u64 = 4 * 5_000 + 1;
    assert!((BLOCKS..BLOCKS + 20).contains(&blocks), "{blocks}");
    assert!((20_000 * 61 + 62..20_000 * 61 + 16_384).contains(&bytes), "{bytes}");
}

#[test]
fn a_limit_on_file_sizes_is_told_before_the_program_runs() {
    let directory = tempfile::tempdir().unwrap();
    let recording = record(&directory.path().join("trace"), &[programs::c("exit3").into()]);
    let mut command = Command::new("/bin/sh");
    // In blocks of 512 bytes: neither the session nor a longer trace has room.
    command.args(["-c", "ulimit -f 2048; exec \"$@\"", "sh"]);
    command.arg(recording.get_program()).args(recording.get_args());
    let finished = run(&mut command, LIMIT);
    assert_eq!(finished.code(), Some(2), "{:?} {}", finished.status, finished.err());
    assert_eq!(finished.out(), "", "the program did not run");
    assert!(finished.err().contains("File too large"), "{}", finished.err());
}

#[test]
fn a_program_is_ended_by_its_limit_on_file_sizes_as_without_us() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    let script = format!("ulimit -f 8; head -c 65536 /dev/zero > {}; echo $?", file.display());
    let command = ["/bin/sh", "-c", &script].map(OsString::from);
    let finished = run(&mut record(&directory.path().join("trace"), &command), LIMIT);
    let told = finished.err();
    assert_eq!(finished.expect_code(0).out(), "153\n", "{told}");
}
