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
use traced::{Traced, UNFREED, record, record_every_event};
use unfreed::event::{Exit, Function, Lost, StackId, What};

fn of(program: &Path, arguments: &[&str]) -> Traced {
    let mut command = vec![OsString::from(program)];
    command.extend(arguments.iter().map(OsString::from));
    record(&command)
}

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
fn exceptions_pass_through_new_and_leave_nothing_set() {
    let traced = of(&programs::cxx("throwing_new"), &[]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    assert_eq!(traced.live_of_size(0, 48), 300);
    assert_eq!(traced.replay(0).unmatched, 0);
    traced.assert_whole();
}

#[test]
fn a_block_freed_on_another_thread_is_freed() {
    let traced = of(&programs::c("handoff"), &[]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    traced.assert_whole();
    let replay = traced.replay(0);
    assert_eq!(replay.unmatched, 0);
    // The program's own 100, its output's buffer, and what the C library keeps for threads.
    assert!((100..120).contains(&replay.live.len()), "{} live", replay.live.len());
}

#[test]
fn plug_ins_at_one_address_keep_their_own_frames() {
    let (alpha, beta) = (programs::reload_plugin("alpha"), programs::reload_plugin("beta"));
    let arguments = [alpha.to_str().unwrap(), beta.to_str().unwrap()];
    let traced = of(&programs::c("reload"), &arguments);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    assert!(traced.finished.count("same") > 0, "the case was not reached");
    traced.assert_whole();
    let names: std::collections::HashMap<_, _> =
        traced.modules().map(|module| (module.id, module.identity.name.clone())).collect();
    let mut kept = std::collections::HashMap::new();
    for alloc in traced.replay(0).live.values().filter(|alloc| alloc.size.0 == 209) {
        let (frames, root) = traced.frames(alloc.stack);
        assert_eq!(root, StackId::COMPLETE);
        let module = frames[0].module.map(|id| names[&id].clone()).unwrap_or_default();
        *kept.entry(module).or_insert(0) += 1;
    }
    assert_eq!(kept.get("libalpha.so"), Some(&50), "{kept:?}");
    assert_eq!(kept.get("libbeta.so"), Some(&50), "{kept:?}");
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
fn jumps_out_of_the_allocator_leave_nothing_set() {
    for then in ["above", "below"] {
        let traced = of(&programs::c("sigjump"), &[then]);
        assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
        assert_eq!(traced.live_of_size(0, 72), 200, "then {then}");
    }
}

#[test]
fn jumps_out_of_a_signal_handler_leave_nothing_set() {
    let traced = of(&programs::c("alarm_jump"), &[]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    for (size, count) in [(40, 50), (41, 50), (16_000, 50)] {
        assert_eq!(traced.live_of_size(0, size), count, "size {size}");
    }
}

#[test]
fn forked_children_are_processes_of_their_own() {
    let traced = of(&programs::c("fork"), &[]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    traced.assert_whole();
    assert_eq!(traced.processes().len(), 3);
    assert_eq!((traced.live_of_size(0, 100), traced.live_of_size(0, 200)), (10, 10));
    for child in [1, 2] {
        let (_, process) = traced.processes()[child as usize];
        assert!(!process.from_start, "a child's inherited blocks are older than its trace");
        // It frees ten blocks that it inherited.
        assert!(traced.replay(child).unmatched >= 10);
    }
}

#[test]
fn a_vforked_child_does_not_disturb_its_parent() {
    let traced = of(&programs::c("vfork_exec"), &[]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    traced.assert_whole();
    assert_eq!((traced.live_of_size(0, 100), traced.live_of_size(0, 200)), (8, 8));
    let (executed, _) = *traced.processes().last().unwrap();
    assert_eq!(traced.live_of_size(executed.0, 500), 7);
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
fn alternate_signal_stacks_are_walked() {
    let traced = of(&programs::c("altstack"), &[]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    traced.assert_whole();
    assert_eq!((traced.live_of_size(0, 100), traced.live_of_size(0, 60)), (50, 50));
    for alloc in traced.replay(0).live.values().filter(|alloc| alloc.size.0 == 100) {
        let (frames, root) = traced.frames(alloc.stack);
        assert_eq!(root, StackId::COMPLETE, "cut after {} frames", frames.len());
    }
}

#[test]
fn a_deep_stack_is_cut_and_says_so() {
    let traced = of(&programs::c("deep"), &[]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    traced.assert_whole();
    let kept: Vec<_> =
        traced.replay(0).live.values().filter(|alloc| alloc.size.0 == 24).copied().collect();
    assert_eq!(kept.len(), 30);
    assert!(kept.iter().any(|alloc| traced.frames(alloc.stack).1 == StackId::TRUNCATED));
}

#[test]
fn a_coroutine_s_stack_is_not_read_past_its_end() {
    let traced = of(&programs::c("coroutine"), &[]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    traced.assert_whole();
    assert_eq!(traced.live_of_size(0, 50), 1);
}

#[test]
fn a_process_is_traced_after_its_first_thread_has_left() {
    // Not as the program that we started, whose end the system tells us, but below it.
    let program = programs::c("leaderless");
    let command = ["/bin/sh", "-c", "\"$0\"; exit 0", program.to_str().unwrap()];
    let traced = record(&command.map(OsString::from));
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    traced.assert_whole();
    let processes = traced.processes();
    let (id, _) = processes.iter().find(|(_, process)| process.name == "leaderless").unwrap();
    assert_eq!(traced.live_of_size(id.0, 48), 200);
}

#[test]
fn nothing_of_ours_waits_for_the_loader() {
    let plugin = programs::constructor_plugin();
    let traced = of(&programs::c("host"), &[plugin.to_str().unwrap()]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    assert_eq!(traced.finished.out(), "loaded=1 refused=40\n");
    traced.assert_whole();
    assert_eq!(traced.replay(0).unmatched, 0);
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
