//! Whose core it is: the one process of the trace that has its number and its program.

use super::DumpError;
use super::notes::Notes;
use crate::ledger::{Image, Ledger};

/// Bytes that the kernel keeps of a thread's name.
const NAME: usize = 15;

pub(super) fn find<'a>(ledger: &'a Ledger, notes: &Notes) -> Result<&'a Image, DumpError> {
    let numbers: Vec<u32> = match notes.pid {
        Some(pid) => vec![pid],
        None => notes.thread_numbers.clone(),
    };
    let pid = |image: &Image| image.process.as_ref().map_or(0, |process| process.pid);
    // A number may be used again, and a process execute another program: the latest counts.
    let mut of: Vec<&Image> = ledger
        .images()
        .iter()
        .filter(|image| pid(image) != 0 && numbers.contains(&pid(image)))
        .collect();
    of.reverse();
    let number = numbers.first().copied().unwrap_or(0);
    let Some(latest) = of.first() else {
        let traced = ledger.images().iter().map(pid).filter(|pid| *pid != 0);
        let traced = traced.take(8).map(|pid| pid.to_string()).collect::<Vec<_>>().join(", ");
        return Err(DumpError::OtherProcess { number, traced });
    };
    let name = |image: &Image| image.process.as_ref().map_or("", |of| of.name.as_str()).to_owned();
    let found = of.iter().find(|image| is_named(&name(image), notes));
    found.copied().ok_or_else(|| DumpError::OtherProgram {
        number,
        program: program(notes),
        traced: name(latest),
    })
}

/// The program, as the core has it.
fn program(notes: &Notes) -> String {
    let file = notes.program.and_then(|at| notes.file_at(at));
    let path = file.map(|file| file.path.as_slice()).or(notes.name.as_deref()).unwrap_or_default();
    String::from_utf8_lossy(path).into_owned()
}

/// By the file that it executed; by the name of its first thread only where the core does not say which that was.
fn is_named(name: &str, notes: &Notes) -> bool {
    let deleted = |path: &str| path.strip_suffix(" (deleted)").unwrap_or(path).to_owned();
    let name = deleted(name);
    if notes.program.is_some_and(|at| notes.file_at(at).is_some()) {
        let program = deleted(&program(notes));
        return program.rsplit('/').next() == Some(name.as_str());
    }
    let thread = notes.name.as_deref().unwrap_or_default();
    let most = name.len().min(NAME);
    !thread.is_empty() && thread == &name.as_bytes()[..most]
}
