//! Programs of musl, with its library beside them and inside, are attached to like glibc's.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod attached;
mod support;
mod traced;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::process::Command;

use attached::{attach, require_attach};
use support::process::{LIMIT, Running};
use support::programs;
use support::signal::Signal;
use traced::Traced;
use unfreed::event::{Function, Loss, ModuleId, What};

/// What a program that allocates and frees all the time did within two seconds.
fn watched(program: &Path) -> Traced {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("trace.unfreed");
    let running = Running::start(&mut Command::new(program));
    running.wait_for("up\n", LIMIT);
    let pid = running.pid().to_string();
    let verb = ["record", "--attach", &pid, "--duration", "2s", "-o", file.to_str().unwrap()];
    attach(&verb).finish(LIMIT).expect_code(0);
    running.signal(Signal::Kill);
    Traced::from_file(running.finish(LIMIT), file, directory)
}

/// Every block is seen to be allocated by the program's own code and to be freed.
#[track_caller]
fn check(program: &Path) {
    let traced = watched(program);
    let name = program.file_name().unwrap().to_str().unwrap();
    let of_program = |module: &&unfreed::event::Module| module.identity.name == name;
    let own: HashSet<ModuleId> = traced.modules().filter(of_program).map(|m| m.id).collect();
    let mut live = HashMap::new();
    let mut allocations = 0;
    for event in &traced.events {
        match &event.what {
            What::Alloc(alloc) => {
                assert_eq!(alloc.function, Function::Malloc);
                assert!((100..200).contains(&alloc.size.0), "{} bytes", alloc.size.0);
                let (frames, _) = traced.frames(alloc.stack);
                let innermost = frames.first().and_then(|frame| frame.module);
                assert!(innermost.is_some_and(|module| own.contains(&module)), "{frames:?}");
                assert_eq!(live.insert(alloc.address, ()), None, "given twice");
                allocations += 1;
            }
            What::Free(free) => assert!(live.remove(&free.address).is_some() || allocations == 0),
            What::Loss(Loss { what, count }) => panic!("{count} {what:?} lost"),
            _ => {}
        }
    }
    assert!(allocations > 100, "only {allocations} allocations");
    assert!(live.len() <= 1, "{} live", live.len());
}

#[test]
fn musl_beside_the_program() {
    support::require!("musl-gcc");
    require_attach!();
    check(&programs::musl("linger_attached"));
}

#[test]
fn musl_inside_the_program() {
    support::require!("musl-gcc");
    require_attach!();
    check(&programs::static_musl("linger_attached"));
}
