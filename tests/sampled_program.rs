//! A real program under `--sample`: what the agent samples, against what the program says of itself.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;
mod traced;

use std::process::Command;

use serde_json::Value;
use support::process::{LIMIT, run};
use support::programs;
use traced::UNFREED;

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

/// Off by no more than so many of its own standard errors: five are met by chance once in two
/// million times.
#[track_caller]
fn assert_near(report: &Value, what: &str, truth: f64) {
    let said = report["totals"][what].as_f64().unwrap();
    let error = report["totals"]["uncertainty"][what]["standard_error"].as_f64().unwrap();
    assert!(error > 0.0 && error < truth / 5.0, "{what}: {error} of {truth}");
    assert!((said - truth).abs() < 5.0 * error, "{what}: {said} ± {error}, in truth {truth}");
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
