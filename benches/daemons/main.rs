//! Unmodified daemons under load, each recorded whole, and whom the judge accuses in them, while they run
//! and in the end:
//!
//! ```text
//! cargo bench --bench daemons                            25 minutes of them all at once
//! cargo bench --bench daemons -- --minutes 2             shorter
//! cargo bench --bench daemons -- --keep DIR              keeps the recordings
//! cargo bench --bench daemons -- --judge DIR             judges kept recordings again
//! ```
//!
//! Needs root (mail servers want it) and Debian's mosquitto, nginx-light, postfix, dovecot-imapd, dovecot-lmtpd and
//! python3; what is missing is said and left out. Everything listens on the loopback only and lives in
//! directories of its own. Prints Markdown on standard output, made for `docs/verdicts.md`.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark")]

#[path = "../../tests/support/mod.rs"]
mod support;

mod broker;
mod http;
mod looks;
mod mail;
mod nginx;
mod options;
mod pace;
mod python;
mod soak;
mod told;

use clap::Parser;

use options::Options;

fn main() {
    let options = Options::parse();
    if !options.bench {
        // `cargo test --benches` starts benchmarks without asking for a measurement.
        eprintln!("measure with `cargo bench --bench daemons`");
        return;
    }
    let directory = match &options.judge {
        Some(kept) => kept.clone(),
        None => soak::record(&options),
    };
    println!("{}", told::section(&looks::look(&directory)));
    if options.judge.is_none() && options.keep.is_none() {
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
