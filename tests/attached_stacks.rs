//! The probe's stacks against an independent unwinder's, libgcc's, in the same run: every frame of every stack must be
//! the same, over more than 100,000 allocations of C, C++, Rust and Python programs.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod attached;
mod support;
mod traced;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use attached::{GATE_ONLY, Gated, require_attach};
use support::oracle::{self, Agreement, Allocation, Run};
use support::process::{LIMIT, run};
use support::programs::{self, Archiver};
use traced::Traced;
use unfreed::event::{ModuleId, ProcessId, StackId, What};

/// Most allocations that are compared in one run.
const MOST: u64 = 200_000;

/// Attaches to a command that records its own stacks, once its libraries are there, and compares.
fn check(command: &[OsString]) -> Agreement {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("oracle");
    let program = Path::new(&command[0]).file_name().unwrap();
    // Under this name it gets no probes of its own. A return address that a probe replaced ends its walks.
    let preloaded = directory.path().join("libunfreed_agent.so");
    std::fs::copy(programs::oracle(), &preloaded).unwrap();
    let gated = Gated::start(
        command,
        &[preloaded],
        &[
            (oracle::FILE, file.clone().into()),
            (oracle::LIMIT, MOST.to_string().into()),
            (oracle::ONLY, program.to_owned()),
            (GATE_ONLY, program.to_owned()),
        ],
    );
    let traced = gated.record();
    assert!(matches!(traced.finished.code(), Some(0 | 1)), "{}", traced.finished.err());
    assert_eq!(traced.lost(), HashMap::new(), "something was lost");
    let run = Run::read(&file);
    let ours = allocations(&traced);
    let agreement = oracle::compare(&run.allocations, &ours, std::slice::from_ref(&run.own))
        .unwrap_or_else(|difference| panic!("{difference}"));
    println!("{}: {agreement:?}", program.display());
    agreement
}

/// The allocations of the program, with absolute addresses.
fn allocations(traced: &Traced) -> Vec<Allocation> {
    let mut load_bias: HashMap<ModuleId, u64> = HashMap::new();
    let mut allocations = Vec::new();
    for event in traced.events.iter().filter(|event| event.process == ProcessId(0)) {
        let (address, size, stack) = match &event.what {
            What::Module(module) => {
                let fixed = is_fixed(Path::new(&module.identity.path));
                load_bias.insert(module.id, if fixed { 0 } else { module.base.0 });
                continue;
            }
            What::Alloc(alloc) => (alloc.address, alloc.size, alloc.stack),
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
    allocations
}

fn is_fixed(path: &Path) -> bool {
    const ET_EXEC: u8 = 2;
    std::fs::read(path).is_ok_and(|bytes| bytes.get(16) == Some(&ET_EXEC))
}

#[track_caller]
fn assert_whole(agreement: Agreement, least: u64) {
    assert!(agreement.whole >= least, "too few to prove anything: {agreement:?}");
    assert!(agreement.partial * 100 <= agreement.whole, "cut short: {agreement:?}");
}

#[test]
fn stacks_of_c_agree() {
    require_attach!();
    assert_whole(check(&[programs::c("handoff").into()]), 40_000);
}

#[test]
fn stacks_of_cxx_agree() {
    support::require!("c++");
    require_attach!();
    let server = programs::server(Archiver::Leaking, 4_000, 2);
    let mut command = vec![server.get_program().to_owned()];
    command.extend(server.get_args().map(|argument| argument.to_owned()));
    command.extend(["--rate", "1000"].map(OsString::from));
    assert_whole(check(&command), 30_000);
}

#[test]
fn stacks_of_rust_agree() {
    let rustc = support::require!("rustc");
    require_attach!();
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("steps");
    let source = support::compile::root().join("tests/programs/steps.rs");
    let mut compile = Command::new(rustc);
    compile.args(["--edition=2024", "-O", "-o"]).arg(&program).arg(source);
    run(&mut compile, LIMIT).expect_code(0);
    assert_whole(check(&[program.into()]), 15_000);
}

#[test]
fn stacks_of_python_agree() {
    let python = support::require!("python3");
    require_attach!();
    // Not a script that looks for it first, which would start a hundred processes.
    let mut ask = Command::new(python);
    let itself = run(ask.args(["-c", "import sys; print(sys.executable)"]), LIMIT).expect_code(0);
    let script = programs::script("workload.py");
    assert_whole(check(&[itself.out().trim().into(), script.into()]), 20_000);
}
