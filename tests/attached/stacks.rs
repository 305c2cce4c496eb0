//! What the probe saw of a program that records its own stacks, and programs of four languages that do.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use super::{GATE_ONLY, Gated};
use crate::support::oracle::{self, Allocation, Run};
use crate::support::process::{LIMIT, run};
use crate::support::programs::{self, Archiver};
use crate::traced::Traced;
use unfreed::event::{ModuleId, ProcessId, StackId, What};

/// Attaches to a command that records its own stacks, once its libraries are there: at most so many, and with more in its
/// environment. What it recorded, and what we did.
pub fn both(command: &[OsString], most: u64, environment: &[(&str, OsString)]) -> (Run, Traced) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("oracle");
    let program = Path::new(&command[0]).file_name().unwrap();
    // Under this name it gets no probes of its own. A return address that a probe replaced ends its walks.
    let preloaded = directory.path().join("libunfreed_agent.so");
    std::fs::copy(programs::oracle(), &preloaded).unwrap();
    let mut all = vec![
        (oracle::FILE, file.clone().into()),
        (oracle::LIMIT, most.to_string().into()),
        (oracle::ONLY, program.to_owned()),
        (GATE_ONLY, program.to_owned()),
    ];
    all.extend_from_slice(environment);
    let traced = Gated::start(command, &[preloaded], &all).record();
    assert!(matches!(traced.finished.code(), Some(0 | 1)), "{}", traced.finished.err());
    assert_eq!(traced.lost(), HashMap::new(), "something was lost");
    (Run::read(&file), traced)
}

/// Where each file was loaded, and its path.
pub fn loaded(traced: &Traced) -> HashMap<ModuleId, (u64, std::path::PathBuf)> {
    let first = traced.events.iter().filter(|event| event.process == ProcessId(0));
    let modules = first.filter_map(|event| match &event.what {
        What::Module(module) => {
            let path = Path::new(&module.identity.path).to_owned();
            let load_bias = if is_fixed(&path) { 0 } else { module.base.0 };
            Some((module.id, (load_bias, path)))
        }
        _ => None,
    });
    modules.collect()
}

/// The allocations of the program, with absolute addresses.
pub fn allocations(traced: &Traced) -> Vec<Allocation> {
    let loaded = loaded(traced);
    let mut allocations = Vec::new();
    for event in traced.events.iter().filter(|event| event.process == ProcessId(0)) {
        let What::Alloc(alloc) = &event.what else { continue };
        let (frames, root) = traced.frames(alloc.stack);
        let frames = frames
            .iter()
            .map(|frame| frame.offset + frame.module.map_or(0, |module| loaded[&module].0))
            .collect();
        let complete = root == StackId::COMPLETE;
        let (tid, address, size) = (event.thread.0, alloc.address.0, alloc.size.0);
        allocations.push(Allocation { tid, address, size, frames, complete });
    }
    allocations
}

fn is_fixed(path: &Path) -> bool {
    const ET_EXEC: u8 = 2;
    std::fs::read(path).is_ok_and(|bytes| bytes.get(16) == Some(&ET_EXEC))
}

pub fn c() -> Vec<OsString> {
    vec![programs::c("handoff").into()]
}

pub fn cxx() -> Vec<OsString> {
    let server = programs::server(Archiver::Leaking, 4_000, 2);
    let mut command = vec![server.get_program().to_owned()];
    command.extend(server.get_args().map(|argument| argument.to_owned()));
    command.extend(["--rate", "1000"].map(OsString::from));
    command
}

/// Compiled into this directory.
pub fn rust(rustc: &Path, directory: &Path) -> Vec<OsString> {
    let program = directory.join("steps");
    let source = crate::support::compile::root().join("tests/programs/steps.rs");
    let mut compile = Command::new(rustc);
    compile.args(["--edition=2024", "-O", "-o"]).arg(&program).arg(source);
    run(&mut compile, LIMIT).expect_code(0);
    vec![program.into()]
}

pub fn python(python: &Path) -> Vec<OsString> {
    // Not a script that looks for it first, which would start a hundred processes.
    let mut ask = Command::new(python);
    let itself = run(ask.args(["-c", "import sys; print(sys.executable)"]), LIMIT).expect_code(0);
    vec![itself.out().trim().into(), programs::script("workload.py").into()]
}
