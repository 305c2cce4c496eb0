//! The agent's stacks against an independent unwinder's: libgcc's, called from a library that is
//! preloaded after the agent, so that it is the real allocator to it, and sees the same allocations. Every frame of every stack must be the
//! same, over more than 100,000 allocations of C, C++ and Python programs.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;
mod traced;

use std::collections::HashMap;
use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};

use support::oracle::{self, Agreement, Allocation, Run};
use support::programs::{self, Archiver};
use traced::{Traced, record_every_event_in};
use unfreed::event::{ModuleId, ProcessId, StackId, What};

/// Most allocations that are compared in one run.
const MOST: u64 = 120_000;

/// Most allocations that the loader makes before the agent starts.
const BEFORE_START: usize = 64;

/// Records a command under both, and compares.
fn check(command: &[OsString]) -> Agreement {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("oracle");
    let program = Path::new(&command[0]).file_name().unwrap();
    let traced = record_every_event_in(
        command,
        &[
            ("LD_PRELOAD", programs::oracle().into()),
            (oracle::FILE, file.clone().into()),
            (oracle::LIMIT, MOST.to_string().into()),
            (oracle::ONLY, program.to_owned()),
        ],
    );
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    assert_eq!(traced.lost(), HashMap::new(), "something was lost");
    let run = Run::read(&file);
    let (ours, agent) = allocations(&traced);
    // The loader allocates before the agent's constructor has run; from then on nothing may lack.
    // Threads that allocate within one tick of the clock stand in any order, so that it is the first of the thread
    // that the loader ran in that counts.
    let main = run.allocations.first().expect("an allocation").tid;
    let begun = ours.iter().find(|ours| ours.tid == main).expect("an allocation of that thread");
    let first = run
        .allocations
        .iter()
        .position(|oracle| (oracle.address, oracle.size) == (begun.address, begun.size))
        .expect("the agent's first allocation");
    assert!(first <= BEFORE_START, "{first} allocations before the agent's first");
    let agreement = oracle::compare(&run.allocations[first..], &ours, &[run.own.clone(), agent])
        .unwrap_or_else(|difference| panic!("{difference}"));
    println!("{}: {agreement:?}", program.display());
    agreement
}

/// The first process's allocations with absolute addresses, and where the agent lies.
fn allocations(traced: &Traced) -> (Vec<Allocation>, Range<u64>) {
    let mut load_bias: HashMap<ModuleId, u64> = HashMap::new();
    let mut agent = 0..0;
    let mut allocations = Vec::new();
    for event in traced.events.iter().filter(|event| event.process == ProcessId(0)) {
        let (address, size, stack) = match &event.what {
            What::Module(module) => {
                // Offsets are in the file's own terms: a program with a fixed place has its
                // addresses there already.
                let fixed = is_fixed(Path::new(&module.identity.path));
                load_bias.insert(module.id, if fixed { 0 } else { module.base.0 });
                if module.identity.name.contains("unfreed_agent") {
                    agent = module.base.0..module.base.0 + module.size.0;
                }
                continue;
            }
            What::Alloc(alloc) => (alloc.address, alloc.size, alloc.stack),
            What::Realloc(realloc) => (realloc.new, realloc.size, realloc.stack),
            _ => continue,
        };
        let (frames, root) = traced.frames(stack);
        let frames = frames
            .iter()
            .map(|frame| frame.offset + frame.module.map_or(0, |module| load_bias[&module]))
            .collect();
        let complete = root == StackId::COMPLETE;
        let (tid, address, size) = (event.thread.0, address.0, size.0);
        allocations.push(Allocation { tid, address, size, frames, complete });
    }
    (allocations, agent)
}

fn is_fixed(path: &Path) -> bool {
    const ET_EXEC: u8 = 2;
    std::fs::read(path).is_ok_and(|bytes| bytes.get(16) == Some(&ET_EXEC))
}

/// Nearly all must agree from end to end; the others are those where one side stopped early, and
/// up to there they must agree too.
#[track_caller]
fn assert_whole(agreement: Agreement, least: u64) {
    assert!(agreement.whole >= least, "too few to prove anything: {agreement:?}");
    assert!(agreement.partial * 1000 <= agreement.whole, "cut short: {agreement:?}");
}

#[test]
fn stacks_of_c_agree() {
    assert_whole(check(&[programs::c("handoff").into()]), 90_000);
}

#[test]
fn stacks_of_cxx_agree() {
    let server = programs::server(Archiver::Leaking, 4_000, 4);
    let mut command = vec![server.get_program().to_owned()];
    command.extend(server.get_args().map(OsString::from));
    assert_whole(check(&command), 90_000);
}

#[test]
fn stacks_of_python_agree() {
    let python = PathBuf::from("/usr/bin/python3");
    if !python.exists() {
        support::skip!("{} is not installed", python.display());
    }
    // The name that the loader knows it by.
    let python = python.canonicalize().unwrap();
    let script = programs::script("workload.py");
    assert_whole(check(&[python.into(), script.into()]), 90_000);
}
