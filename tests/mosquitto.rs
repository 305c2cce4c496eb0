//! Debian's own mosquitto under real load: with a plug-in that makes it lose a block per publish,
//! and without.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::broker::Broker;
use support::mqtt::{Publisher, Qos};
use support::process::{LIMIT, run};
use support::programs;

const UNFREED: &str = env!("CARGO_BIN_EXE_unfreed");
const PUBLISHES: u64 = 50_000;
const BATCHES: u64 = 10;

/// Runs a broker under `unfreed run`, publishes in batches with a mark after each, and gives the
/// report as JSON, the exit status and the text that `analyze` makes.
fn broker_under_load(plugin: Option<&Path>, qos: Qos) -> (Value, Option<i32>) {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report.json");
    let prefix = [UNFREED, "run", "--json", "--output", report.to_str().unwrap(), "--"];
    let prefix: Vec<OsString> = prefix.iter().map(OsString::from).collect();
    let broker = Broker::start(&prefix, plugin);
    let tracer = parent_of(broker.pid());
    let mut publisher = Publisher::connect(broker.port(), "load").unwrap();
    let count = PUBLISHES / BATCHES;
    for _ in 0..BATCHES {
        publisher.publish(qos, &["mail/in", "mail/out", "status"], &[b'x'; 64], count).unwrap();
        let mut mark = Command::new(UNFREED);
        mark.args(["mark", "messages published", "--count", &count.to_string()]);
        run(mark.args(["--to", &tracer.to_string()]), LIMIT).expect_code(0);
    }
    publisher.disconnect().unwrap();
    let finished = broker.stop();
    let text = std::fs::read_to_string(&report).unwrap_or_else(|error| {
        panic!("no report: {error}; {} {}", finished.out(), finished.err())
    });
    assert!(!finished.err().contains("rror"), "{}", finished.err());
    (serde_json::from_str(&text).unwrap(), finished.code())
}

fn parent_of(pid: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit_once(')').unwrap().1;
    fields.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

#[test]
fn a_plug_in_makes_mosquitto_lose_a_block_per_publish() {
    support::require!("mosquitto");
    if !programs::has_mosquitto_headers() {
        support::skip!("mosquitto-dev is not installed");
    }
    let plugin = programs::topic_plugin();
    let (report, code) = broker_under_load(Some(&plugin), Qos::AtMostOnce);
    println!("{report:#}");
    assert_eq!(code, Some(1));
    assert_eq!(report["losses"], serde_json::json!({"events":0,"frees":0,"stacks":0,"bytes":0}));
    let suspects = report["suspects"].as_array().unwrap();
    assert_eq!(suspects.len(), 1);
    let suspect = &suspects[0];
    assert_eq!(text(suspect, "/function"), "packet__read_string");
    assert_eq!(text(suspect, "/module/name"), "mosquitto");
    assert!(text(suspect, "/module/package").starts_with("mosquitto "));
    assert_eq!(suspect["live_blocks"].as_u64(), Some(PUBLISHES));
    let per_event = suspect["blocks_per_event"].as_f64().unwrap();
    assert!((per_event - 1.0).abs() < 0.001, "{per_event} blocks per publish");
    let fix = &suspect["fixes"][0];
    assert_eq!(text(fix, "/status"), "possible");
    assert_eq!(text(fix, "/remedy/version"), "2.0.15");
    let reasons = fix["reasons"].as_array().unwrap();
    let backports = reasons.iter().find(|reason| text(reason, "/text").contains("backport"));
    assert_eq!(text(backports.unwrap(), "/standing"), "unknown");
}

#[test]
fn mosquitto_without_the_plug_in_is_no_suspect() {
    support::require!("mosquitto");
    let (report, code) = broker_under_load(None, Qos::AtLeastOnce);
    println!("{report:#}");
    assert_eq!(code, Some(0));
    assert_eq!(report["suspects"], serde_json::json!([]));
    assert_eq!(report["losses"], serde_json::json!({"events":0,"frees":0,"stacks":0,"bytes":0}));
    assert!(report["totals"]["allocations"].as_u64().unwrap() > PUBLISHES);
    assert!(report["smallest_detectable_bytes_per_s"].as_f64().is_some());
}
