//! The same small servers under unfreed and under other tools: whom each names, of those who leak and of those who do
//! not.
//!
//! ```text
//! cargo bench --bench beside                     about three minutes
//! cargo bench --bench beside -- --seconds 60     longer runs
//! ```
//!
//! A function of `programs/behaviours.c` leaks if its name says so. What a tool names is taken by the innermost function of
//! that program on the stack that the tool shows; each function counts once a run. All tools have their defaults, where
//! nothing else is said. What is not installed is said and left out. Prints Markdown for `docs/verdicts.md`.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark")]

#[path = "../../tests/support/mod.rs"]
mod support;

mod age;
mod heaptrack;
mod lsan;
mod named;
mod programs;
mod told;
mod unfreed;
mod valgrind;

use std::collections::BTreeMap;
use std::thread;

use clap::Parser;

use named::Rows;
use programs::{BEHAVIOURS, Run};

/// Holds tools against each other on the same programs.
#[derive(Debug, Parser)]
#[command(name = "cargo bench --bench beside --")]
struct Options {
    /// How long each program runs
    #[arg(long, default_value_t = 22)]
    seconds: u64,
    /// What Cargo says when it wants a measurement
    #[arg(long, hide = true)]
    bench: bool,
}

/// One tool: runs a program and gives whom it names, by the rows of the table.
type Tool = fn(&Run) -> Rows;

fn main() {
    let options = Options::parse();
    if !options.bench {
        // `cargo test --benches` starts benchmarks without asking for a measurement.
        eprintln!("measure with `cargo bench --bench beside`");
        return;
    }
    let mut tools: Vec<Tool> = vec![unfreed::run];
    let others: [(&str, &str, Tool); 3] = [
        ("heaptrack", "heaptrack", heaptrack::run),
        ("gcc", "gcc", lsan::run),
        ("valgrind", "valgrind", valgrind::run),
    ];
    for (program, package, tool) in others {
        match support::skip::tool(program) {
            Some(_) => tools.push(tool),
            None => eprintln!("left out: {program} is not installed (`apt install {package}`)"),
        }
    }
    for tidy in [false, true] {
        let mut table = told::Table::default();
        for tool in &tools {
            eprintln!("{} programs at once, {} s ...", BEHAVIOURS.len(), options.seconds);
            for (behaviour, rows) in at_once(*tool, options.seconds, tidy) {
                for (row, named) in rows {
                    table.add(row, behaviour, named);
                }
            }
        }
        println!("{}", table.told(options.seconds, tidy));
    }
}

/// The programs do nearly nothing most of the time: they run side by side.
fn at_once(tool: Tool, seconds: u64, tidy: bool) -> BTreeMap<&'static str, Rows> {
    thread::scope(|scope| {
        let runs = BEHAVIOURS.map(|behaviour| {
            (behaviour, scope.spawn(move || tool(&Run { behaviour, seconds, tidy })))
        });
        runs.into_iter().map(|(behaviour, run)| (behaviour, run.join().unwrap())).collect()
    })
}
