//! What tracing with the agent costs, beside heaptrack and beside nothing, in one run:
//!
//! ```text
//! cargo bench --bench agent                       everything, about five minutes
//! cargo bench --bench agent -- --quick            everything, smaller, under a minute
//! cargo bench --bench agent -- pairs broker       only these sections
//! ```
//!
//! Prints Markdown on standard output, made to be put into `docs/benchmarks.md`; progress goes to
//! standard error. Variants take turns within each round, and each figure is the median of the
//! rounds, so that whatever else the machine does falls on all of them alike. Targets are shown as
//! met or not met and never fail the run: what a machine under load can miss is no test.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark")]

#[path = "../../tests/support/mod.rs"]
mod support;

mod broker;
mod collector;
mod instructions;
mod machine;
mod measure;
mod memory;
mod options;
mod pairs;
mod program;
mod python;
mod structures;
mod table;
mod tracer;

use clap::Parser;

use options::{Options, Section};
use tracer::Tracers;

fn main() {
    let options = Options::parse();
    if !options.bench {
        // `cargo test --benches` starts benchmarks without asking for a measurement.
        eprintln!("measure with `cargo bench --bench agent`");
        return;
    }
    let tracers = Tracers::find();
    println!("{}", machine::describe(&options, &tracers));
    for section in options.sections() {
        eprintln!("{section:?} ...");
        let text = match section {
            Section::Pairs => pairs::section(&options, &tracers),
            Section::Python => python::section(&options, &tracers),
            Section::Broker => broker::section(&options, &tracers),
            Section::Collector => collector::section(&options, &tracers),
            Section::Memory => memory::section(&options, &tracers),
            Section::Instructions => instructions::section(&options, &tracers),
            Section::Structures => structures::section(),
        };
        println!("{text}");
    }
}
