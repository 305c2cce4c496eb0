//! What the benchmark is asked for on its command line.

use clap::{Parser, ValueEnum};

/// Measures what tracing with the agent costs.
#[derive(Debug, Parser)]
#[command(name = "cargo bench --bench agent --")]
pub struct Options {
    /// Only these sections; all of them where none is named
    #[arg(value_enum, value_name = "SECTION")]
    only: Vec<Section>,
    /// Less of everything: under a minute, and rougher
    #[arg(long)]
    pub quick: bool,
    /// How often each variant runs
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Where the pseudo-random choices begin
    #[arg(long, default_value_t = 20_260_117)]
    pub seed: u64,
    /// What Cargo says when it wants a measurement
    #[arg(long, hide = true)]
    pub bench: bool,
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Section {
    /// Nanoseconds added to a pair of malloc and free
    Pairs,
    /// A Python program
    Python,
    /// mosquitto under load
    Broker,
    /// Bytes of trace per surviving block; events per second of the collector
    Collector,
    /// Memory added to the target
    Memory,
    /// Instructions added to a pair, as callgrind counts them
    Instructions,
    /// The structures of the hot path, each alone
    Structures,
}

impl Options {
    /// The sections that are to be measured, in order.
    pub fn sections(&self) -> Vec<Section> {
        let wanted = |section: &Section| self.only.is_empty() || self.only.contains(section);
        Section::value_variants().iter().copied().filter(wanted).collect()
    }

    /// How often each variant runs.
    pub fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 3 } else { 5 }).max(1)
    }

    /// This many, or an eighth where it has to be quick.
    pub fn scaled(&self, count: u64) -> u64 {
        if self.quick { count / 8 } else { count }
    }
}
