//! Memory that tracing adds to a program, as the kernel counts it for the program, and the pages of
//! the session's shared memory, which are charged to the control group that touches them first:
//! the program's. Looked at while the program waits, its threads alive.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use crate::options::Options;
use crate::program::{Mix, Pairs, binary};
use crate::support::process::{LIMIT, Running};
use crate::support::procfs;
use crate::support::signal::{self, Signal};
use crate::table::{Table, none, size};
use crate::tracer::{Tracer, Tracers};

/// The name that `ls -l /proc/PID/fd` shows for the session.
const SESSION: &str = "unfreed-session";

/// What one process has, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    pub resident: f64,
    pub private: f64,
    pub shared: f64,
}

impl Memory {
    /// From `/proc/PID/status`.
    pub fn of(pid: u32) -> Memory {
        let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name));
            let kib = value.and_then(|value| value.trim().strip_suffix("kB"));
            kib.and_then(|kib| kib.trim().parse::<f64>().ok()).unwrap_or(0.0) * 1024.0
        };
        Memory { resident: line("VmRSS:"), private: line("RssAnon:"), shared: line("RssShmem:") }
    }
}

/// The session's shared memory: bytes that take memory, and bytes that could.
pub fn session(collector: u32) -> Option<(f64, f64)> {
    let descriptors = fs::read_dir(format!("/proc/{collector}/fd")).ok()?;
    descriptors.flatten().find_map(|entry| {
        let path = entry.path();
        let named = fs::read_link(&path).ok()?.to_string_lossy().contains(SESSION);
        let data = if named { fs::metadata(&path).ok()? } else { return None };
        Some((data.blocks() as f64 * 512.0, data.len() as f64))
    })
}

/// Measures, and gives the section.
pub fn section(options: &Options, tracers: &Tracers) -> String {
    let mut table = Table::new(&[
        "program",
        "under",
        "resident",
        "added",
        "of it private",
        "of it shared",
        "session's pages in use",
        "session, were all used",
        "collector resident",
    ]);
    for (mix, threads, pairs) in
        [(Mix::OneSite, 1, 400_000), (Mix::Mixed, 2, 400_000), (Mix::OneSite, 64, 10_000)]
    {
        let workload =
            Pairs { mix, depth: 16, threads, pairs: options.scaled(pairs), seed: options.seed };
        let (bare, _, _) = look(Tracer::Bare, tracers, workload);
        for tracer in tracers.present(&[Tracer::Bare, Tracer::Unfreed, Tracer::Heaptrack]) {
            let (memory, pages, collector) = look(tracer, tracers, workload);
            let added = |figure: fn(&Memory) -> f64| {
                let added = figure(&memory) - figure(&bare);
                if tracer == Tracer::Bare { none() } else { size(added) }
            };
            let [used, whole] =
                pages.map_or_else(|| [none(), none()], |(used, whole)| [size(used), size(whole)]);
            table.row(&[
                format!("{mix}, {threads} thread{}", if threads == 1 { "" } else { "s" }),
                tracer.name(),
                size(memory.resident),
                added(|memory| memory.resident),
                added(|memory| memory.private),
                added(|memory| memory.shared),
                used,
                whole,
                collector.map_or_else(none, size),
            ]);
        }
    }
    format!("### Memory added to the target\n\n{}", table.finish())
}

/// The program's memory when its work is done, the session's, and the collector's.
fn look(
    tracer: Tracer,
    tracers: &Tracers,
    workload: Pairs,
) -> (Memory, Option<(f64, f64)>, Option<f64>) {
    let directory = tempfile::tempdir().unwrap();
    let mut words: Vec<OsString> = tracers.prefix(tracer, directory.path());
    words.extend(workload.program().words);
    words.push("hold".into());
    let running = Running::start(Command::new(&words[0]).args(&words[1..]));
    running.wait_for("ready", LIMIT);
    let program = binary();
    let target = procfs::family(running.pid())
        .into_iter()
        .find(|pid| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program))
        .expect("the program waits");
    let memory = Memory::of(target);
    let pages = session(running.pid());
    let collector = (tracer == Tracer::Unfreed).then(|| Memory::of(running.pid()).resident);
    assert!(signal::send(target, Signal::Terminate), "the program is gone");
    running.finish(LIMIT).expect_code(0);
    (memory, pages, collector)
}
