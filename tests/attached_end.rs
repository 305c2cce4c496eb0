//! The end of an attach: whoever asks for it once more while the result is written does not lose it unawares.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod attached;
mod support;
mod traced;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use attached::{Held, attach, require_attach};
use serde_json::Value;
use support::process::{LIMIT, Running, run};
use support::programs;
use support::signal::Signal;

const SAID: &str = "the result is being made; asked once more";

/// An unfreed that has stopped watching, writes its result to a pipe that nobody reads, and has warned.
fn warned(pipe: &Path) -> Running {
    run(Command::new("mkfifo").arg(pipe), LIMIT).expect_code(0);
    let held = Held::start(&[programs::c("linger_attached").into()], &[]);
    let pid = held.pid().to_string();
    let unfreed = attach(&["attach", "--json", "--output", pipe.to_str().unwrap(), &pid]);
    // It allocates before it says that it is up: there is something to write.
    let target = held.release();
    target.wait_for("up\n", LIMIT);
    let began = Instant::now();
    // The first ends the watching. How many are taken as that, until the watching is over, is of no matter.
    while !unfreed.has_told(SAID) {
        assert!(began.elapsed() < LIMIT, "nothing was said");
        unfreed.signal(Signal::Interrupt);
        let sent = Instant::now();
        while sent.elapsed() < Duration::from_secs(1) && !unfreed.has_told(SAID) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    target.signal(Signal::Kill);
    target.finish(LIMIT);
    unfreed
}

#[test]
fn a_second_interrupt_only_says_what_would_be_lost() {
    require_attach!();
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    let unfreed = warned(&pipe);
    let report: Value = serde_json::from_slice(&std::fs::read(&pipe).unwrap()).unwrap();
    assert!(report["totals"]["allocations"].as_u64() > Some(0), "{:#}", report["totals"]);
    unfreed.finish(LIMIT).expect_code(0);
}

#[test]
fn a_third_interrupt_ends_it() {
    require_attach!();
    let directory = tempfile::tempdir().unwrap();
    let unfreed = warned(&directory.path().join("pipe"));
    unfreed.signal(Signal::Interrupt);
    assert_eq!(unfreed.finish(LIMIT).signal(), Some(2));
    // Nothing is left beside what it was to become.
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}
