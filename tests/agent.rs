//! Programs with known counts, run under the real agent: what is recorded is what they did, and
//! they behave as without us. `tests/programs/README.md` has the counts.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;
mod traced;

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use support::process::{LIMIT, Running, run};
use support::programs;
use support::signal::Signal;
use traced::{Traced, UNFREED, of, record_every_event};
use unfreed::event::{Exit, Function, Lost, What};

/// The same with every event told by itself.
fn every_event_of(program: &Path, arguments: &[&str]) -> Traced {
    let mut command = vec![OsString::from(program)];
    command.extend(arguments.iter().map(OsString::from));
    record_every_event(&command)
}

#[test]
fn an_exit_status_passes() {
    let traced = of(&programs::c("exit3"), &[]);
    assert_eq!(traced.finished.code(), Some(3), "{}", traced.finished.err());
    assert_eq!(traced.finished.out(), "allocated=10 freed=9\n");
    assert_eq!(traced.exit(0), Exit::Status(3));
    assert_eq!(traced.live_of_size(0, 109), 1);
    traced.assert_whole();
}

#[test]
fn death_by_a_signal_passes() {
    let traced = of(&programs::c("segv"), &[]);
    assert_eq!(traced.finished.code(), Some(128 + 11), "{}", traced.finished.err());
    assert_eq!(traced.exit(0), Exit::Signal(11));
    assert_eq!(traced.live_of_size(0, 64), 5);
}

#[test]
fn ctrl_c_is_the_program_s_own() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("trace");
    let mut command = Command::new(UNFREED);
    command.args(["record", "--quiet", "--target-status", "-o"]).arg(&file).arg("--");
    let running = Running::start(command.arg(programs::c("sigint")).arg("handle"));
    running.wait_for("ready\n", LIMIT);
    running.signal_group(Signal::Interrupt);
    let finished = running.finish(LIMIT);
    assert_eq!((finished.code(), finished.out().as_str()), (Some(7), "ready\nsignal=2\n"));
    assert_eq!(traced::read(&file).1, 0);
}

#[test]
fn a_signal_to_us_is_passed_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(UNFREED);
    command.args(["record", "--quiet", "--target-status", "-o"]);
    command.arg(directory.path().join("trace")).arg("--");
    let running = Running::start(command.arg(programs::c("sigint")).arg("ignore"));
    running.wait_for("ready\n", LIMIT);
    running.signal_group(Signal::Interrupt);
    running.signal(Signal::Terminate);
    let finished = running.finish(LIMIT);
    assert_eq!((finished.code(), finished.out().as_str()), (Some(0), "ready\nsignal=15\n"));
}

#[test]
fn standard_streams_are_the_program_s_own() {
    let program = programs::c("streams");
    let bare = Running::start_with_input(&mut Command::new(&program), b"in\0put").finish(LIMIT);
    let mut command = Command::new(UNFREED);
    let directory = tempfile::tempdir().unwrap();
    command.args(["record", "--quiet", "--target-status", "-o"]);
    command.arg(directory.path().join("trace")).arg("--").arg(&program);
    let traced = Running::start_with_input(&mut command, b"in\0put").finish(LIMIT);
    assert_eq!(traced.stdout, bare.stdout);
    assert_eq!(traced.stderr, bare.stderr);
    assert_eq!(traced.code(), bare.code());
}

#[test]
fn every_function_of_c_is_recorded() {
    let traced = every_event_of(&programs::c("functions"), &[]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    traced.assert_whole();
    assert_eq!(traced.replay(0).unmatched, 0);
    let mut by_function = std::collections::BTreeMap::new();
    for event in &traced.events {
        if let What::Alloc(alloc) = event.what
            && (70..=5000).contains(&alloc.size.0)
        {
            *by_function.entry(alloc.function).or_insert(0) += 1;
        }
    }
    for function in [
        Function::Malloc,
        Function::Calloc,
        Function::Realloc,
        Function::Reallocarray,
        Function::PosixMemalign,
        Function::AlignedAlloc,
        Function::Memalign,
        Function::Valloc,
        Function::Pvalloc,
    ] {
        let count = by_function.get(&function).copied().unwrap_or(0);
        assert!(count >= 10, "{function:?}: {by_function:?}");
    }
}

#[test]
fn every_form_of_new_and_delete_is_recorded_once() {
    let traced = every_event_of(&programs::cxx("functions_new"), &[]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    traced.assert_whole();
    let replay = traced.replay(0);
    assert_eq!(replay.unmatched, 0, "a delete was recorded twice, or a new not at all");
    for size in 101..=108 {
        assert_eq!(traced.live_of_size(0, size), 1, "size {size}");
        let news = traced.allocations(size, Function::New);
        let arrays = traced.allocations(size, Function::NewArray);
        assert_eq!(news + arrays, 10, "size {size}: {news} new, {arrays} new[]");
    }
}

#[test]
fn reallocs_that_race_for_addresses_are_resolved() {
    let traced = of(&programs::c("realloc_threads"), &[]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    assert!(traced.finished.count("moved") > 0, "the case was not reached");
    traced.assert_whole();
    assert_eq!(traced.replay(0).unmatched, 0);
    assert_eq!(traced.live_of_size(0, 4700), 1);
}

#[test]
fn a_realloc_that_fails_leaves_the_block() {
    let traced = of(&programs::c("realloc_fail"), &[]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    traced.assert_whole();
    assert_eq!(traced.live_of_size(0, 80), 50);
}

#[test]
fn a_program_is_followed_through_a_script() {
    let program = programs::c("exit3");
    let traced = of(&programs::script("start.sh"), &[program.to_str().unwrap()]);
    assert_eq!(traced.finished.code(), Some(3), "{}", traced.finished.err());
    let (id, _) = *traced.processes().iter().find(|(_, process)| process.name == "exit3").unwrap();
    assert_eq!(traced.live_of_size(id.0, 109), 1);
}

#[test]
fn an_ignored_sigpipe_stays_ignored() {
    let directory = tempfile::tempdir().unwrap();
    let script = format!(
        "trap '' PIPE; exec {UNFREED} record -q -o {}/trace -- grep SigIgn /proc/self/status",
        directory.path().display()
    );
    let finished = run(Command::new("/bin/sh").args(["-c", &script]), LIMIT).expect_code(0);
    let ignored = finished.out().split_whitespace().nth(1).map(|set| u64::from_str_radix(set, 16));
    const PIPE: u64 = 1 << 12;
    assert_eq!(ignored.unwrap().unwrap() & PIPE, PIPE, "{}", finished.out());
}

#[test]
fn a_program_reached_through_another_is_not_taken_for_traced() {
    for program in [programs::static_c("linger"), programs::c("own_malloc")] {
        let mut command = Command::new(UNFREED);
        let finished = run(command.args(["run", "--", "/usr/bin/env"]).arg(&program), LIMIT);
        let told = finished.err().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains("not traced"), "{told}");
        assert_eq!(finished.code(), Some(2), "{}", finished.out());
    }
}

#[test]
fn a_program_that_cannot_be_traced_is_an_error_with_a_way_out() {
    for (program, why) in
        [(programs::static_c("exit3"), "statically linked"), (programs::c("own_malloc"), "defines")]
    {
        let finished = run(Command::new(UNFREED).args(["run", "--"]).arg(&program), LIMIT);
        assert_eq!(finished.code(), Some(2), "{}", finished.err());
        let told = finished.err().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(why) && told.contains("valgrind"), "{told}");
        assert_eq!(finished.out(), "", "a verdict on what was not seen");
    }
}

#[test]
fn a_loss_is_told_before_the_events_it_spoils() {
    let traced = every_event_of(&programs::c("hurry"), &["stop"]);
    assert!(traced.lost().contains_key(&Lost::Allocations), "half of it was not read in time");
    let mut live = std::collections::HashSet::new();
    let mut lost_yet = false;
    for event in &traced.events {
        match &event.what {
            What::Alloc(alloc) => drop(live.insert(alloc.address)),
            What::Realloc(realloc) => {
                live.remove(&realloc.old);
                live.insert(realloc.new);
            }
            What::Free(free) if free.address.0 != 0 => {
                let known = live.remove(&free.address);
                assert!(known || lost_yet, "freed unseen at {:?}, before any loss", event.time);
            }
            What::Loss(loss) => lost_yet |= loss.what == Lost::Allocations,
            _ => {}
        }
    }
    assert!(lost_yet);
}
