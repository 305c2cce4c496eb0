//! Runs a program under a tracer and tells what it took: its own figures, as it prints them, and
//! the processor time of everything that ran, as the system counts it. What a tracer needed beside
//! the program is the difference.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::peak;
use crate::tracer::{Tracer, Tracers, trace, unfreed};

/// A program that takes longer hangs. coreutils' `timeout` ends it, with all it started.
const LIMIT: &str = "180";

/// What a run took.
#[derive(Clone, Debug)]
pub struct Run {
    /// What the program printed as `name=123`.
    pub counts: HashMap<String, u64>,
    /// Seconds from its start to the end of all that ran.
    pub wall: f64,
    /// Processor seconds of all that ran.
    pub spent: f64,
    /// What the trace says, where unfreed wrote one.
    pub recorded: Option<Recorded>,
}

/// What a trace of unfreed's says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Recorded {
    pub bytes: u64,
    pub allocations: u64,
    pub frees: u64,
    pub live_blocks: u64,
    pub lost: u64,
}

impl Run {
    /// A figure that the program printed.
    pub fn count(&self, name: &str) -> f64 {
        let value = self.counts.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}"));
        *value as f64
    }

    /// Processor seconds of the program itself.
    pub fn own(&self) -> f64 {
        self.count("process_ns") / 1e9
    }

    /// Processor seconds of everything else: the tracer's processes, and the program's end.
    pub fn beside(&self) -> f64 {
        self.spent - self.own()
    }
}

/// A program with its arguments and environment.
#[derive(Clone, Debug)]
pub struct Program {
    pub words: Vec<OsString>,
    pub environment: Vec<(&'static str, &'static str)>,
}

impl Program {
    /// Runs it; panics with what was said where it fails.
    pub fn run(&self, tracer: Tracer, tracers: &Tracers) -> Run {
        let directory = tempfile::tempdir().unwrap();
        let mut run = self.run_after(&tracers.prefix(tracer, directory.path()), directory.path());
        if matches!(tracer, Tracer::Unfreed | Tracer::Sampling) {
            run.recorded = Some(recorded(&trace(directory.path())));
        }
        run
    }

    /// Runs it after these words; what goes to standard error goes into a file in `directory`.
    pub fn run_after(&self, prefix: &[OsString], directory: &Path) -> Run {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", LIMIT]).args(prefix).args(&self.words);
        measured(command.envs(self.environment.iter().copied()), directory)
    }
}

fn measured(command: &mut Command, directory: &Path) -> Run {
    let told = directory.join("told");
    let start = Instant::now();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&told).unwrap());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut out = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut out).unwrap();
    let (status, _, spent) = peak::wait(child);
    let wall = start.elapsed();
    let told = std::fs::read_to_string(&told).unwrap_or_default();
    assert!(status.success(), "{command:?}: {status}\n{out}{told}");
    let counts = out
        .split_ascii_whitespace()
        .filter_map(|word| word.split_once('='))
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect();
    let seconds = |time: Duration| time.as_secs_f64();
    Run { counts, wall: seconds(wall), spent: seconds(spent), recorded: None }
}

/// What unfreed itself reads out of a trace.
pub fn recorded(file: &Path) -> Recorded {
    let done = Command::new(unfreed()).args(["analyze", "--json"]).arg(file).output().unwrap();
    assert!(!done.stdout.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
    Recorded { bytes: file.metadata().unwrap().len(), ..reported(&done.stdout) }
}

/// The same out of a report in JSON.
pub fn reported(json: &[u8]) -> Recorded {
    let report: Value = serde_json::from_slice(json).expect("a report");
    let number = |pointer: &str| {
        let value = report.pointer(pointer).and_then(Value::as_u64);
        value.unwrap_or_else(|| panic!("no {pointer} in {report}"))
    };
    Recorded {
        bytes: 0,
        allocations: number("/totals/allocations"),
        frees: number("/totals/frees"),
        live_blocks: number("/totals/live_blocks"),
        lost: number("/losses/events"),
    }
}

/// Has the variants take turns for so many rounds, and gives the samples of each, in their order.
pub fn in_turns<V: Copy, S>(
    rounds: usize,
    variants: &[V],
    mut sample: impl FnMut(V) -> S,
) -> Vec<Vec<S>> {
    let mut samples: Vec<Vec<S>> = variants.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        for step in 0..variants.len() {
            // Each round begins with another one: none is always first after a pause.
            let index = (round + step) % variants.len();
            samples[index].push(sample(variants[index]));
        }
    }
    samples
}

/// The median of one figure of the samples.
pub fn median<S>(samples: &[S], figure: impl Fn(&S) -> f64) -> f64 {
    let mut figures: Vec<f64> = samples.iter().map(figure).collect();
    assert!(!figures.is_empty(), "nothing was measured");
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    if figures.len().is_multiple_of(2) {
        (figures[middle - 1] + figures[middle]) / 2.0
    } else {
        figures[middle]
    }
}
