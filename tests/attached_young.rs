//! Processes that are born while their parent is attached to, and live for a moment: whatever of them is not seen is
//! said, of each.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod attached;
mod support;
mod traced;

use attached::{Held, attach, require_attach};
use serde_json::Value;
use support::process::LIMIT;
use support::programs;

/// What `brood.c` has each of its children allocate.
const BLOCKS: u64 = 300;
const CHILDREN: usize = 48;

/// What a report says of a process.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// All that it did.
    Whole,
    /// A part, and that it is one.
    Part,
    /// That nothing of it is known.
    Untraced,
    Nothing,
}

fn said(report: &Value, pid: u64) -> Said {
    let untraced = report["not_traced"].as_array().unwrap().iter();
    let named = format!("(process {pid})");
    let is_untraced = untraced
        .map(|of| &of["program"])
        .any(|program| program.as_str().unwrap().ends_with(&named));
    let images = report["target"].as_array().unwrap().iter().filter(|target| target["pid"] == pid);
    let (mut most, mut late) = (0, false);
    for image in images {
        most = most.max(image["allocations"].as_u64().unwrap());
        late |= image["unseen_first_s"].as_f64() > Some(0.0);
    }
    match (most >= BLOCKS, late, is_untraced) {
        (true, ..) => Said::Whole,
        (false, _, true) => Said::Untraced,
        (false, true, false) => Said::Part,
        (false, false, false) => Said::Nothing,
    }
}

#[test]
fn nobody_who_is_born_meanwhile_is_passed_over_in_silence() {
    require_attach!();
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report.json");
    let brood = [programs::c("brood").into(), CHILDREN.to_string().into()];
    let brood = Held::start(&brood, &[]);
    let pid = brood.pid().to_string();
    let unfreed = attach(&["attach", "--json", "--output", report.to_str().unwrap(), &pid]);
    let finished = brood.release().finish(LIMIT).expect_code(0);
    unfreed.finish(LIMIT);
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    let out = finished.out();
    let pids: Vec<u64> = out
        .lines()
        .filter_map(|line| line.strip_prefix("pid="))
        .map(|pid| pid.parse().unwrap())
        .collect();
    assert_eq!(pids.len(), CHILDREN, "{out}");
    let all: Vec<(u64, Said)> = pids.iter().map(|pid| (*pid, said(&report, *pid))).collect();
    let count = |what: Said| all.iter().filter(|(_, said)| *said == what).count();
    let [whole, part, untraced] = [Said::Whole, Said::Part, Said::Untraced].map(count);
    println!("whole {whole}, a part {part}, not traced {untraced}");
    assert_eq!(
        count(Said::Nothing),
        0,
        "{all:?} {:#} {:#}",
        report["target"],
        report["not_traced"]
    );
    // A child that is gone within a millisecond cannot have been attached to: a report without any of these
    // says nothing true.
    assert!(part + untraced > 0, "{all:?}");
    // One that is executed by what is attached to already has its probes from its beginning, if it takes its time.
    assert!(whole + part > 0, "{all:?}");
}
