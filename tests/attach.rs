//! `unfreed attach` on real programs: what it finds, whom it follows, and that it leaves no trace.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod attached;
mod support;
mod traced;

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use attached::{Gated, attach, record, require_attach, span, until};
use serde_json::Value;
use support::broker::Broker;
use support::compile::{Compile, Language};
use support::mqtt::{Publisher, Qos, Subscriber};
use support::process::{LIMIT, Running, run};
use support::programs::{self, Allocator, Archiver};
use support::signal::{self, Signal};
use traced::UNFREED;
use unfreed::collect::mark::send;
use unfreed::event::{Exit, Function, Lost, Mark, What};

fn words(program: &Path, arguments: &[&str]) -> Vec<OsString> {
    let mut command = vec![OsString::from(program)];
    command.extend(arguments.iter().map(OsString::from));
    command
}

/// What of a report does not depend on how the program was watched.
fn found(report: &Value) -> Value {
    let suspects = report["suspects"].as_array().unwrap().iter().map(|suspect| {
        let stack = suspect["stack"].as_array().unwrap().iter();
        let stack: Vec<_> = stack.map(|frame| frame["function"].clone()).collect();
        serde_json::json!([
            suspect["kind"],
            suspect["function"],
            suspect["module"]["name"],
            suspect["module"]["version"],
            suspect["fixes"][0]["id"],
            suspect["fixes"][0]["status"],
            stack
        ])
    });
    suspects.collect()
}

/// The leaky server, attached to before it begins or run under the agent; its report.
fn server(by_attach: bool) -> Value {
    const MESSAGES: u64 = 10_000;
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report.json");
    let fixes = support::compile::root().join("tests/programs/server/fixes");
    let server = programs::server(Archiver::Leaking, MESSAGES, 4);
    let mut command = vec![server.get_program().to_owned()];
    command.extend(server.get_args().map(OsStr::to_owned));
    command.extend(["--rate", "2000", "--wait"].map(OsString::from));
    let common: Vec<OsString> = vec![
        "--json".into(),
        "--output".into(),
        report.clone().into(),
        "--fixes".into(),
        fixes.clone().into(),
    ];
    let (program, unfreed) = if by_attach {
        // Not yet at its `main`: the tables of its libraries are there before it works.
        let gated = Gated::start(&command, &[], &[]);
        let mut verb = vec![OsString::from("attach"), gated.pid().to_string().into()];
        verb.extend(common);
        verb.extend(["--report".into(), directory.path().join("case.zip").into()]);
        let unfreed = attach(&verb);
        (gated.release(), Some(unfreed))
    } else {
        let mut verb = vec![OsString::from("run")];
        verb.extend(common);
        verb.push("--".into());
        verb.extend(command);
        (Running::start(Command::new(UNFREED).args(verb)), None)
    };
    program.wait_for("load done\n", LIMIT);
    let tracer = unfreed.as_ref().map_or(program.pid(), Running::pid);
    // Not by a process of its own, which on a busy machine is there when the load is long over.
    send(&Mark { text: "messages".into(), count: Some(MESSAGES) }, Some(tracer)).unwrap();
    program.signal(Signal::Terminate);
    let finished = program.finish(LIMIT);
    assert!(finished.out().contains(&format!("handled={MESSAGES}")), "{}", finished.err());
    if let Some(unfreed) = unfreed {
        unfreed.finish(LIMIT).expect_code(1);
    }
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    if by_attach {
        let mut analyze = Command::new(UNFREED);
        analyze.args(["analyze", "--json", "--fixes"]).arg(fixes);
        analyze.arg(directory.path().join("case.zip"));
        let of_case = run(&mut analyze, LIMIT);
        assert_eq!(found(&serde_json::from_slice(&of_case.stdout).unwrap()), found(&report));
    }
    report
}

#[test]
fn the_leaky_server_has_the_same_suspects_as_under_the_agent() {
    support::require!("c++");
    require_attach!();
    let attached = server(true);
    assert_eq!(attached["source"]["kind"], "ebpf", "{:#}", attached["source"]);
    assert_eq!(attached["losses"]["events"], 0, "{:#}", attached["losses"]);
    assert_eq!(found(&attached), found(&server(false)));
    assert_eq!(attached["suspects"][0]["fixes"][0]["status"], "applies");
    assert_eq!(attached["suspects"][0]["live_blocks"], 10_000);
}

#[test]
fn every_function_is_seen_once() {
    require_attach!();
    let traced = record(&words(&programs::c("functions"), &[]));
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    assert_eq!(traced.lost(), HashMap::new());
    let image = last_image(&traced);
    let of = |size: u64, function: Function| {
        traced
            .events
            .iter()
            .filter(|event| match event.what {
                What::Alloc(alloc) => {
                    event.process.0 == image && alloc.size.0 == size && alloc.function == function
                }
                _ => false,
            })
            .count()
    };
    assert_eq!(of(111, Function::Malloc), 10);
    assert_eq!(of(111, Function::Calloc), 10);
    assert_eq!(of(123, Function::PosixMemalign), 10);
    assert_eq!(of(77, Function::Valloc), 10);
    assert_eq!(of(88, Function::Pvalloc), 10);
    assert_eq!(of(100, Function::Realloc), 10);
    assert_eq!(of(5000, Function::Realloc), 10);
    for size in [111, 123, 384, 99, 77, 88, 5000] {
        assert!(traced.live_of_size(image, size) >= 1, "{size}");
    }
    let replay = traced.replay(image);
    assert_eq!((replay.free_not_seen, replay.unmatched), (0, 0));
    assert_eq!(replay.live.values().filter(|alloc| alloc.size.0 == 100).count(), 0);
}

/// The process of a recording that was executed last.
fn last_image(traced: &traced::Traced) -> u32 {
    traced.processes().last().unwrap().0.0
}

#[test]
fn other_allocators_are_seen_once_too() {
    require_attach!();
    for allocator in Allocator::ALL {
        if !allocator.is_installed() {
            support::skip!("{} is not installed", allocator.file());
        }
        // Its own free and C's, in turn; nothing is kept.
        let [allocate, free] = allocator.own_names();
        let program = allocator.link(Language::C, "own_names");
        let traced = record(&words(&program, &[allocate, free, "freed", "2000", "1000"]));
        assert!(traced.finished.out().ends_with("rounds=2000\n"), "{}", traced.finished.err());
        let image = last_image(&traced);
        let replay = traced.replay(image);
        // What an allocator does before it was looked at is not seen.
        assert!(traced.allocations(80, Function::Malloc) >= 10_000, "{allocator:?}");
        assert_eq!(traced.live_of_size(image, 80), 0, "{allocator:?}");
        assert_eq!(replay.free_not_seen, 0, "{allocator:?}");
        traced.assert_accuses_nobody();
    }
}

#[test]
fn children_are_followed_and_nobody_is_accused() {
    require_attach!();
    let traced = record(&words(&programs::c("fork"), &[]));
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    traced.assert_accuses_nobody();
    // 10 of 100 blocks stay, twice.
    let parent = traced
        .processes()
        .iter()
        .map(|(id, _)| id.0)
        .filter(|id| traced.live_of_size(*id, 100) == 10 && traced.live_of_size(*id, 200) == 10)
        .count();
    assert_eq!(parent, 1);
}

#[test]
fn a_strict_filter_of_system_calls_is_not_struck() {
    require_attach!();
    let program = programs::c("filtered");
    let bare = run(&mut Command::new(&program), LIMIT).expect_code(0);
    let traced = record(&words(&program, &[]));
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    assert!(traced.finished.out().ends_with(&bare.out()));
    assert!(traced.live_anywhere(100) >= 10);
}

#[test]
fn a_plug_in_that_comes_later_is_walked_through() {
    require_attach!();
    let plugin = Compile::new(Language::C, "liblate.so", &["tests/programs/late_plugin.c"])
        .shared("liblate.so")
        .build();
    let program = programs::c("late");
    let traced = record(&words(&program, &[plugin.to_str().unwrap()]));
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    let image = last_image(&traced);
    let mut through = 0;
    for alloc in traced.replay(image).live.values().filter(|alloc| alloc.size.0 == 73) {
        let (frames, root) = traced.frames(alloc.stack);
        let name = |module| {
            traced
                .modules()
                .find(|known| Some(known.id) == module)
                .map(|known| known.identity.name.clone())
        };
        let whole = root == unfreed::event::StackId::COMPLETE
            && frames.iter().any(|frame| name(frame.module).as_deref() == Some("liblate.so"))
            && frames.iter().any(|frame| name(frame.module).as_deref() == Some("late"));
        through += usize::from(whole);
    }
    // Those of the first milliseconds end where the plug-in's table was not known yet.
    assert!(through >= 900, "{through} of 1000 stacks lead through the plug-in");
}

/// Bytes of a process's memory.
fn peek(pid: u32, address: u64, length: usize) -> Vec<u8> {
    let mut memory = std::fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    memory.seek(SeekFrom::Start(address)).unwrap();
    let mut bytes = vec![0; length];
    memory.read_exact(&mut bytes).unwrap();
    bytes
}

/// The code of a process's C library, and its map but for the page that the kernel keeps for probes once there was one.
fn code_and_map(pid: u32) -> (Vec<u8>, Vec<String>) {
    let map = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let code =
        map.lines().find(|line| line.contains("libc.so.6") && line.contains("r-xp")).unwrap();
    let (start, end) = code.split_whitespace().next().unwrap().split_once('-').unwrap();
    let start = u64::from_str_radix(start, 16).unwrap();
    let end = u64::from_str_radix(end, 16).unwrap();
    let lines = map.lines().filter(|line| !line.contains("[uprobes]")).map(str::to_owned);
    (peek(pid, start, (end - start) as usize), lines.collect())
}

/// A program that waits, and what its memory looks like before anybody came.
fn waiting() -> (Running, (Vec<u8>, Vec<String>)) {
    let program = Running::start(Command::new("/bin/sh").args(["-c", "echo up; kill -STOP $$"]));
    program.wait_for("up\n", LIMIT);
    until("it stops", || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", program.pid())).unwrap();
        stat.rsplit_once(')').unwrap().1.trim_start().starts_with('T')
    });
    let before = code_and_map(program.pid());
    (program, before)
}

#[test]
fn who_was_attached_to_is_as_before() {
    require_attach!();
    let (program, before) = waiting();
    let pid = program.pid().to_string();
    let unfreed = attach(&["attach", "--duration", "1m", pid.as_str()]);
    let during = code_and_map(program.pid());
    assert_ne!(before.0, during.0, "no probe was set");
    unfreed.signal(Signal::Interrupt);
    unfreed.finish(LIMIT).expect_code(0);
    assert_eq!(before, code_and_map(program.pid()));
}

#[test]
fn an_unfreed_that_is_killed_leaves_nothing() {
    require_attach!();
    let (program, before) = waiting();
    let pid = program.pid().to_string();
    let unfreed = attach(&["attach", pid.as_str()]);
    assert_ne!(before.0, code_and_map(program.pid()).0);
    unfreed.signal(Signal::Kill);
    assert_eq!(unfreed.finish(LIMIT).signal(), Some(9));
    until("the kernel has let go", || code_and_map(program.pid()) == before);
    let named = std::fs::read_to_string("/sys/kernel/tracing/uprobe_events").unwrap();
    assert!(!named.contains("libc.so.6"), "{named}");
}

#[test]
fn attaching_again_and_again_changes_nothing() {
    require_attach!();
    let times = std::env::var("ATTACH_TIMES").ok().and_then(|n| n.parse().ok()).unwrap_or(5);
    let (program, before) = waiting();
    let pid = program.pid().to_string();
    for _ in 0..times {
        let unfreed =
            Running::start(Command::new(UNFREED).args(["attach", "-q", "--duration", "1ms", &pid]));
        unfreed.finish(LIMIT).expect_code(0);
    }
    assert_eq!(before, code_and_map(program.pid()));
}

#[test]
fn a_target_that_dies_is_no_error() {
    require_attach!();
    let program = programs::c("linger_attached");
    for round in 0..4 {
        let target = Running::start(&mut Command::new(&program));
        target.wait_for("up\n", LIMIT);
        let pid = target.pid().to_string();
        let unfreed =
            Running::start(Command::new(UNFREED).args(["attach", "--duration", "10s", &pid]));
        if round % 2 == 1 {
            unfreed.wait_for_told("Attached", LIMIT);
        }
        target.signal(Signal::Kill);
        target.finish(LIMIT);
        let finished = unfreed.finish(LIMIT);
        // Before it was attached to there is nobody; afterwards there is a report.
        let told = finished.err();
        assert!(
            matches!(finished.code(), Some(0 | 1))
                || told.contains("no process")
                || told.contains("just ending"),
            "{told}"
        );
    }
}

#[test]
fn nobody_without_privileges_attaches() {
    require_attach!();
    let setpriv = support::require!("setpriv");
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    let mut command = Command::new(setpriv);
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(copied(directory.path()))
        .args(["attach", "1"]);
    let finished = run(&mut command, LIMIT).expect_code(2);
    assert!(finished.err().contains("needs root"), "{}", finished.err());
    assert!(finished.err().contains("sudo"), "{}", finished.err());
}

/// The binary where everybody may execute it.
fn copied(directory: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(directory, PermissionsExt::from_mode(0o755)).unwrap();
    let copy = directory.join("unfreed");
    // Not by this process: what it writes to, the children of other tests would hold open and nobody could execute.
    run(Command::new("cp").arg(UNFREED).arg(&copy), LIMIT).expect_code(0);
    copy
}

#[test]
fn a_container_is_seen_from_outside() {
    require_attach!();
    let unshare = support::require!("unshare");
    let program = programs::c("linger_attached");
    let mut command = Command::new(unshare);
    command.args(["--pid", "--mount", "--fork", "--mount-proc"]).arg(&program);
    let container = Running::start(&mut command);
    container.wait_for("up\n", LIMIT);
    let inside = support::procfs::family(container.pid());
    let pid = inside.last().unwrap().to_string();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("trace");
    let recording =
        attach(&["record", "--duration", "2s", "--attach", &pid, "-o", file.to_str().unwrap()]);
    recording.finish(LIMIT).expect_code(0);
    let (events, _) = traced::read(&file);
    let allocated = events.iter().filter(|event| matches!(event.what, What::Alloc(_))).count();
    assert!(allocated > 100, "{allocated}");
    for pid in inside {
        signal::send(pid, Signal::Kill);
    }
}

#[test]
fn a_name_is_waited_for_and_its_next_process_followed() {
    require_attach!();
    let directory = tempfile::tempdir().unwrap();
    let named = directory.path().join("unfreed-waits");
    std::fs::copy(programs::c("linger_attached"), &named).unwrap();
    let report = directory.path().join("report.json");
    let unfreed = Running::start(Command::new(UNFREED).args([
        "attach",
        "--wait",
        "--json",
        "--output",
        report.to_str().unwrap(),
        "unfreed-waits",
    ]));
    unfreed.wait_for_told("Waiting for processes of the name unfreed-waits.", LIMIT);
    let pids = [(); 2].map(|()| {
        let program = Running::start(&mut Command::new(&named));
        let pid = program.pid();
        unfreed.wait_for_told(&format!("Attached to unfreed-waits (process {pid})."), LIMIT);
        program.signal(Signal::Kill);
        program.finish(LIMIT);
        pid
    });
    unfreed.signal(Signal::Interrupt);
    unfreed.finish(LIMIT).expect_code(0);
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    for pid in pids {
        let targets = report["target"].as_array().unwrap();
        let target = targets.iter().find(|target| target["pid"] == pid);
        let name = target.map(|target| &target["name"]);
        assert_eq!(name, Some(&"unfreed-waits".into()), "{:#}", report["target"]);
    }
}

#[test]
fn a_process_that_is_not_there_is_told() {
    require_attach!();
    let mut command = Command::new(UNFREED);
    let finished = run(command.args(["attach", "no-such-program-anywhere"]), LIMIT).expect_code(2);
    assert!(finished.err().contains("no process"), "{}", finished.err());
}

#[test]
fn a_failed_resize_frees_nothing() {
    require_attach!();
    let traced = record(&words(&programs::c("realloc_fail"), &[]));
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    traced.assert_accuses_nobody();
    assert!(
        traced.lost_of(Lost::Allocations) > 0,
        "what lives on is not known any more, and that is said"
    );
    assert_eq!(traced.lost_of(Lost::Frees), 0);
    assert_eq!(traced.exit(last_image(&traced)), Exit::Unknown);
}

/// Debian's mosquitto under load, attached to once it runs; the report, and how many messages there were. Every
/// message arrives. The load lasts as long as a verdict needs, and is as much as the machine lets pass in that time.
fn broker(plugin: Option<&Path>) -> (Value, u64) {
    const LEAST: u64 = 2_000;
    const BURST: u64 = 400;
    const LAST: &[u8] = b"last";
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report.json");
    let broker = Broker::start(&[], plugin);
    let pid = broker.pid().to_string();
    let unfreed = attach(&["attach", "--json", "--output", report.to_str().unwrap(), &pid]);
    let reader = plugin.is_none().then(|| {
        let mut subscriber = Subscriber::connect(broker.port(), "reader", "#").unwrap();
        std::thread::spawn(move || {
            for n in 0.. {
                let (_, payload) = subscriber.next().unwrap_or_else(|e| panic!("message {n}: {e}"));
                if payload == LAST {
                    subscriber.disconnect().unwrap();
                    return n;
                }
                assert_eq!(payload, [b'x'; 64]);
            }
            unreachable!("there is a last one")
        })
    });
    let mut publisher = Publisher::connect(broker.port(), "load").unwrap();
    let (began, mut published) = (Instant::now(), 0);
    while began.elapsed() < span() || published < LEAST {
        let topics = ["mail/in", "mail/out", "status"];
        publisher.publish(Qos::AtLeastOnce, &topics, &[b'x'; 64], BURST).unwrap();
        published += BURST;
        std::thread::sleep(Duration::from_millis(80));
    }
    publisher.publish(Qos::AtLeastOnce, &["status"], LAST, 1).unwrap();
    publisher.disconnect().unwrap();
    if let Some(reader) = reader {
        assert_eq!(reader.join().expect("every message arrived whole"), published);
    }
    unfreed.signal(Signal::Interrupt);
    unfreed.finish(LIMIT);
    // The broker goes on as before.
    Publisher::connect(broker.port(), "after").unwrap().disconnect().unwrap();
    assert_eq!(broker.stop().code(), Some(0));
    (serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap(), published)
}

#[test]
fn a_broker_under_load_has_no_suspects() {
    support::require!("mosquitto");
    require_attach!();
    let (report, messages) = broker(None);
    assert_eq!(report["suspects"], serde_json::json!([]), "{:#}", report["suspects"]);
    assert_eq!(report["losses"]["events"], 0, "{:#}", report["losses"]);
    let allocations = report["totals"]["allocations"].as_u64().unwrap();
    assert!(allocations > messages, "{messages} messages: {:#}", report["totals"]);
}

#[test]
fn a_plug_in_that_makes_a_broker_leak_is_found_without_a_restart() {
    support::require!("mosquitto");
    if !programs::has_mosquitto_headers() {
        support::skip!("mosquitto-dev is not installed");
    }
    require_attach!();
    let (report, messages) = broker(Some(&programs::topic_plugin()));
    let suspects = report["suspects"].as_array().unwrap();
    assert_eq!(suspects.len(), 1, "{suspects:#?}");
    assert_eq!(suspects[0]["function"], "packet__read_string");
    assert_eq!(suspects[0]["module"]["name"], "mosquitto");
    let live = suspects[0]["live_blocks"].as_u64().unwrap();
    assert!((messages..=messages + 10).contains(&live), "{live} of {messages}");
}
