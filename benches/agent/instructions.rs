//! Instructions per pair, as callgrind counts them: what no noise on the machine can change. Two
//! runs of different length under each tracer; the difference leaves out whatever is done once.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::measure::{Program, recorded};
use crate::options::Options;
use crate::program::{Mix, Pairs};
use crate::table::{Table, none};
use crate::tracer::{Tracer, Tracers, record, trace};

const SHORT: u64 = 2_000;
const LONG: u64 = 12_000;

/// Measures, and gives the section.
pub fn section(options: &Options, tracers: &Tracers) -> String {
    let title = "### Instructions per pair\n";
    let Some(valgrind) = &tracers.valgrind else {
        return format!("{title}\nNot measured: no valgrind (`apt install valgrind`).\n");
    };
    let mut table = Table::new(&[
        "mix",
        "depth",
        "bare",
        "unfreed adds",
        "heaptrack adds",
        "unfreed / heaptrack",
    ]);
    for mix in [Mix::OneSite, Mix::Mixed] {
        for depth in [4, 16, 64] {
            let count = |tracer| {
                let of = |pairs| Pairs { mix, depth, threads: 1, pairs, seed: options.seed };
                let (short, long) = (of(SHORT), of(LONG));
                let more =
                    run(tracer, tracers, valgrind, long)? - run(tracer, tracers, valgrind, short)?;
                Some(more / (long.traced() - short.traced()))
            };
            let bare = count(Tracer::Bare).expect("valgrind was found");
            let added = count(Tracer::Unfreed).expect("valgrind was found") - bare;
            let theirs = count(Tracer::Heaptrack).map(|theirs| theirs - bare);
            table.row(&[
                mix.to_string(),
                depth.to_string(),
                format!("{bare:.0}"),
                format!("{added:.0}"),
                theirs.map_or_else(none, |theirs| format!("{theirs:.0}")),
                theirs.map_or_else(none, |theirs| format!("{:.2}", added / theirs)),
            ]);
        }
    }
    format!("{title}\nIn the traced program alone, one thread.\n\n{}", table.finish())
}

/// Instructions of the whole program; `None` where the tracer is not here.
fn run(tracer: Tracer, tracers: &Tracers, valgrind: &Path, workload: Pairs) -> Option<f64> {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let counts = at.join("callgrind");
    let mut under: Vec<OsString> = vec!["--quiet".into(), "--tool=callgrind".into()];
    under.push(format!("--callgrind-out-file={}", counts.display()).into());
    let mut program = Program { words: under, environment: Vec::new() };
    let prefix: Vec<OsString> = match tracer {
        // callgrind itself is static and cannot be traced, which is an error where it is what
        // unfreed runs. The shell stays as what it runs; callgrind then only costs a warning.
        Tracer::Unfreed => {
            let mut prefix = record(&[], at);
            prefix.extend(["/bin/sh", "-c", "\"$@\"; exit $?", "sh"].map(OsString::from));
            prefix
        }
        Tracer::Heaptrack => {
            // heaptrack takes itself out of LD_PRELOAD in the first program that it meets, which
            // would be valgrind's launcher. So the loader is told, not the environment.
            let library = tracers
                .heaptrack
                .as_ref()?
                .parent()?
                .join("../lib/heaptrack/libheaptrack_preload.so");
            let library = library.canonicalize().ok()?;
            program.words.extend(["/lib64/ld-linux-x86-64.so.2", "--preload"].map(OsString::from));
            program.words.push(library.into());
            Vec::new()
        }
        _ => Vec::new(),
    };
    let output = at.join("heaptrack.raw");
    program.words.extend(workload.program().words);
    let mut prefix = prefix;
    prefix.push(valgrind.into());
    if tracer == Tracer::Heaptrack {
        let mut setting = OsString::from("DUMP_HEAPTRACK_OUTPUT=");
        setting.push(&output);
        prefix.splice(0..0, ["env".into(), setting]);
    }
    program.run_after(&prefix, at);
    // A count of a program that was not traced would pass for a cheap tracer.
    match tracer {
        Tracer::Unfreed => {
            let trace = recorded(&trace(at));
            assert_eq!(trace.lost, 0, "a ring was full: its path is not the one to be counted");
            assert!(trace.allocations as f64 >= workload.traced(), "not traced: {trace:?}");
        }
        Tracer::Heaptrack => {
            let raw = fs::metadata(&output).map_or(0, |data| data.len());
            assert!(raw as f64 > workload.traced() * 4.0, "heaptrack wrote {raw} bytes");
        }
        _ => {}
    }
    let text = fs::read_to_string(&counts).expect("callgrind wrote its counts");
    let line = text.lines().find_map(|line| line.strip_prefix("totals:")).expect("totals");
    line.trim().parse().ok()
}
