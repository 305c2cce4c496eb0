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

/// What a report says of second frees.
struct SecondFrees {
    exit: Option<i32>,
    /// How often, the function that had allocated, and the functions that freed first and again.
    suspects: Vec<(u64, String, Vec<String>, Vec<String>)>,
    /// What nobody is accused of, by reason.
    unjudged: serde_json::Value,
    libraries: u64,
}

fn second_frees(arguments: &[&str]) -> SecondFrees {
    let traced = of(&programs::c("over_release"), arguments);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    let mut analyze = Command::new(UNFREED);
    let analyzed = run(analyze.args(["analyze", "--json"]).arg(&traced.file), LIMIT);
    let report: serde_json::Value = serde_json::from_str(&analyzed.out()).unwrap();
    let names = |frames: &serde_json::Value| -> Vec<String> {
        let frames = frames.as_array().unwrap().iter();
        frames.map(|frame| frame["function"].as_str().unwrap_or("?").to_owned()).collect()
    };
    let suspects = report["suspects"].as_array().unwrap().iter();
    let suspects = suspects.map(|suspect| {
        assert_eq!(suspect["kind"], "over-release", "{suspect}");
        let over = &suspect["over_release"];
        assert_eq!(over["first_free_complete"], false, "its caller alone is known");
        let function = suspect["function"].as_str().unwrap().to_owned();
        let count = over["count"].as_u64().unwrap();
        (count, function, names(&over["first_free"]), names(&over["second_free"]))
    });
    SecondFrees {
        exit: analyzed.code(),
        suspects: suspects.collect(),
        unjudged: report["dismissed"]["unjudged_by"].clone(),
        libraries: report["totals"]["libraries_unseen"].as_u64().unwrap(),
    }
}

impl SecondFrees {
    #[track_caller]
    fn assert_accused(&self, count: u64, allocated: &str, first: &str, again: &str) {
        assert_eq!(self.exit, Some(1));
        assert_eq!(self.suspects.iter().map(|suspect| suspect.0).sum::<u64>(), count);
        for (_, function, first_free, second_free) in &self.suspects {
            assert_eq!(function, allocated);
            assert_eq!(first_free[0], first, "{first_free:?}");
            assert!(second_free.len() > 1 && second_free[0] == again, "{second_free:?}");
        }
        let none = [("lost", 0), ("libraries", 0), ("allocated_unseen", 0), ("given_out_alive", 0)];
        none.iter().for_each(|(why, count)| assert_eq!(self.unjudged[why], *count, "{why}"));
    }

    #[track_caller]
    fn assert_nobody_accused(&self, why: &str, count: u64) {
        assert_eq!(self.suspects, []);
        assert_ne!(self.exit, Some(1));
        assert_eq!(self.unjudged[why], count, "{}", self.unjudged);
    }
}

#[test]
fn a_block_freed_twice_names_its_site_and_both_frees() {
    second_frees(&["twice"]).assert_accused(48, "twice", "twice", "twice");
    second_frees(&["pair"]).assert_accused(30, "allocate_some", "first_owner", "second_owner");
}

#[test]
fn a_block_that_was_told_before_it_was_freed_twice_is_found_too() {
    second_frees(&["old"]).assert_accused(30, "allocate_some", "first_owner", "second_owner");
}

#[test]
fn a_pointer_that_realloc_took_away_is_not_to_be_freed() {
    for mode in ["moved", "old-moved"] {
        let moved = second_frees(&[mode]);
        assert_eq!(moved.suspects.iter().map(|suspect| suspect.0).sum::<u64>(), 30, "{mode}");
        let (_, function, _, second_free) = &moved.suspects[0];
        assert_eq!((function.as_str(), second_free[0].as_str()), ("allocate_some", "second_owner"));
    }
}

#[test]
fn of_an_address_with_a_new_owner_the_last_free_is_the_one_too_many() {
    let alias = second_frees(&["alias"]);
    assert_eq!(alias.suspects.iter().map(|suspect| suspect.0).sum::<u64>(), 50);
    // Until then, all that happened is what two right owners do.
    second_frees(&["reused"]).assert_nobody_accused("lost", 0);
}

#[test]
fn a_forked_child_may_free_what_it_inherited() {
    let child = second_frees(&["child"]);
    assert_eq!(child.suspects.iter().map(|suspect| suspect.0).sum::<u64>(), 2, "its own block's");
    assert!(child.suspects.iter().all(|suspect| suspect.1 == "child"));
}

#[test]
fn nobody_is_accused_where_blocks_are_allocated_unseen() {
    let plugin = programs::lending_plugin();
    let deepbind = second_frees(&["plugin", plugin.to_str().unwrap()]);
    assert_eq!(deepbind.libraries, 1);
    deepbind.assert_nobody_accused("libraries", 50);
    let handle = second_frees(&["handle"]);
    assert_eq!(handle.libraries, 0);
    handle.assert_nobody_accused("allocated_unseen", 50);
}

/// What `docs/verdicts.md` says of how long an earlier free is remembered.
#[test]
fn earlier_frees_are_remembered_for_a_while() {
    for (others, least) in [("100", 980), ("8000", 600)] {
        let seen = second_frees(&["window", others]);
        let accused: u64 = seen.suspects.iter().map(|suspect| suspect.0).sum();
        // What had been forgotten looks like a block that was allocated unseen.
        let found = accused + seen.unjudged["allocated_unseen"].as_u64().unwrap();
        assert!(found >= least && found <= 1000, "{found} after {others}");
    }
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
