//! A real program under `attach --sample`: what the probe samples, against what the program says of itself.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod attached;
mod support;
mod traced;

use attached::{Gated, attach, require_attach};
use serde_json::Value;
use support::estimate::assert_near;
use support::process::LIMIT;
use support::programs;

const BLOCKS: f64 = 300_000.0;

#[test]
fn a_sample_estimates_what_a_program_keeps_and_how_far_it_is_off() {
    require_attach!();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("report.json");
    for mean in ["4KiB", "64KiB"] {
        let command = [programs::c("sampled").into(), BLOCKS.to_string().into()];
        let gated = Gated::start(&command, &[], &[]);
        let pid = gated.pid().to_string();
        let verb = ["attach", "--json", "--sample", mean, "--output"];
        let unfreed = attach(&[&verb[..], &[file.to_str().unwrap(), &pid]].concat());
        let finished = gated.release().finish(LIMIT).expect_code(0);
        // A suspect or none: it leaks, and was attached to.
        let code = unfreed.finish(LIMIT).code();
        assert!(matches!(code, Some(0 | 1)), "{code:?}");
        let report: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert_eq!(report["totals"]["estimated"], true);
        assert_near(&report, "live_blocks", finished.count("left") as f64);
        assert_near(&report, "live_bytes", finished.count("bytes") as f64);
        // And the grown ones' first halves: one in fifty, less what is kept.
        assert_near(&report, "allocations", BLOCKS * 1.02);
        assert_eq!(report["losses"]["events"], 0);
    }
}
