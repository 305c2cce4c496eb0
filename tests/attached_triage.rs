//! `attach --triage` on programs that grow, each in its way, and on one that does not.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod attached;
mod support;
mod traced;

use std::process::Command;

use attached::{attach, require_attach};
use serde_json::Value;
use support::process::{LIMIT, Running, run};
use support::programs;
use support::signal::Signal;
use traced::UNFREED;

/// Watches a program of `grower.c`; what is said of it, and in words.
fn triaged(way: &str) -> Value {
    let mut command = Command::new(programs::c("grower"));
    let program = Running::start(command.arg(way));
    program.wait_for("up\n", LIMIT);
    let pid = program.pid().to_string();
    let mut unfreed = Command::new(UNFREED);
    unfreed.args(["attach", "--triage", "-q", "--json", "--duration", "3s", &pid]);
    let finished = run(&mut unfreed, LIMIT).expect_code(0);
    program.signal(Signal::Kill);
    program.finish(LIMIT);
    let triage: Value = serde_json::from_slice(&finished.stdout).unwrap();
    assert_eq!(triage["not_traced"], serde_json::json!([]));
    let processes = triage["processes"].as_array().unwrap();
    assert_eq!(processes.len(), 1, "{triage:#}");
    assert_eq!(processes[0]["pid"].to_string(), pid);
    assert_eq!(processes[0]["lost"], 0, "{triage:#}");
    println!("{way}: watched for {} s", triage["duration_s"]);
    processes[0].clone()
}

/// By how much a kind of memory grew.
fn growth(process: &Value, kind: &str) -> i64 {
    let kinds = process["kinds"].as_array().unwrap().iter();
    kinds.clone().find(|of| of["kind"] == kind).unwrap()["growth_bytes"].as_i64().unwrap()
}

/// It grew in this way, most of that is known, and this function is who did it.
#[track_caller]
fn assert_grew(way: &str, worth: &str, kind: &str, owner: &str, function: &str) -> Value {
    let process = triaged(way);
    assert_eq!(process["worth"], worth, "{process:#}");
    let grew = growth(&process, kind);
    assert!(grew > 1 << 20, "{way}: {grew}");
    let parts = process["parts"].as_array().unwrap().iter();
    let by = |part: &&Value| {
        let stack = part["stack"].as_array().unwrap();
        part["owner"] == owner && stack.iter().any(|frame| frame["function"] == function)
    };
    let known: i64 = parts.filter(by).map(|part| part["bytes"].as_i64().unwrap()).sum();
    // What is counted and what is measured are of moments that lie a little apart.
    assert!(known > grew / 4 * 3 && known < grew / 4 * 5, "{way}: {known} of {grew}: {process:#}");
    process
}

#[test]
fn a_heap_that_grows_is_worth_a_trace() {
    require_attach!();
    let process = assert_grew("small", "allocations", "heap", "allocator", "keep_small");
    let command = process["command"].as_str().unwrap();
    assert_eq!(command, format!("unfreed attach {} --duration 5m", process["pid"]));
}

#[test]
fn blocks_that_the_allocator_maps_are_its_own() {
    require_attach!();
    let process = assert_grew("large", "allocations", "anonymous", "allocator", "keep_large");
    assert_eq!(process["parts"][0]["allocator"], "libc.so.6");
}

#[test]
fn memory_that_a_program_maps_itself_is_not_worth_a_trace() {
    require_attach!();
    let process = assert_grew("maps", "mappings", "anonymous", "program", "map_own");
    assert_eq!(process["command"], Value::Null);
}

#[test]
fn pages_of_a_file_are_not_worth_a_trace() {
    require_attach!();
    assert_grew("file", "files", "file", "older", "write_to_file");
}

#[test]
fn a_stack_that_grows_is_told_as_that() {
    require_attach!();
    let process = triaged("stack");
    assert_eq!(process["worth"], "stacks", "{process:#}");
}

#[test]
fn who_gives_back_what_it_takes_is_steady() {
    require_attach!();
    let process = triaged("steady");
    assert_eq!(process["worth"], "steady", "{process:#}");
    assert_eq!(process["command"], Value::Null);
}

#[test]
fn who_ends_meanwhile_is_told() {
    require_attach!();
    let program = Running::start(Command::new(programs::c("grower")).arg("steady"));
    program.wait_for("up\n", LIMIT);
    let pid = program.pid();
    let unfreed = attach(&["attach", "--triage", "--json", &pid.to_string()]);
    program.signal(Signal::Kill);
    program.finish(LIMIT);
    let finished = unfreed.finish(LIMIT).expect_code(0);
    let triage: Value = serde_json::from_slice(&finished.stdout).unwrap();
    assert_eq!(triage["processes"], serde_json::json!([]));
    assert_eq!(triage["not_traced"][0]["program"], format!("grower (process {pid})"), "{triage:#}");
}

#[test]
fn a_triage_puts_no_probe_into_a_process() {
    require_attach!();
    let mut command = Command::new(programs::c("linger_attached"));
    let program = Running::start(&mut command);
    program.wait_for("up\n", LIMIT);
    let map = || std::fs::read_to_string(format!("/proc/{}/maps", program.pid())).unwrap();
    let unfreed = attach(&["attach", "--triage", &program.pid().to_string()]);
    assert!(!map().contains("[uprobes]"), "{}", map());
    unfreed.signal(Signal::Interrupt);
    let finished = unfreed.finish(LIMIT).expect_code(0);
    assert!(finished.out().contains("hardly grew"), "{}", finished.out());
    program.signal(Signal::Kill);
    program.finish(LIMIT);
}
