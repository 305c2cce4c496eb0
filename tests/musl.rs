//! Programs of musl under the agent: the same library that serves glibc's. musl calls its own
//! functions by name, has no unwind tables and never unloads a module.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;
mod traced;

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use support::process::{LIMIT, run};
use support::programs::{self, Archiver};
use support::require;
use traced::{Traced, UNFREED, record, record_every_event};
use unfreed::event::{Alloc, Function, StackId, Trust, What};

fn of(program: &Path, arguments: &[&str]) -> Traced {
    let mut command = vec![OsString::from(program)];
    command.extend(arguments.iter().map(OsString::from));
    let traced = record(&command);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    traced.assert_whole();
    traced
}

/// How many blocks of each size are live at the end of the first process, by size.
fn live(traced: &Traced) -> Vec<(u64, usize)> {
    let mut live: Vec<(u64, usize)> = Vec::new();
    for alloc in traced.replay(0).live.values() {
        match live.iter_mut().find(|(size, _)| *size == alloc.size.0) {
            Some((_, count)) => *count += 1,
            None => live.push((alloc.size.0, 1)),
        }
    }
    live.sort_unstable();
    live
}

/// The modules of every frame of a stack, innermost first, neighbours once; whether the stack
/// reached its outermost caller; how many frames it has.
fn way(traced: &Traced, alloc: &Alloc) -> (Vec<String>, bool, usize) {
    let (frames, root) = traced.frames(alloc.stack);
    let name = |module| {
        let module = traced.modules().find(|known| Some(known.id) == module);
        module.map_or("nowhere", |module| &module.identity.name).to_owned()
    };
    let mut modules: Vec<String> = frames.iter().map(|frame| name(frame.module)).collect();
    modules.dedup();
    (modules, root == StackId::COMPLETE, frames.len())
}

/// Checks every stack of the blocks of a size that stay: the modules on it.
#[track_caller]
fn check_ways(traced: &Traced, size: u64, count: usize, modules: &[&str]) -> usize {
    let live = traced.replay(0).live;
    let of_size: Vec<_> = live.values().filter(|alloc| alloc.size.0 == size).collect();
    assert_eq!(of_size.len(), count, "blocks of {size} bytes");
    let mut depth = 0;
    for alloc in of_size {
        let (way, complete, frames) = way(traced, alloc);
        assert_eq!(
            (way.iter().map(String::as_str).collect::<Vec<_>>(), complete),
            (modules.into(), true)
        );
        depth = frames;
    }
    depth
}

#[test]
fn every_function_is_recorded_once() {
    require!("musl-gcc");
    let traced = record_every_event(&[programs::musl("musl").into(), "functions".into()]);
    assert_eq!(traced.finished.out(), "kept=9\n");
    let stay = [101, 102, 103, 104, 105, 107, 108, 128, 50000];
    assert_eq!(live(&traced), stay.map(|size| (size, 1)));
    for (size, function) in [
        (101, Function::Malloc),
        (102, Function::Calloc),
        (103, Function::Realloc),
        (104, Function::Reallocarray),
        (105, Function::PosixMemalign),
        (128, Function::AlignedAlloc),
        (107, Function::Memalign),
        (108, Function::Valloc),
    ] {
        assert_eq!(traced.allocations(size, function), 10, "{function:?}");
    }
    assert_eq!(traced.replay(0).unmatched, 0);
    // Each, the 10 that are then moved, and the 10 that those become.
    let all = traced.events.iter().filter(|event| matches!(event.what, What::Alloc(_))).count();
    assert_eq!(all, 100, "nothing that musl calls on the way is a block of its own");
}

#[test]
fn stacks_lead_through_musl_s_own_functions() {
    require!("musl-gcc");
    let traced = of(&programs::musl("musl"), &["through"]);
    assert_eq!(traced.finished.out(), "kept=50\n");
    assert_eq!(live(&traced), [(40, 10), (42, 10), (43, 10), (44, 10), (301, 10)]);
    assert_eq!(traced.replay(0).unmatched, 0);
    let (musl, program) = ("libc.so", "musl");
    // strdup, by_strdup, main, main's caller.
    assert_eq!(check_ways(&traced, 40, 10, &[musl, program, musl]), 4);
    check_ways(&traced, 301, 10, &[musl, program, musl]);
    // compare, musl's sort, by_qsort, main, main's caller.
    check_ways(&traced, 42, 10, &[program, musl, program, musl]);
    // on_signal, the signal's frame and raise, by_signal, main, main's caller.
    check_ways(&traced, 43, 10, &[program, musl, program, musl]);
    // 21 calls of descend, main, main's caller.
    assert_eq!(check_ways(&traced, 44, 10, &[program, musl]), 23);
    let by_code = traced.events.iter().any(|event| match event.what {
        What::Stack(node) => node.frame.trust == Trust::Code,
        _ => false,
    });
    assert!(by_code, "frames that no table led to say so");
}

#[test]
fn threads_are_traced_to_where_they_began() {
    require!("musl-gcc");
    let traced = of(&programs::musl("musl"), &["threads"]);
    assert_eq!(traced.finished.out(), "kept=8\n");
    assert_eq!(live(&traced), [(45, 8)]);
    // in_thread, and what called it.
    assert_eq!(check_ways(&traced, 45, 8, &["musl", "libc.so"]), 2);
    let mut threads: Vec<_> = traced
        .events
        .iter()
        .filter(|event| matches!(event.what, What::Alloc(alloc) if alloc.size.0 == 45))
        .map(|event| event.thread)
        .collect();
    threads.sort_unstable();
    threads.dedup();
    assert_eq!(threads.len(), 8);
}

#[test]
fn handed_off_blocks_and_alternate_stacks_are_followed() {
    require!("musl-gcc");
    let traced = of(&programs::musl("handoff"), &[]);
    assert_eq!(traced.replay(0).live.len(), 100);
    let traced = of(&programs::musl("altstack"), &[]);
    assert_eq!(live(&traced), [(60, 50), (100, 50)]);
    check_ways(&traced, 60, 50, &["altstack", "libc.so"]);
    check_ways(&traced, 100, 50, &["altstack", "libc.so", "altstack", "libc.so"]);
}

#[test]
fn forked_children_are_processes_of_their_own() {
    require!("musl-gcc");
    let traced = of(&programs::musl("fork"), &[]);
    assert_eq!(traced.processes().len(), 3);
    assert_eq!(live(&traced), [(100, 10), (200, 10)]);
    for child in [1, 2] {
        assert_eq!((traced.live_of_size(child, 300), traced.replay(child).unmatched), (5, 10));
    }
}

#[test]
fn modules_are_found_while_others_fail_to_load() {
    require!("musl-gcc");
    let [good, bad] = programs::musl_plugins();
    let arguments = [good.to_str().unwrap(), bad.to_str().unwrap()];
    let traced = of(&programs::musl("musl_loads"), &arguments);
    assert_eq!(traced.finished.out(), "kept=50 failed=1\n");
    assert_eq!(traced.live_of_size(0, 209), 50);
    assert_eq!(traced.replay(0).unmatched, 0);
}

#[test]
fn a_known_leak_is_the_suspect() {
    require!("musl-gcc");
    for (plug_in, code) in [(Archiver::Leaking, 1), (Archiver::Fixed, 0)] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("result.json");
        let server = programs::musl_demo(plug_in);
        let mut command = Command::new(UNFREED);
        command.args(["run", "--quiet", "--json", "--output"]).arg(&file).arg("--");
        command.arg(server.get_program()).args(server.get_args());
        run(&mut command, LIMIT).expect_code(code);
        let report: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let suspects = report["suspects"].as_array().unwrap();
        assert_eq!(suspects.len(), code as usize, "{report}");
        for suspect in suspects {
            assert_eq!(suspect["module"]["name"], "libcourier-archive.so");
            assert_eq!(suspect["function"], "archive_remember_sender");
            assert_eq!(suspect["live_blocks"], 6000);
            let callers: Vec<_> = suspect["stack"]
                .as_array()
                .unwrap()
                .iter()
                .map(|frame| &frame["function"])
                .collect();
            assert_eq!(
                callers[..5],
                [
                    "archive_alloc",
                    "archive_remember_sender",
                    "archive_store",
                    "drain_queue",
                    "main"
                ]
            );
        }
    }
}

#[test]
fn a_static_program_is_an_error_with_a_way_out() {
    require!("musl-gcc");
    let program = programs::static_musl("exit3");
    let finished = run(Command::new(UNFREED).args(["run", "--"]).arg(&program), LIMIT);
    assert_eq!(finished.code(), Some(2), "{}", finished.err());
    assert!(finished.err().contains("statically linked"), "{}", finished.err());
    assert_eq!(finished.out(), "", "a verdict on what was not seen");
}

/// glibc's `env` becomes a program of musl, with the agent in its environment: it must go on to run.
#[test]
fn a_program_reached_through_one_of_glibc_s_is_traced() {
    require!("musl-gcc");
    let program = programs::musl("exit3");
    let traced = record(&["/usr/bin/env".into(), program.into()]);
    assert_eq!(traced.finished.code(), Some(3), "{}", traced.finished.err());
    assert_eq!(traced.finished.out(), "allocated=10 freed=9\n");
    let (id, _) = *traced.processes().iter().find(|(_, process)| process.name == "exit3").unwrap();
    assert_eq!(traced.live_of_size(id.0, 109), 1);
}
