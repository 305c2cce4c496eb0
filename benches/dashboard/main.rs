//! The dashboard under load: what it costs beside the ledger, and whether it grows.
//!
//! ```text
//! cargo bench --bench dashboard -- cost              about a minute; needs tmux
//! cargo bench --bench dashboard -- soak --minutes 60 unfreed traces the dashboard; needs tmux
//! ```
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark")]

#[path = "../../tests/support/mod.rs"]
mod support;

mod busy;
mod cost;
#[path = "../../src/cli/top/feed.rs"]
#[allow(dead_code, reason = "the end of a feed is not measured")]
mod feed;
mod fold;
mod judge;
mod soak;

use clap::{Parser, Subcommand};
use support::skip::tool;
use support::terminal::Terminal;

/// Measures the dashboard.
#[derive(Debug, Parser)]
#[command(name = "cargo bench --bench dashboard --")]
struct Options {
    #[command(subcommand)]
    what: Option<What>,
    /// What Cargo says when it wants a measurement
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// What the dashboard takes of a processor beside the ledger, at a million events a second
    Cost(cost::Options),
    /// Whether the dashboard grows while it watches a busy program
    Soak(soak::Options),
}

/// Runs a command line in a terminal.
fn terminal(line: &str) -> Terminal {
    let tmux = tool("tmux").expect("tmux is not installed (`apt install tmux`)");
    Terminal::start(tmux, (120, 40), line)
}

fn main() {
    let options = Options::parse();
    match options.what {
        Some(What::Cost(options)) => cost::run(&options),
        Some(What::Soak(options)) => soak::run(&options),
        // `cargo test --benches` and a bare `cargo bench` ask for nothing.
        None => eprintln!("measure with `cargo bench --bench dashboard -- cost`, or `soak`"),
    }
}
