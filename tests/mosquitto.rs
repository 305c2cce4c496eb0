//! Debian's own mosquitto under real load: with a plug-in that makes it lose a block per publish,
//! and without.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "html/browser.rs"]
mod browser;
mod support;

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use serde_json::Value;
use support::broker::Broker;
use support::mqtt::{Publisher, Qos, Subscriber};
use support::process::{LIMIT, run};
use support::programs;
use unfreed::collect::mark::send;
use unfreed::event::Mark;

const UNFREED: &str = env!("CARGO_BIN_EXE_unfreed");
const PUBLISHES: u64 = 50_000;
/// Marks set on the way.
const MARKS: u64 = 10;
/// Publishes are paced to about 10,000 a second: what a busy broker does, and long enough for a
/// verdict.
const BURST: u64 = 500;
const PAUSE: Duration = Duration::from_millis(50);

/// Held for reading while a load is measured, for writing by what would take its processor: a browser.
static MEASURED: RwLock<()> = RwLock::new(());

/// Runs a broker under `unfreed run`, publishes in batches with a mark after each, and gives the
/// report as JSON, the exit status and the text that `analyze` makes.
fn broker_under_load(plugin: Option<&Path>, qos: Qos) -> (Value, Option<i32>) {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report.json");
    let page = directory.path().join("report.html");
    let [json, html] = [&report, &page].map(|path| path.to_str().unwrap());
    let prefix = [UNFREED, "run", "--json", "--output", json, "--report", html, "--"];
    let prefix: Vec<OsString> = prefix.iter().map(OsString::from).collect();
    let measured = MEASURED.read().unwrap_or_else(PoisonError::into_inner);
    let broker = Broker::start(&prefix, plugin);
    let tracer = parent_of(broker.pid());
    // Without the plug-in every message must arrive as it was sent: the broker works as untraced.
    let reader = plugin.is_none().then(|| {
        let mut subscriber = Subscriber::connect(broker.port(), "reader", "#").unwrap();
        std::thread::spawn(move || {
            for n in 0..PUBLISHES {
                let (_, payload) = subscriber.next().unwrap_or_else(|e| panic!("message {n}: {e}"));
                assert_eq!(payload, [b'x'; 64]);
            }
            subscriber.disconnect().unwrap();
        })
    });
    let mut publisher = Publisher::connect(broker.port(), "load").unwrap();
    let count = PUBLISHES / MARKS;
    for round in 1..=MARKS {
        for _ in 0..count / BURST {
            let topics = ["mail/in", "mail/out", "status"];
            publisher.publish(qos, &topics, &[b'x'; 64], BURST).unwrap();
            std::thread::sleep(PAUSE);
        }
        if round < MARKS {
            let mut mark = Command::new(UNFREED);
            mark.args(["mark", "messages published", "--count", &count.to_string()]);
            run(mark.args(["--to", &tracer.to_string()]), LIMIT).expect_code(0);
        } else {
            // Not by a process of its own, which on a busy machine is there when the load is long over.
            let mark = Mark { text: "messages published".into(), count: Some(count) };
            send(&mark, Some(tracer)).unwrap();
        }
    }
    publisher.disconnect().unwrap();
    if let Some(reader) = reader {
        reader.join().expect("every message arrived whole");
    }
    let finished = broker.stop();
    drop(measured);
    let text = std::fs::read_to_string(&report).unwrap_or_else(|error| {
        panic!("no report: {error}; {} {}", finished.out(), finished.err())
    });
    assert!(!finished.err().contains("rror"), "{}", finished.err());
    let _alone = MEASURED.write().unwrap_or_else(PoisonError::into_inner);
    if let Some(browser) = browser::Browser::find() {
        let name = if plugin.is_some() { "mosquitto-plug-in" } else { "mosquitto" };
        browser.look(name, &std::fs::read_to_string(page).unwrap(), &[390, 1280, 2560]);
    }
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

/// A broker that keeps every message for a subscriber who never comes back frees them all when it
/// is stopped, and stopping it is how its trace ends.
#[test]
fn what_mosquitto_frees_only_as_it_stops_has_grown() {
    support::require!("mosquitto");
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report.json");
    let prefix = [UNFREED, "run", "--json", "--output", report.to_str().unwrap(), "--"];
    let prefix: Vec<OsString> = prefix.iter().map(OsString::from).collect();
    let measured = MEASURED.read().unwrap_or_else(PoisonError::into_inner);
    let broker = Broker::start(&prefix, None);
    Subscriber::leave_behind(broker.port(), "gone", "mail/in").unwrap();
    let mut publisher = Publisher::connect(broker.port(), "load").unwrap();
    for _ in 0..100 {
        publisher.publish(Qos::AtLeastOnce, &["mail/in"], &[b'x'; 64], 100).unwrap();
        std::thread::sleep(PAUSE);
    }
    publisher.disconnect().unwrap();
    let finished = broker.stop();
    drop(measured);
    let json = std::fs::read_to_string(&report).unwrap();
    let report: Value = serde_json::from_str(&json).unwrap();
    println!("{report:#}");
    assert_eq!(finished.code(), Some(1), "{}", finished.err());
    let suspects = report["suspects"].as_array().unwrap();
    let queued = |suspect: &&Value| suspect["live_blocks"].as_u64() >= Some(9_000);
    let suspect = suspects.iter().find(queued).unwrap();
    assert_eq!(text(suspect, "/module/name"), "mosquitto");
    assert!(text(suspect, "/explanation").contains("shut down"));
}
