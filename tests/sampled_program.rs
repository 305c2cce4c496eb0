//! A real program under `--sample`: what the agent samples, against what the program says of itself.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;
mod traced;

use std::process::Command;

use serde_json::Value;
use support::estimate::assert_near;
use support::process::{LIMIT, run};
use support::programs;
use traced::UNFREED;
use unfreed::event::What;

struct Sampled {
    report: Value,
    left: f64,
    bytes: f64,
}

fn sampled(mean: &str) -> Sampled {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("report.json");
    let mut command = Command::new(UNFREED);
    command.args(["run", "--json", "--target-status", "--sample", mean, "--output"]).arg(&file);
    command.arg("--").arg(programs::c("sampled")).arg("600000");
    let finished = run(&mut command, LIMIT).expect_code(0);
    let report = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    Sampled { report, left: finished.count("left") as f64, bytes: finished.count("bytes") as f64 }
}

#[test]
fn a_sample_estimates_what_a_program_keeps_and_how_far_it_is_off() {
    for mean in ["16KiB", "128KiB"] {
        let Sampled { report, left, bytes } = sampled(mean);
        assert_eq!(report["totals"]["estimated"], true);
        assert_near(&report, "live_blocks", left);
        assert_near(&report, "live_bytes", bytes);
        // And the grown ones' first halves: one in fifty, less what is kept.
        assert_near(&report, "allocations", 600_000.0 + 12_000.0);
        assert_eq!(report["losses"]["events"], 0);
    }
}

/// An address that is used again and again is not told each time because it was once.
#[test]
fn a_hot_address_is_sampled_like_any() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("trace");
    let mut command = Command::new(UNFREED);
    command.args(["record", "-q", "--sample", "4KiB", "-o"]).arg(&file);
    command.arg("--").arg(programs::c("young")).args(["pairs", "3000000"]);
    run(&mut command, LIMIT).expect_code(0);
    let (events, faults) = traced::read(&file);
    let told = events.iter().filter(|event| matches!(event.what, What::Free(_))).count();
    assert_eq!(faults, 0);
    // 3,000,000 blocks of 72 bytes: 52,700 are expected, with a standard error of 230.
    assert!((50_000..56_000).contains(&told), "{told} frees were told");
}
