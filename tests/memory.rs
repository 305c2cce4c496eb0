//! Traces of any length are analysed in memory that depends on the live blocks alone: the real
//! `unfreed analyze` reads synthetic traces from a pipe, and the system says what it took. What is
//! counted as a trace's length is its bytes as written, after compression; addresses and sizes look
//! random, so that little of it compresses. `docs/benchmarks.md` has the figures.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::peak;
use unfreed::event::*;
use unfreed::read::trace::{Header, Summary, Writer};

const UNFREED: &str = env!("CARGO_BIN_EXE_unfreed");
const MIB: u64 = 1 << 20;
const SITES: u32 = 500;
const DEPTH: u32 = 24;
/// The blocks that a leak leaves, evenly over the trace, so that there is something to find.
const LEAKED: u64 = 2_000;
/// How long a trace lasts, in nanoseconds: long enough for a verdict.
const LASTS: u64 = 100_000_000_000;
/// What an analysis may take besides live blocks: the program, a chunk, and what 500 sites and
/// their 12,000 frames need.
const CONSTANT: u64 = 48 * MIB;
const PER_BLOCK: u64 = 128;

/// How a trace is made: so many blocks live at every moment, so many allocated in all, each freed
/// after a random time.
#[derive(Clone, Copy, Debug)]
struct Shape {
    live: u64,
    allocations: u64,
}

impl Shape {
    fn write(self, stream: impl Write) -> Summary {
        let writer = Writer::new(stream, &Header::default()).unwrap();
        let mut tape = Tape { time: 0, epoch: 0, step: LASTS / self.allocations, writer };
        tape.begin();
        let mut dice = 0x9e37_79b9_7f4a_7c15u64;
        let mut live: Vec<Address> = Vec::new();
        let mut leaked = 0;
        for n in 0..self.allocations {
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let random = dice >> 33;
            // The first would be NULL.
            let address = address(n + 1);
            if leaked * self.allocations < n * LEAKED {
                leaked += 1;
                tape.alloc(address, 48, 0);
                continue;
            }
            if live.len() as u64 == self.live {
                let at = (random % self.live) as usize;
                tape.free(std::mem::replace(&mut live[at], address));
            } else {
                live.push(address);
            }
            tape.alloc(address, 16 + random % 4_096, 1 + (random >> 12) as u32 % (SITES - 1));
        }
        tape.writer.finish().unwrap()
    }
}

/// Addresses as if at random, and each once: every step can be undone.
fn address(n: u64) -> Address {
    const BITS: u64 = (1 << 43) - 1;
    let mut mixed = n;
    for odd in [0x1b87_3593_ca77_u64 | 1, 0x5851_f42d_4c95_u64 | 1] {
        mixed = (mixed ^ (mixed >> 21)).wrapping_mul(odd) & BITS;
    }
    Address((mixed ^ (mixed >> 21)) << 4)
}

struct Tape<W: Write> {
    time: u64,
    epoch: u64,
    step: u64,
    writer: Writer<W>,
}

impl<W: Write> Tape<W> {
    fn begin(&mut self) {
        let process =
            Process { pid: 1, name: "server".into(), from_start: true, ..Process::default() };
        self.put(What::Process(Box::new(process)));
        for site in 0..SITES {
            for depth in 0..DEPTH {
                let outer = StackId(StackId::FIRST.0 + site * DEPTH + depth.saturating_sub(1));
                let caller = if depth == 0 { StackId::COMPLETE } else { outer };
                let offset = u64::from(site * DEPTH + depth) * 64;
                let frame = Frame { module: None, offset, trust: Trust::Table };
                self.put(What::Stack(StackNode { caller, frame }));
            }
        }
    }

    fn alloc(&mut self, address: Address, size: u64, site: u32) {
        let stack = StackId(StackId::FIRST.0 + site * DEPTH + DEPTH - 1);
        let (function, heap) = (Function::Malloc, HeapId::DEFAULT);
        self.put(What::Alloc(Alloc { address, size: Bytes(size), stack, function, heap }));
        self.time += self.step;
        if self.time >= self.epoch {
            self.epoch = self.time + 100_000_000;
            self.put(What::Epoch);
        }
    }

    fn free(&mut self, address: Address) {
        let (function, heap) = (Function::Free, HeapId::DEFAULT);
        self.put(What::Free(Free { address, stack: StackId::NOT_TAKEN, function, heap }));
    }

    fn put(&mut self, what: What) {
        let time = Time(self.time);
        let event = Event { time, process: ProcessId(0), thread: Tid(1), what };
        self.writer.write(&event).unwrap();
    }
}

/// What an analysis took.
#[derive(Debug)]
struct Taken {
    peak: u64,
    bytes: u64,
    events: u64,
    elapsed: Duration,
}

/// Analyses a trace while it is written, through a pipe: no length needs room on a disk.
fn through_a_pipe(shape: Shape) -> Taken {
    let report = tempfile::NamedTempFile::new().unwrap();
    let mut analyze = Command::new(UNFREED);
    analyze.args(["analyze", "--json", "/dev/stdin", "--output"]).arg(report.path());
    let mut child = analyze.stdin(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    let summary = shape.write(child.stdin.take().unwrap());
    let (status, peak) = peak::wait(child);
    let elapsed = began.elapsed();
    check(shape, report.path(), status.code());
    tell(Taken { peak, bytes: summary.bytes, events: summary.events, elapsed }, shape)
}

fn tell(taken: Taken, shape: Shape) -> Taken {
    let mib = |bytes| bytes as f64 / MIB as f64;
    println!(
        "{} live: {:.0} MiB, {} events, {:.1} s, {:.0} MiB/s, {:.2} M events/s, peak {:.1} MiB",
        shape.live + LEAKED,
        mib(taken.bytes),
        taken.events,
        taken.elapsed.as_secs_f64(),
        mib(taken.bytes) / taken.elapsed.as_secs_f64(),
        taken.events as f64 / taken.elapsed.as_secs_f64() / 1e6,
        mib(taken.peak),
    );
    taken
}

/// It was an analysis: everything was read, and the one leak was found.
fn check(shape: Shape, report: &Path, code: Option<i32>) {
    assert_eq!(code, Some(1));
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert_eq!(report["faults"], json!([]));
    assert_eq!(report["losses"], json!({"events": 0, "frees": 0, "stacks": 0, "bytes": 0}));
    assert_eq!(report["totals"]["allocations"], json!(shape.allocations));
    assert_eq!(report["totals"]["live_blocks"], json!(shape.live + LEAKED));
    assert_eq!(report["totals"]["frees_unmatched"], json!(0));
    assert_eq!(report["totals"]["frees_unseen"], json!(0));
    let suspects = report["suspects"].as_array().unwrap();
    assert_eq!(suspects.len(), 1);
    assert_eq!(suspects[0]["live_blocks"], json!(LEAKED));
}

/// Fails unless memory is that of the live blocks, and four times the length takes no more.
fn constant(live: u64, allocations: u64, at_least: u64) {
    let few = through_a_pipe(Shape { live: 1_000, allocations });
    let once = through_a_pipe(Shape { live, allocations });
    let four = through_a_pipe(Shape { live, allocations: 4 * allocations });
    assert!(once.bytes >= at_least, "{once:?}");
    assert!(four.bytes >= 4 * once.bytes - once.bytes / 4, "{four:?}");
    assert!(few.peak <= CONSTANT, "{few:?}");
    let blocks = live + LEAKED;
    assert!(once.peak <= CONSTANT + PER_BLOCK * blocks, "{once:?}");
    let each = once.peak.saturating_sub(few.peak) as f64 / (live - 1_000) as f64;
    println!("{each:.1} bytes per live block");
    assert!(each <= PER_BLOCK as f64, "{each} bytes per live block");
    let grown = four.peak as f64 / once.peak as f64;
    assert!((0.9..1.1).contains(&grown), "{grown} times the peak for four times the length");
}

#[test]
fn memory_does_not_grow_with_the_trace() {
    constant(100_000, 500_000, 8 * MIB);
}

#[test]
#[ignore = "writes and reads 5 GiB of trace: `cargo test --release --test memory -- --ignored --nocapture`"]
fn a_gibibyte_is_read_in_constant_memory() {
    let shape = Shape { live: 1_000_000, allocations: 75_000_000 };
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    let began = Instant::now();
    let summary = shape.write(File::create(&trace).unwrap());
    println!("written in {:.1} s", began.elapsed().as_secs_f64());
    assert!(summary.bytes >= 1 << 30, "{summary:?}");
    let report = directory.path().join("report");
    let mut analyze = Command::new(UNFREED);
    analyze.args(["analyze", "--json", "--output"]).arg(&report).arg(&trace);
    let began = Instant::now();
    let (status, peak) = peak::wait(analyze.spawn().unwrap());
    let elapsed = began.elapsed();
    check(shape, &report, status.code());
    let file = Taken { peak, bytes: summary.bytes, events: summary.events, elapsed };
    let file = tell(file, shape);
    assert!(file.peak <= CONSTANT + PER_BLOCK * (shape.live + LEAKED), "{file:?}");
    constant(shape.live, shape.allocations, 1 << 30);
}
