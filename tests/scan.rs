//! Reachability: what a scan of real programs says, against what they did by construction.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod attached;
#[path = "scan/scanned.rs"]
mod scanned;
mod support;
mod traced;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use scanned::{Ready, Scanned, cored, scanned};
use support::compile::{Compile, Language};
use support::process::LIMIT;
use support::programs;
use support::signal::{Signal, send};
use unfreed::event::RootKind;

/// How many of a function's blocks may be taken for referenced because an old value was left somewhere.
const LEFT: u64 = 1;

#[track_caller]
fn assert_lost(scanned: &Scanned, function: &str, blocks: u64) {
    let lost = scanned.of(function, None);
    assert_eq!(scanned.all(function), blocks, "{function}: {scanned:#?}");
    assert!(lost + LEFT >= blocks, "{function}: {lost} of {blocks} lost\n{scanned:#?}");
}

#[track_caller]
fn assert_held(scanned: &Scanned, function: &str, blocks: u64, by: RootKind) {
    assert_eq!(scanned.all(function), blocks, "{function}: {scanned:#?}");
    assert_eq!(scanned.of(function, Some(by)), blocks, "{function}: {scanned:#?}");
}

/// All that the program holds and has lost by construction.
#[track_caller]
fn assert_parent(parent: &Scanned) {
    assert_lost(parent, "lost_alone", 100);
    assert_lost(parent, "lost_pair", 200);
    assert_lost(parent, "lost_large", 10);
    assert_lost(parent, "lost_behind_lost", 100);
    assert_lost(parent, "lost_in_arena", 20);
    assert_held(parent, "held_by_global", 101, RootKind::Global);
    assert_held(parent, "held_large", 1, RootKind::Global);
    assert_held(parent, "held_by_large", 100, RootKind::Global);
    assert_held(parent, "held_inside", 100, RootKind::Global);
    assert_eq!(parent.interior("held_inside"), 100);
    assert_eq!(parent.interior("held_by_global"), 0);
    assert_held(parent, "held_by_stack", 10, RootKind::Stack);
    assert_held(parent, "held_by_thread", 20, RootKind::Stack);
    assert_held(parent, "held_thread_local", 30, RootKind::ThreadLocal);
    assert_held(parent, "held_by_register", 1, RootKind::Register);
    assert_held(parent, "held_by_mapping", 10, RootKind::Mapping);
    assert_held(parent, "held_by_plugin", 10, RootKind::Global);
    assert_eq!(parent.modules("held_by_plugin"), ["libreach_plugin.so"]);
    assert_eq!(parent.modules("held_by_global"), ["reach"]);
    // A limit: who disguises pointers seems to have lost them.
    assert_lost(parent, "hidden", 100);
}

#[test]
fn every_way_to_hold_a_block_is_seen_and_a_lost_block_is_lost() {
    let plugin = programs::plug_in("reach_plugin", "reach_plugin");
    let program = programs::c("reach");
    let processes = scanned(&program, &[plugin.to_str().unwrap()], &[]);
    let [parent, child] = processes.as_slice() else { panic!("{processes:#?}") };
    assert_eq!((&parent.failed, parent.whole), (&None, true), "{processes:#?}");
    assert_parent(parent);

    // What it inherited is not known block by block, and all of it counts.
    assert_eq!((&child.failed, child.whole), (&None, false));
    assert_held(child, "held_by_child", 10, RootKind::Untold);
    assert_lost(child, "lost_by_child", 10);
}

/// Who was attached to has blocks that nobody knows: memory that is in none of the known ones refers to what it has
/// addresses of, so that an old address left behind there holds a block. Nothing that is held seems lost for that.
#[test]
fn a_program_that_was_attached_to_is_scanned_like_one_that_was_run() {
    attached::require_attach!();
    let plugin = programs::plug_in("reach_plugin", "reach_plugin");
    let program = programs::c("reach");
    let mut ready = Ready::attached(&program, &[plugin.to_str().unwrap()], &[]);
    ready.assert_works();
    let processes = ready.scanned("reach");
    println!("{processes:#?}");
    let parent = &processes[0];
    assert_eq!((&parent.failed, parent.whole), (&None, false));
    for (function, blocks) in [
        ("lost_alone", 100),
        ("lost_pair", 200),
        ("lost_large", 10),
        ("lost_behind_lost", 100),
        ("lost_in_arena", 20),
        ("hidden", 100),
    ] {
        assert_eq!(parent.all(function), blocks, "{function}");
        let lost = parent.of(function, None);
        assert!(lost * 10 >= blocks * 8, "{function}: {lost} of {blocks} lost");
    }
    for (function, blocks, by) in [
        ("held_by_global", 101, RootKind::Global),
        ("held_large", 1, RootKind::Global),
        ("held_by_large", 100, RootKind::Global),
        ("held_inside", 100, RootKind::Global),
        ("held_by_plugin", 10, RootKind::Global),
        ("held_by_stack", 10, RootKind::Stack),
        ("held_by_thread", 20, RootKind::Stack),
        ("held_thread_local", 30, RootKind::ThreadLocal),
        ("held_by_mapping", 10, RootKind::Mapping),
    ] {
        assert_held(parent, function, blocks, by);
    }
    assert_eq!((parent.all("held_by_register"), parent.of("held_by_register", None)), (1, 0));
    // What the child allocates until unfreed has attached to it is not known; what it holds is not lost either.
    let child = &processes[1];
    assert_eq!((&child.failed, child.whole), (&None, false));
    assert_eq!(child.of("held_by_child", None), 0);
}

/// Both found the same of each function's blocks, but for old values left behind. Of a core that may be younger than the
/// trace not all blocks are known, so that what the allocators of two threads keep in their free memory counts.
#[track_caller]
fn assert_same(live: &Scanned, core: &Scanned) {
    for (function, all) in live.functions() {
        assert_eq!(core.all(function), all, "{function}");
        let untold = core.of(function, Some(RootKind::Untold));
        let (lost, of) = (live.of(function, None), core.of(function, None) + untold);
        println!("{function}: of {all} lost {lost}, by the core {of}, of these {untold} untold");
        let alike = lost.abs_diff(of) <= LEFT && untold <= 2;
        assert!(alike, "{function}: {lost} {of}\n{live:#?}\n{core:#?}");
    }
    assert_eq!(live.functions(), core.functions());
}

/// The scan of a process, as the report of a trace with its core has it.
fn analyzed(trace: &Path, core: &Path, pid: u32) -> serde_json::Value {
    let output = analyze(trace, core, &["--json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_ne!(output.status.code(), Some(2), "{said}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |target: &&serde_json::Value| target["pid"] == pid && target["name"] == "reach";
    report["target"].as_array().unwrap().iter().find(of).unwrap()["scan"].clone()
}

fn analyze(trace: &Path, core: &Path, options: &[&str]) -> Output {
    let mut unfreed = Command::new(traced::UNFREED);
    unfreed.args(["analyze", "--core"]).arg(core).args(options).arg(trace);
    unfreed.output().unwrap()
}

/// A core of it as gdb writes it, while the program idles: it says what a scan of the same moment says.
#[test]
fn a_core_of_the_running_program_says_what_the_scan_says() {
    let gcore = support::require!("gcore");
    let plugin = programs::plug_in("reach_plugin", "reach_plugin");
    let ready = Ready::start(&programs::c("reach"), &[plugin.to_str().unwrap()], &[]);
    let (pid, directory) = (ready.pid, tempfile::tempdir().unwrap());
    let core = directory.path().join(format!("core.{pid}"));
    let prefix = directory.path().join("core");
    let made = Command::new(gcore).arg("-o").arg(prefix).arg(pid.to_string()).output().unwrap();
    assert!(core.exists(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut found = None;
    let live = &ready.scanned_by("reach", |trace| {
        found = Some((analyzed(trace, &core, pid), cored(trace, &core)));
    })[0];
    let (scan, of) = found.unwrap();
    assert!(scan["failed"].is_null() && scan["stopped_s"].is_null(), "{scan}");
    assert_eq!(scan["whole"], false, "{scan}");
    assert!(scan["unread"].as_str().unwrap().contains("by its file's time"), "{scan}");
    assert_eq!(of.modules("held_by_plugin"), ["libreach_plugin.so"]);
    assert_eq!(of.modules("held_by_global"), ["reach"]);
    assert_same(live, &of);
}

/// The core that the kernel writes as the program is ended: nothing happened since, and all is known.
#[test]
fn the_core_that_a_program_leaves_is_of_its_last_moment() {
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if pattern.contains(['|', '/', '%']) {
        support::skip!("cores do not go to the working directory here: {}", pattern.trim());
    }
    let plugin = programs::plug_in("reach_plugin", "reach_plugin");
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    let script = "ulimit -c unlimited; exec \"$0\" \"$@\"";
    let mut unfreed = Command::new(traced::UNFREED)
        .args(["record", "--quiet", "--embed-symbols", "-o"])
        .arg(&trace)
        .args(["--", "/bin/sh", "-c", script])
        .arg(programs::c("reach"))
        .arg(&plugin)
        .current_dir(directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(unfreed.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let pid: u32 = line.trim().parse().unwrap();
    unfreed.stdin.take().unwrap().write_all(b"!").unwrap();
    unfreed.wait().unwrap();
    let mut files = std::fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().path());
    let core = files.find(|file| *file != trace).expect("a core");
    let scan = analyzed(&trace, &core, pid);
    assert!(scan["failed"].is_null() && scan["unread"].is_null(), "{scan}");
    assert_eq!((&scan["whole"], &scan["unread_bytes"]), (&true.into(), &0.into()), "{scan}");
    let of = cored(&trace, &core);
    assert_parent(&of);
    assert_lost(&of, "lost_in_arena", 20);

    // It is refused for another trace, and what is no core for any.
    let other = directory.path().join("other");
    let mut record = Command::new(traced::UNFREED);
    record.args(["record", "--quiet", "-o"]).arg(&other).args(["--", "/bin/true"]);
    assert!(record.status().unwrap().success());
    for (trace, core, said) in [
        (&other, &core, "which is not in the trace"),
        (&trace, &trace, "it is no core dump"),
        (&trace, &programs::c("reach"), "it is no core dump"),
    ] {
        let output = analyze(trace, core, &[]);
        let err = String::from_utf8_lossy(&output.stderr);
        let err = err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(output.status.code() == Some(2) && err.contains(said), "{err}");
    }
}

/// What LeakSanitizer says of the same program at the same moment: blocks by function.
#[test]
fn leak_sanitizer_finds_the_same_but_for_mapped_memory() {
    let probe = Command::new("cc")
        .args(["-fsanitize=leak", "-x", "c", "-", "-o", "/dev/null"])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    if String::from_utf8_lossy(&probe.stderr).contains("sanitize")
        || String::from_utf8_lossy(&probe.stderr).contains("cannot find")
    {
        support::skip!("this compiler has no LeakSanitizer");
    }
    let sanitized = Compile::new(Language::C, "reach_sanitized", &["tests/programs/reach.c"])
        .flags(&["-pthread", "-ldl", "-fsanitize=leak"])
        .build();
    let plugin = programs::plug_in("reach_plugin", "reach_plugin");
    let output = Command::new(sanitized)
        .arg(&plugin)
        .stdin(Stdio::null())
        .env("LSAN_OPTIONS", "exitcode=0")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let program = programs::c("reach");
    let ours = &scanned(&program, &[plugin.to_str().unwrap()], &[])[0];
    // Once as it is ready; what it says as it ends comes after.
    let first = said.split("SUMMARY").next().unwrap();
    let mut differences = Vec::new();
    for (function, all) in ours.functions() {
        let theirs: u64 = first
            .split("\n\n")
            .filter(|leak| leak.contains(&format!(" in {function} ")))
            .filter_map(|leak| {
                leak.split(" byte(s) in ").nth(1)?.split(' ').next()?.parse::<u64>().ok()
            })
            .sum();
        let lost = ours.of(function, None);
        println!("{function}: of {all} blocks lost: {lost}, by LeakSanitizer {theirs}");
        if function != "others" && lost.abs_diff(theirs) > LEFT {
            differences.push((function.to_owned(), lost, theirs));
        }
    }
    // It does not look into memory that a program maps by itself.
    assert_eq!(differences, [("held_by_mapping".to_owned(), 0, 10)], "{said}");
}

/// One of its threads waits in the kernel, where it cannot be stopped: the scan of it is given up, in time, and
/// all the others go on.
#[test]
fn what_cannot_be_stopped_in_time_is_given_up() {
    let plugin = programs::plug_in("reach_plugin", "reach_plugin");
    let arguments = [plugin.to_str().unwrap(), "sleeps"];
    let began = Instant::now();
    let processes = scanned(&programs::c("reach"), &arguments, &["--scan-limit", "300ms"]);
    assert!(began.elapsed() < LIMIT);
    let failed = processes[0].failed.as_deref().unwrap();
    assert!(failed.contains("did not stop in time"), "{failed}");
    assert_eq!(processes[0].all("lost_alone"), 0);
    // The other process is none the worse for it.
    assert_eq!(processes[1].failed, None);
    assert_lost(&processes[1], "lost_by_child", 10);
}

/// Of such a process the kernel shows no memory under its first thread's number.
#[test]
fn a_process_whose_first_thread_has_ended_is_scanned() {
    let plugin = programs::plug_in("reach_plugin", "reach_plugin");
    let processes = scanned(&programs::c("reach"), &[plugin.to_str().unwrap(), "leaves"], &[]);
    let parent = &processes[0];
    assert_eq!((&parent.failed, parent.whole), (&None, true));
    assert_lost(parent, "lost_alone", 100);
    assert_held(parent, "held_by_global", 101, RootKind::Global);
    assert_eq!(parent.modules("held_by_plugin"), ["libreach_plugin.so"]);
    assert_held(parent, "held_by_thread", 20, RootKind::Stack);
}

/// Job control is none of ours: it stays stopped, and goes on when it is continued.
#[test]
fn what_is_stopped_is_scanned_and_stays_stopped() {
    let plugin = programs::plug_in("reach_plugin", "reach_plugin");
    let ready = Ready::start(&programs::c("reach"), &[plugin.to_str().unwrap()], &[]);
    let pid = ready.pid;
    send(pid, Signal::Stop);
    wait_for_state(pid, "T");
    let processes = ready.scanned_by("reach", |_| {
        wait_for_state(pid, "T");
        send(pid, Signal::Continue);
    });
    assert_eq!(processes[0].failed, None);
    assert_lost(&processes[0], "lost_alone", 100);
}

/// Waits until a process's first thread is in this state.
#[track_caller]
fn wait_for_state(pid: u32, state: &str) {
    let began = Instant::now();
    loop {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("State:")).unwrap();
        if line.starts_with(&format!("State:\t{state}")) {
            return;
        }
        assert!(began.elapsed() < LIMIT, "{line}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whoever is killed while the program stands still lets it go on.
#[test]
fn the_program_goes_on_if_unfreed_is_killed_in_the_middle() {
    let plugin = programs::plug_in("reach_plugin", "reach_plugin");
    let arguments = [plugin.to_str().unwrap(), "sleeps"];
    let mut ready = Ready::start(&programs::c("reach"), &arguments, &["--scan-limit", "10m"]);
    let began = Instant::now();
    while !stands_still(ready.pid) {
        send(ready.unfreed(), Signal::Terminate);
        assert!(began.elapsed() < LIMIT, "it is never stopped");
        std::thread::sleep(Duration::from_millis(5));
    }
    send(ready.unfreed(), Signal::Kill);
    ready.wait();
    ready.assert_works();
}

/// Memory that is shared with others may hold what this process has not looked at.
#[test]
fn shared_memory_that_was_not_touched_is_said() {
    let plugin = programs::plug_in("reach_plugin", "reach_plugin");
    let processes = scanned(&programs::c("reach"), &[plugin.to_str().unwrap(), "shares"], &[]);
    let parent = &processes[0];
    assert_eq!((&parent.failed, parent.whole), (&None, false));
    // Two mebibytes, of which one page was written to.
    assert_eq!(parent.unread_shared, (2 << 20) - 4096);
    // Otherwise everything is known.
    assert_eq!(parent.of("held_by_global", Some(RootKind::Untold)), 0);
    assert_lost(parent, "lost_alone", 100);
}

/// Whether the first thread of a process is stopped by a tracer.
fn stands_still(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().any(|line| line.starts_with("State:\tt"))
}

/// Its memory goes with a process: there is nothing to scan, and that is said.
#[test]
fn a_program_that_ended_by_itself_was_not_scanned() {
    let json = Command::new(traced::UNFREED)
        .args(["run", "--scan", "--json", "--", "/bin/true"])
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let scan = &report["target"][0]["scan"];
    assert!(scan["failed"].as_str().unwrap().contains("had ended by itself"), "{scan}");
    assert!(scan["lost_blocks"].is_null() && scan["stopped_s"].is_null(), "{scan}");
}

/// `cargo test --release --test scan -- --ignored --nocapture`: for `docs/verdicts.md`.
#[test]
#[ignore = "takes a minute and 3 GB, and measures"]
fn a_gigabyte_of_small_blocks_stands_still_for_less_than_the_limit() {
    for mebibytes in [100, 1024] {
        let processes = scanned(&programs::c("heap"), &[&mebibytes.to_string()], &[]);
        let heap = &processes[0];
        assert_eq!(heap.failed, None);
        let (all, lost) = (heap.all("held_or_lost"), heap.of("held_or_lost", None));
        println!(
            "{mebibytes} MiB: {all} blocks, {lost} lost, {} bytes read, stood still for {:?}",
            heap.read, heap.stopped
        );
        // Whether the tracer could follow all of it or not.
        assert!(heap.stopped < Duration::from_secs(1));
        assert!(lost.abs_diff(all / 100) <= all / 10_000, "{lost} of {all}");
    }
}
