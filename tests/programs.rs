//! Runs every test program bare and checks what it claims of itself, so that an end-to-end test
//! that fails under the agent is the agent's fault. Checks the broker, its load and the
//! independent unwinder in the same way.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::ffi::OsString;
use std::ops::Range;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use support::broker::Broker;
use support::mqtt::{Publisher, Qos, Subscriber};
use support::oracle::{self, Allocation, Run};
use support::process::{Finished, LIMIT, Running, run};
use support::programs::{self, Archiver};
use support::signal::Signal;
use support::{require, skip};

fn bare(program: &Path, arguments: &[&str]) -> Finished {
    run(Command::new(program).args(arguments), LIMIT)
}

/// Checks the exit status and everything printed.
#[track_caller]
fn check(finished: Finished, code: i32, out: &str) {
    let finished = finished.expect_code(code);
    assert_eq!(finished.out(), out);
    assert_eq!(finished.err(), "");
}

#[test]
fn exit_status_passes() {
    check(bare(&programs::c("exit3"), &[]), 3, "allocated=10 freed=9\n");
}

#[test]
fn static_program_runs() {
    check(bare(&programs::static_c("exit3"), &[]), 3, "allocated=10 freed=9\n");
}

#[test]
fn programs_of_musl_keep_what_they_say() {
    require!("musl-gcc");
    for (arguments, kept) in [("functions", 9), ("through", 50), ("threads", 8)] {
        check(bare(&programs::musl("musl"), &[arguments]), 0, &format!("kept={kept}\n"));
    }
    let plug_ins = programs::musl_plugins();
    let arguments = plug_ins.each_ref().map(|plug_in| plug_in.to_str().unwrap());
    check(bare(&programs::musl("musl_loads"), &arguments), 0, "kept=50 failed=1\n");
}

#[test]
fn coroutine_returns() {
    check(bare(&programs::c("coroutine"), &[]), 0, "born=2 freed=1 kept=1\n");
}

#[test]
fn second_thread_outlives_the_first() {
    check(bare(&programs::c("leaderless"), &[]), 0, "born=20000 kept=200\n");
}

#[test]
fn host_loads_the_waiting_plug_in() {
    let plugin = programs::constructor_plugin();
    check(bare(&programs::c("host"), &[plugin.to_str().unwrap()]), 0, "loaded=1 refused=40\n");
}

#[test]
fn static_program_lingers() {
    check(bare(&programs::static_c("linger"), &[]), 0, "lingered=1\n");
}

#[test]
fn of_every_message_a_block_is_kept() {
    check(bare(&programs::c("leaks"), &["30"]), 0, "kept=30\n");
}

#[test]
fn segv_kills() {
    let finished = bare(&programs::c("segv"), &[]);
    assert_eq!((finished.code(), finished.signal()), (None, Some(11)), "{finished:?}");
    assert_eq!(finished.out(), "kept=5\n");
}

#[test]
fn every_instruction_is_stepped_to() {
    let program = programs::jump_safe("step");
    for action in ["above", "below", "allocate"] {
        for stack in ["own", "low", "high"] {
            let finished = bare(&program, &[action, stack, "7"]).expect_code(0);
            let (rounds, acted) = (finished.count("rounds"), finished.count("acted"));
            assert!(rounds > 20, "{rounds}");
            assert_eq!(acted, if action == "allocate" { rounds } else { 0 });
        }
    }
}

#[test]
fn children_and_threads_without_number_end() {
    assert_eq!(bare(&programs::c("many_forks"), &[]).expect_code(0).count("children"), 1000);
    let threads = bare(&programs::c("many_threads"), &["at-once"]).expect_code(0).count("threads");
    assert!((1_000..=10_000).contains(&threads), "{threads}");
}

#[test]
fn library_that_binds_deep_frees_and_allocates() {
    let plug_in = programs::plug_in("deepbind_plugin", "deep");
    for what in ["gives", "takes", "leaks", "swaps", "keeps"] {
        let arguments = [plug_in.to_str().unwrap(), what, "500", "0"];
        check(bare(&programs::c("deepbind"), &arguments), 0, "rounds=500\n");
    }
}

#[test]
fn allocators_free_each_name_s_blocks() {
    for allocator in programs::Allocator::ALL {
        if !allocator.is_installed() {
            skip!("{allocator:?} is not installed");
        }
        let [allocate, free] = allocator.own_names();
        let program = allocator.link(support::compile::Language::C, "own_names");
        for what in ["freed", "allocated"] {
            let arguments = [allocate, free, what, "100", "0"];
            check(bare(&program, &arguments), 0, "rounds=100\n");
        }
        check(bare(&allocator.link_own_name(), &["100", "0"]), 0, "rounds=100\n");
    }
}

#[test]
fn program_kills_itself() {
    assert_eq!(bare(&programs::c("self_kill"), &[]).signal(), Some(9));
}

#[test]
fn hurry_frees_everything_once() {
    check(bare(&programs::c("hurry"), &[]), 0, "born=1000000 freed=1000000\n");
}

#[test]
fn sigint_is_handled() {
    let running = Running::start(Command::new(programs::c("sigint")).arg("handle"));
    running.wait_for("ready\n", LIMIT);
    running.signal_group(Signal::Interrupt);
    check(running.finish(LIMIT), 7, "ready\nsignal=2\n");
}

#[test]
fn sigint_is_ignored() {
    let running = Running::start(Command::new(programs::c("sigint")).arg("ignore"));
    running.wait_for("ready\n", LIMIT);
    running.signal_group(Signal::Interrupt);
    running.signal(Signal::Terminate);
    check(running.finish(LIMIT), 0, "ready\nsignal=15\n");
}

#[test]
fn streams_are_copied() {
    let mut command = Command::new(programs::c("streams"));
    let finished = Running::start_with_input(&mut command, b"in\n\x00put").finish(LIMIT);
    assert_eq!(finished.stdout, b"out\0 bytesin\n\0put");
    assert_eq!(finished.stderr, b"err bytes\n");
    assert_eq!(finished.code(), Some(0));
}

#[test]
fn new_throws() {
    require!("c++");
    check(bare(&programs::cxx("throwing_new"), &[]), 0, "caught=200 refused=100 kept=300\n");
}

#[test]
fn blocks_are_handed_off() {
    check(bare(&programs::c("handoff"), &[]), 0, "allocated=100000 freed=99900 kept=100\n");
}

#[test]
fn plug_ins_are_mapped_at_one_address() {
    let plug_ins = ["alpha", "beta"].map(programs::reload_plugin);
    let finished = run(Command::new(programs::c("reload")).args(plug_ins), LIMIT).expect_code(0);
    let counts = ["loads", "kept_alpha", "kept_beta"].map(|name| finished.count(name));
    assert_eq!(counts, [100, 50, 50]);
    assert!(finished.count("same") > 0);
}

#[test]
fn every_c_function_allocates() {
    let out = "born=100 freed=91 kept=9 calls_realloc=30\n";
    check(bare(&programs::c("functions"), &[]), 0, out);
}

#[test]
fn every_cxx_function_allocates() {
    require!("c++");
    check(bare(&programs::cxx("functions_new"), &[]), 0, "born=83 freed=75 kept=8\n");
}

#[test]
fn realloc_moves_across_threads() {
    let finished = bare(&programs::c("realloc_threads"), &[]).expect_code(0);
    let counts = ["born", "freed", "reallocs", "kept"].map(|name| finished.count(name));
    assert_eq!(counts, [32001, 32000, 2000, 1]);
    assert!(finished.count("moved") > 0);
}

#[test]
fn failed_realloc_leaves_the_block() {
    let out = "failed=200 intact=100 born=100 freed=50 kept=50\n";
    check(bare(&programs::c("realloc_fail"), &[]), 0, out);
}

#[test]
fn over_releases_reach_free() {
    let program = programs::c("over_release");
    check(bare(&program, &["twice"]), 0, "born=9 frees=57 over_released=48\n");
    let out = "born=100 frees=150 over_released=50 taken=50\n";
    check(bare(&program, &["alias"]), 0, out);
}

#[test]
fn blocks_die_young() {
    let program = programs::c("young");
    for arguments in [["pairs", "1000"], ["mixed", "1000"], ["idle", "0"], ["resize", "1000"]] {
        check(bare(&program, &arguments), 0, "done\n");
    }
    assert!(bare(&program, &["unseen", "100"]).count("again") > 0);
}

#[test]
fn a_program_lives_on_without_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("living");
    // By another process: a copy that this one writes may still be open in what a test beside it starts.
    run(Command::new("cp").arg(programs::c("living")).arg(&program), LIMIT).expect_code(0);
    check(bare(&program, &["deleted"]), 0, "kept=100\n");
    assert!(!program.exists());
}

#[test]
fn a_twentieth_of_all_sizes_stays() {
    assert_eq!(bare(&programs::c("sampled"), &["1000"]).count("left"), 50);
}

#[test]
fn free_is_left_by_a_jump() {
    let program = programs::c("sigjump");
    check(bare(&program, &["above"]), 0, "jumps=200 kept=200\n");
    check(bare(&program, &["below"]), 0, "jumps=200 kept=200\n");
}

#[test]
fn qsort_is_left_by_a_jump() {
    check(bare(&programs::c("alarm_jump"), &[]), 0, "jumps=50 kept=100\n");
}

#[test]
fn forked_children_exit() {
    check(bare(&programs::c("fork"), &[]), 0, "born=200 freed=180 kept=20 children=2\n");
}

#[test]
fn vforked_child_is_another_image() {
    check(bare(&programs::c("vfork_exec"), &[]), 0, "born=40 freed=24 kept=16 child=6\n");
}

#[test]
fn script_passes_the_status() {
    let mut command = Command::new(programs::script("start.sh"));
    let finished = run(command.arg(programs::c("exit3")), LIMIT);
    check(finished, 3, "allocated=10 freed=9\nscript=done status=3\n");
}

#[test]
fn handler_allocates_on_its_own_stack() {
    check(bare(&programs::c("altstack"), &[]), 0, "born=1000 freed=900 kept=100 elsewhere=50\n");
}

#[test]
fn deep_recursion_ends() {
    check(bare(&programs::c("deep"), &[]), 0, "born=3000 freed=2970 kept=30\n");
}

#[test]
fn own_malloc_is_used() {
    check(bare(&programs::c("own_malloc"), &[]), 0, "own_calls=1000\n");
}

#[test]
fn python_workload_is_deterministic() {
    let python = require!("/usr/bin/python3");
    let once = || {
        let mut command = Command::new(&python);
        run(command.arg(programs::script("workload.py")).arg("5"), LIMIT).expect_code(0).out()
    };
    assert!(once().starts_with("rounds=5 checksum="));
    assert_eq!(once(), once());
}

#[test]
fn server_handles_every_message() {
    require!("c++");
    for plug_in in [Archiver::Leaking, Archiver::Fixed] {
        let finished = run(&mut programs::server(plug_in, 20_000, 4), LIMIT);
        check(finished, 0, "warm-up done\nload done\nhandled=20000 stored=20000\n");
    }
}

#[test]
fn server_ends_cleanly_on_sigterm() {
    require!("c++");
    let mut command = programs::server(Archiver::Fixed, 100_000_000, 2);
    let running = Running::start(command.args(["--rate", "2000"]));
    running.wait_for("warm-up done\n", LIMIT);
    running.signal(Signal::Terminate);
    let finished = running.finish(LIMIT).expect_code(0);
    assert_eq!(finished.count("handled"), finished.count("stored"));
    assert!(finished.out().contains("load done\n"));
}

#[test]
fn plug_ins_carry_their_packaging_notes() {
    require!("c++");
    for plug_in in [Archiver::Leaking, Archiver::Fixed] {
        let version = plug_in.version();
        check_note(&plug_in.build(), "archiver-plugin", version);
        check_note(&programs::demo_archive(plug_in), "courier-archive", version);
    }
}

/// Checks the note's bytes as the specification draws them: name length, text length, type, name,
/// text, each NUL-terminated and padded to four bytes.
fn check_note(path: &Path, name: &str, version: &str) {
    let file = std::fs::read(path).unwrap();
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let text = format!(
        "{{\"type\":\"deb\",\"name\":\"{name}\",\"version\":\"{version}\",\
         \"architecture\":\"{architecture}\"}}\0"
    );
    let mut note = Vec::new();
    for number in [4, text.len() as u32, 0xcafe_1a7e] {
        note.extend(number.to_le_bytes());
    }
    note.extend(b"FDO\0");
    note.extend(text.as_bytes());
    let found = file.windows(note.len()).filter(|window| *window == note).count();
    assert_eq!(found, 1, "{}", path.display());
}

#[test]
fn demo_delivers_on_time() {
    for plug_in in [Archiver::Leaking, Archiver::Fixed] {
        let finished = run(programs::demo(plug_in).args(["1", "2000"]), LIMIT);
        assert!(finished.elapsed >= Duration::from_millis(950), "{finished:?}");
        check(finished, 0, "delivered 2000 messages\n");
    }
}

/// What valgrind finds lost, in blocks.
fn lost_blocks(valgrind: &Path, command: &Command) -> u64 {
    let mut checked = Command::new(valgrind);
    checked.args(["--leak-check=full", "--error-exitcode=0"]);
    checked.arg(command.get_program()).args(command.get_args());
    let report = run(&mut checked, LIMIT).expect_code(0).err();
    if report.contains("All heap blocks were freed") {
        return 0;
    }
    let line = report.lines().find(|line| line.contains("definitely lost:")).expect(&report);
    let (_, blocks) = line.split_once(" in ").expect(line);
    blocks.trim_end_matches(" blocks").replace(',', "").parse().expect(line)
}

#[test]
fn leaks_are_exactly_one_block_per_message() {
    let valgrind = require!("valgrind");
    require!("c++");
    let server = |plug_in| lost_blocks(&valgrind, &programs::server(plug_in, 1500, 3));
    assert_eq!(server(Archiver::Leaking), 1500);
    assert_eq!(server(Archiver::Fixed), 0);
    let demo = |plug_in| {
        let mut command = programs::demo(plug_in);
        command.args(["1", "1000"]);
        lost_blocks(&valgrind, &command)
    };
    assert_eq!(demo(Archiver::Leaking), 1000);
    assert_eq!(demo(Archiver::Fixed), 0);
}

/// Resident bytes that a broker gains per publish.
fn growth_per_publish(plug_in: Option<&Path>, qos: Qos) -> f64 {
    let broker = Broker::start(&[], plug_in);
    let mut publisher = Publisher::connect(broker.port(), "load").unwrap();
    let topics = ["sensors/kitchen/t", "sensors/cellar/t", "sensors/attic/t"];
    let mut publish = |count| publisher.publish(qos, &topics, b"21.5", count).unwrap();
    publish(10_000);
    let before = broker.resident_bytes();
    publish(100_000);
    let growth = broker.resident_bytes() as f64 - before as f64;
    publisher.disconnect().unwrap();
    broker.stop().expect_code(0);
    growth / 100_000.0
}

#[test]
fn broker_leaks_one_block_per_publish_with_the_plug_in_only() {
    require!("mosquitto");
    if !programs::has_mosquitto_headers() {
        skip!("mosquitto's development files are not installed");
    }
    let plug_in = programs::topic_plugin();
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce] {
        let with = growth_per_publish(Some(&plug_in), qos);
        // A topic of up to 24 bytes with its NUL is a block of 32 bytes.
        assert!((30.0..36.0).contains(&with), "{with} bytes per publish at {qos:?}");
        let without = growth_per_publish(None, qos);
        assert!(without < 2.0, "{without} bytes per publish at {qos:?} without the plug-in");
    }
}

#[test]
fn broker_delivers_what_is_published() {
    require!("mosquitto");
    let broker = Broker::start(&[], None);
    let mut subscriber = Subscriber::connect(broker.port(), "reader", "a/#").unwrap();
    let mut publisher = Publisher::connect(broker.port(), "writer").unwrap();
    publisher.publish(Qos::AtLeastOnce, &["a/b", "a/c"], b"payload", 70).unwrap();
    for number in 0..70 {
        let topic = ["a/b", "a/c"][number % 2];
        assert_eq!(subscriber.next().unwrap(), (topic.to_owned(), b"payload".to_vec()));
    }
    publisher.disconnect().unwrap();
    subscriber.disconnect().unwrap();
    broker.stop().expect_code(0);
}

#[test]
fn broker_is_found_and_stopped_below_a_launcher() {
    require!("mosquitto");
    let launcher = ["/bin/sh", "-c", "\"$@\"; echo status=$?; exit 9", "sh"].map(OsString::from);
    let broker = Broker::start(&launcher, None);
    let program = std::fs::read_link(format!("/proc/{}/exe", broker.pid())).unwrap();
    assert_eq!(program.file_name().unwrap(), "mosquitto");
    assert_eq!(broker.stop().expect_code(9).out(), "status=0\n");
}

/// Runs a program with the oracle alone preloaded.
fn recorded(command: &mut Command, limit: &str) -> (Finished, Run) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("oracle");
    command.env("LD_PRELOAD", programs::oracle()).env(oracle::FILE, &file);
    let finished = run(command.env(oracle::LIMIT, limit), LIMIT).expect_code(0);
    (finished, Run::read(&file))
}

#[test]
fn oracle_records_every_call_and_disturbs_none() {
    require!("c++");
    let (finished, recording) = recorded(&mut Command::new(programs::cxx("throwing_new")), "1000");
    assert_eq!(finished.out(), "caught=200 refused=100 kept=300\n");
    let kept = recording.allocations.iter().filter(|allocation| allocation.size == 48);
    assert_eq!(kept.clone().count(), 300);
    assert!(kept.clone().all(|allocation| allocation.complete && allocation.frames.len() > 21));
    assert!(recording.own.start < recording.own.end);

    let (finished, recording) = recorded(&mut Command::new(programs::c("sigjump")), "1000");
    assert_eq!(finished.out(), "jumps=200 kept=200\n");
    assert_eq!(recording.allocations.iter().filter(|one| one.size == 72).count(), 200);

    let (_, recording) = recorded(&mut programs::server(Archiver::Fixed, 1000, 4), "500");
    assert_eq!(recording.allocations.len(), 500);
    assert!(recording.dropped > 0);
    let own = std::slice::from_ref(&recording.own);
    let agreement = oracle::compare(&recording.allocations, &recording.allocations, own).unwrap();
    assert_eq!(agreement, oracle::Agreement { whole: 500, ..Default::default() });
}

#[test]
fn oracle_stays_within_its_limit() {
    let (finished, recording) = recorded(&mut Command::new(programs::c("handoff")), "5000");
    assert_eq!(finished.count("allocated"), 100_000);
    assert_eq!(recording.allocations.len(), 5000);
}

const OWN: [Range<u64>; 2] = [0x100..0x200, 0x500..0x600];

fn allocation(tid: u32, address: u64, frames: &[u64]) -> Allocation {
    Allocation { tid, address, size: 8, frames: frames.to_vec(), complete: true }
}

#[test]
fn comparison_takes_own_frames_away() {
    assert_eq!(oracle::without_own(&[0x110, 7, 0x510, 8, 9], &OWN), [8, 9]);
    assert_eq!(oracle::without_own(&[7, 8], &OWN), [7, 8]);
    let ours = [allocation(1, 0xa, &[7, 8]), allocation(2, 0xb, &[9])];
    let theirs = [allocation(2, 0xb, &[0x510, 0x110, 9]), allocation(1, 0xa, &[0x110, 7, 8])];
    let agreement = oracle::compare(&ours, &theirs, &OWN).unwrap();
    assert_eq!(agreement, oracle::Agreement { whole: 2, ..Default::default() });
}

#[test]
fn comparison_counts_what_only_the_other_side_has() {
    let one = |address| allocation(1, address, &[7]);
    let ours: Vec<_> = (10..30).map(one).collect();
    let mut theirs: Vec<_> = [1, 10, 2].into_iter().chain(10..30).chain([40]).map(one).collect();
    theirs.insert(15, one(3));
    let agreement = oracle::compare(&ours, &theirs, &OWN).unwrap();
    let expected = oracle::Agreement { whole: 20, partial: 0, before: 3, between: 1, after: 1 };
    assert_eq!(agreement, expected);
}

#[test]
fn comparison_takes_a_shorter_stack_only_where_it_stopped_early() {
    let ours = [allocation(1, 0xa, &[7, 8, 9])];
    let mut theirs = [allocation(1, 0xa, &[7, 8])];
    let difference = oracle::compare(&ours, &theirs, &OWN).unwrap_err();
    assert_eq!(difference.other.as_ref().unwrap().frames, [7, 8]);
    theirs[0].complete = false;
    assert_eq!(oracle::compare(&ours, &theirs, &OWN).unwrap().partial, 1);
    theirs[0].frames.clear();
    assert!(oracle::compare(&ours, &theirs, &OWN).is_err());
}

#[test]
fn comparison_names_the_first_difference() {
    let ours = [allocation(5, 0xa, &[7, 8, 9]), allocation(5, 0xb, &[7, 8, 9])];
    let theirs = [ours[0].clone(), allocation(5, 0xb, &[7, 6, 9])];
    let difference = oracle::compare(&ours, &theirs, &OWN).unwrap_err();
    assert_eq!(
        difference.to_string(),
        "thread 5, allocation 1, 8 bytes at 0xb: 1 frames agree, then\n  \
         oracle (3 frames, complete): 0x7 0x8 0x9\n  \
         other  (3 frames, complete): 0x7 0x6 0x9\n"
    );
    let missing = oracle::compare(&ours, &theirs[..1], &OWN).unwrap_err();
    assert!(missing.to_string().contains("not recorded by the other side"), "{missing}");
}
