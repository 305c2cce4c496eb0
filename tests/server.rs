//! A message server with a plug-in built twice: 1.2.0 loses a block with every message, 1.2.1 does
//! not. Found, blamed on the plug-in, matched with its fix; gone with the next version.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "html/browser.rs"]
mod browser;
mod support;

use std::ffi::OsStr;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{PoisonError, RwLock};

use serde_json::{Value, json};
use support::process::{Finished, LIMIT, Running, run};
use support::programs::{self, Archiver};
use support::signal::Signal;
use unfreed::collect::mark::send;
use unfreed::event::{Event, Mark};
use unfreed::fixes::version::Version;
use unfreed::fixes::{Catalogue, lacking, match_suspect};
use unfreed::ledger::Ledger;
use unfreed::names::{Namer, Store, StoreOptions};
use unfreed::read::trace::{Header, Reader, Writer};
use unfreed::report::json::render;
use unfreed::report::model::Lacking;
use unfreed::report::{Material, assemble, inventory};
use unfreed::verdict::{DEFAULT_MIN_CONFIDENCE, judge};

const UNFREED: &str = env!("CARGO_BIN_EXE_unfreed");
const MESSAGES: u64 = 10_000;
/// Messages a second: ten seconds of load. What a busy machine takes until the server is told to end is idle time, of which a
/// short trace bears little.
const RATE: u64 = 1_000;

/// The catalogue of the test: one fix, for the plug-in.
fn fixes() -> PathBuf {
    support::compile::root().join("tests/programs/server/fixes")
}

/// Held for reading while a load is measured, for writing by what would take its processor: a browser.
static MEASURED: RwLock<()> = RwLock::new(());

/// Runs the server under a verb of unfreed to its own end, with a mark that counts the messages.
fn serve(verb: &[&OsStr], plug_in: Archiver) -> Finished {
    let server = programs::server(plug_in, MESSAGES, 4);
    let mut command = Command::new(UNFREED);
    command.args(verb).arg("--").arg(server.get_program()).args(server.get_args());
    let _measured = MEASURED.read().unwrap_or_else(PoisonError::into_inner);
    let running = Running::start(command.args(["--rate", &RATE.to_string(), "--wait"]));
    running.wait_for("load done\n", LIMIT);
    // Not by a process of its own, which on a busy machine is there when the load is long over.
    send(&Mark { text: "messages".into(), count: Some(MESSAGES) }, Some(running.pid())).unwrap();
    running.signal(Signal::Terminate);
    let finished = running.finish(LIMIT);
    let counts = format!("warm-up done\nload done\nhandled={MESSAGES} stored={MESSAGES}\n");
    assert_eq!(finished.out(), counts, "{}", finished.err());
    finished
}

/// Runs the server under `unfreed run`; the report.
fn watched(plug_in: Archiver, code: i32) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report.json");
    let fixes = fixes();
    let mut verb: Vec<&OsStr> = ["run", "--json", "--output"].map(OsStr::new).to_vec();
    verb.extend([report.as_ref(), OsStr::new("--fixes"), fixes.as_ref()]);
    let finished = serve(&verb, plug_in).expect_code(code);
    let text = std::fs::read(&report).unwrap_or_else(|e| panic!("{e}: {}", finished.err()));
    serde_json::from_slice(&text).unwrap()
}

/// Records the server; the trace.
fn recorded(directory: &Path, plug_in: Archiver) -> PathBuf {
    let trace = directory.join(plug_in.version());
    serve(
        &["record", "--quiet", "--output"]
            .map(OsStr::new)
            .iter()
            .copied()
            .chain([trace.as_os_str()])
            .collect::<Vec<_>>(),
        plug_in,
    )
    .expect_code(0);
    trace
}

/// What a verb says of traces, as it wrote it.
fn say(verb: &[&str], traces: &[&Path], code: i32) -> Vec<u8> {
    let mut command = Command::new(UNFREED);
    command.args(verb).arg("--fixes").arg(fixes()).args(traces);
    run(&mut command, LIMIT).expect_code(code).stdout
}

fn json(verb: &[&str], traces: &[&Path], code: i32) -> Value {
    serde_json::from_slice(&say(&[verb, &["--json"]].concat(), traces, code)).unwrap()
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// Fails unless the report blames the plug-in 1.2.0 for a block with every message.
#[track_caller]
fn assert_found(report: &Value) {
    assert_eq!(report["losses"], none_lost());
    assert_eq!(report["faults"], json!([]));
    assert_eq!(report["totals"]["frees_unmatched"], json!(0));
    let suspects = report["suspects"].as_array().unwrap();
    assert_eq!(suspects.len(), 1, "{suspects:#?}");
    let suspect = &suspects[0];
    assert_eq!(text(suspect, "/kind"), "growth");
    assert_eq!(text(suspect, "/function"), "archiver::Archive::remember_sender(char const*)");
    assert_eq!(text(suspect, "/module/name"), "libarchiver.so");
    assert_eq!(text(suspect, "/module/version"), "1.2.0");
    assert_eq!(text(suspect, "/module/package"), "archiver-plugin 1.2.0");
    assert_eq!(suspect["live_blocks"], json!(MESSAGES));
    assert_eq!(suspect["allocations"], json!(MESSAGES));
    assert_eq!(suspect["blocks_per_event"], json!(1.0));
    assert_eq!(suspect["stack_complete"], json!(true));
    // The runtime is innermost, and not to blame.
    let stack = suspect["stack"].as_array().unwrap();
    assert!(text(&stack[0], "/module").starts_with("libstdc++.so"), "{stack:#?}");
    let blamed: Vec<_> = stack.iter().filter(|frame| frame["blame"] == json!(true)).collect();
    assert_eq!(blamed.len(), 1);
    assert!(text(blamed[0], "/function").starts_with("archiver::Archive::remember_sender"));
    assert!(text(blamed[0], "/file").ends_with("tests/programs/server/plugin.cpp"));
    let fix = &suspect["fixes"][0];
    assert_eq!(text(fix, "/id"), "ARCHIVER-1");
    assert_eq!(text(fix, "/status"), "applies", "{fix:#}");
    assert_eq!(text(fix, "/remedy/version"), "1.2.1");
}

fn none_lost() -> Value {
    json!({"events": 0, "frees": 0, "stacks": 0, "bytes": 0})
}

/// What every run of the same work must say alike: no times, no addresses, no pids.
fn lasting(report: &Value) -> Value {
    let suspect = |suspect: &Value| {
        let frame = |frame: &Value| {
            json!([
                frame["module"],
                frame["function"],
                frame["file"],
                frame["line"],
                frame["blame"],
                frame["address"],
                frame["trust"],
                frame["found"],
                frame["inlined"]
            ])
        };
        let stack: Vec<_> = suspect["stack"].as_array().unwrap().iter().map(frame).collect();
        json!([
            stack,
            suspect["kind"],
            suspect["verdict"],
            suspect["process"],
            suspect["function"],
            suspect["module"],
            suspect["allocations"],
            suspect["live_blocks"],
            suspect["live_bytes"],
            suspect["bytes_per_call"],
            suspect["blocks_per_event"],
            suspect["held"],
            suspect["fixes"]
        ])
    };
    let suspects: Vec<_> = report["suspects"].as_array().unwrap().iter().map(suspect).collect();
    let modules: Vec<_> = report["modules"]
        .as_array()
        .unwrap()
        .iter()
        // The agent is unpacked into a directory of a new name each time.
        .filter(|module| module["name"] != json!("libunfreed_agent.so"))
        .collect();
    json!([
        suspects,
        modules,
        report["losses"],
        report["faults"],
        report["min_confidence"],
        report["schema"],
        report["target"][0]["exit"],
        report["target"][0]["command"]
    ])
}

#[test]
fn the_plug_in_that_leaks_is_found_and_its_fix_applies() {
    support::require!("c++");
    let live = watched(Archiver::Leaking, 1);
    assert_found(&live);
    let directory = tempfile::tempdir().unwrap();
    let trace = recorded(directory.path(), Archiver::Leaking);
    let analysed = json(&["analyze"], &[&trace], 1);
    assert_found(&analysed);
    assert_eq!(lasting(&live), lasting(&analysed));
}

#[test]
fn the_fixed_plug_in_is_no_suspect() {
    support::require!("c++");
    let report = watched(Archiver::Fixed, 0);
    assert_eq!(report["suspects"], json!([]));
    assert_eq!(report["losses"], none_lost());
    assert_eq!(report["faults"], json!([]));
    assert!(report["totals"]["allocations"].as_u64().unwrap() > 20 * MESSAGES);
    // A block a message would have been seen.
    let least = report["smallest_detectable_bytes_per_s"].as_f64().unwrap();
    assert!(least < (RATE * 40) as f64, "{least} bytes/s");
}

#[test]
fn its_report_is_looked_at_in_a_browser() {
    support::require!("cc");
    let directory = tempfile::tempdir().unwrap();
    let trace = recorded(directory.path(), Archiver::Leaking);
    let _alone = MEASURED.write().unwrap_or_else(PoisonError::into_inner);
    let Some(browser) = browser::Browser::find() else { return };
    let page = directory.path().join("report.html");
    say(&["report", "-q", "-o", page.to_str().unwrap()], &[&trace], 1);
    browser.look("server", &std::fs::read_to_string(page).unwrap(), &[390, 1280, 2560]);
}

#[test]
fn the_fix_is_seen_to_work() {
    support::require!("c++");
    let directory = tempfile::tempdir().unwrap();
    let before = recorded(directory.path(), Archiver::Leaking);
    let after = recorded(directory.path(), Archiver::Fixed);

    let diff = json(&["diff"], &[&before, &after], 0);
    let changes = diff["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1, "{changes:#?}");
    let change = &changes[0];
    assert_eq!(text(change, "/outcome"), "fixed", "{change:#}");
    assert_eq!(text(change, "/module"), "libarchiver.so");
    assert_eq!(text(change, "/version_before"), "1.2.0");
    assert_eq!(text(change, "/version_after"), "1.2.1");
    assert_eq!(change["before"]["live_blocks"], json!(MESSAGES));
    assert_eq!(change["after"]["live_blocks"], json!(0));
    // And the other way round it is a new leak.
    let diff = json(&["diff"], &[&after, &before], 1);
    assert_eq!(text(&diff, "/changes/0/outcome"), "new");

    let held = json(&["fixes", "match"], &[&before], 1);
    assert_eq!(text(&held, "/suspects/0/fixes/0/id"), "ARCHIVER-1");
    assert_eq!(text(&held, "/suspects/0/fixes/0/status"), "applies");

    let held = json(&["fixes", "match"], &[&after], 0);
    assert_eq!(held["suspects"], json!([]));
    let ran = held["ran"].as_array().unwrap();
    assert_eq!(ran.len(), 1, "{held:#}");
    assert!(text(&ran[0], "/function").starts_with("archiver::Archive::remember_sender"));
    assert_eq!(ran[0]["allocations"], json!(MESSAGES));
    assert_eq!(ran[0]["fixes"].as_array().unwrap().len(), 1);
    let fix = &ran[0]["fixes"][0];
    assert_eq!((text(fix, "/id"), text(fix, "/status")), ("ARCHIVER-1", "already-fixed"));
    let version = reason(fix, "version");
    assert_eq!(
        text(version, "/text"),
        "libarchiver.so 1.2.1 is not older than 1.2.1, which has the fix"
    );
    let told = String::from_utf8(say(&["fixes", "match", "--no-color"], &[&after], 0)).unwrap();
    assert!(told.contains("ARCHIVER-1 is already installed"), "{told}");
}

fn reason<'a>(fix: &'a Value, clause: &str) -> &'a Value {
    let reasons = fix["reasons"].as_array().unwrap();
    reasons.iter().find(|reason| text(reason, "/clause") == clause).expect("the clause was judged")
}

#[test]
fn what_is_recorded_says_what_was_seen_live() {
    support::require!("c++");
    let directory = tempfile::tempdir().unwrap();
    let trace = recorded(directory.path(), Archiver::Leaking);
    let once = say(&["analyze", "--json"], &[&trace], 1);
    assert_eq!(once, say(&["analyze", "--json"], &[&trace], 1), "two analyses differ");

    // What a live source hands out goes to the ledger as it is. Here the same events go once
    // there, and once through a file of this library's writer: the reports are one, to the byte.
    let (header, events) = events(&trace);
    let mut live = Ledger::default();
    events.iter().for_each(|event| live.apply(event));
    let again = directory.path().join("again");
    let mut writer = Writer::create(&again, &header).unwrap();
    for (at, event) in events.iter().enumerate() {
        writer.write(event).unwrap();
        // Chunks end elsewhere than in the first file.
        if at % 1_237 == 0 {
            writer.flush().unwrap();
        }
    }
    writer.finish().unwrap();
    assert_ne!(std::fs::read(&trace).unwrap(), std::fs::read(&again).unwrap());
    assert_eq!(once, report(&header, &live), "live and recorded differ");
    assert_eq!(once, say(&["analyze", "--json"], &[&again], 1), "live and recorded differ");
}

fn events(trace: &Path) -> (Header, Vec<Event>) {
    let mut reader = Reader::new(BufReader::new(File::open(trace).unwrap())).unwrap();
    let header = reader.header().clone();
    let (mut all, mut chunk) = (Vec::new(), Vec::new());
    while reader.next_chunk(&mut chunk).unwrap() {
        all.append(&mut chunk);
    }
    assert_eq!(reader.faults(), []);
    (header, all)
}

/// The report as the binary makes it of a ledger.
fn report(header: &Header, ledger: &Ledger) -> Vec<u8> {
    let mut catalogue = Catalogue::embedded().unwrap();
    catalogue.merge(Catalogue::load_dir(&fixes()).unwrap());
    let assessment = judge(ledger);
    let mut namer = Namer::new(Store::new(StoreOptions::from_environment(Vec::new())));
    let min_confidence = DEFAULT_MIN_CONFIDENCE;
    let material = Material {
        header,
        ledger,
        assessment: &assessment,
        faults: &[],
        parts: &[],
        min_confidence,
    };
    let mut report =
        assemble(material, &mut namer, &|evidence| match_suspect(&catalogue, evidence));
    report.modules = inventory(ledger, &|module, facts| {
        let named = |(fix, version): (&str, &Version)| Lacking {
            fix: fix.to_owned(),
            version: version.to_string(),
        };
        lacking(&catalogue, module, facts).into_iter().map(named).collect()
    });
    render(&report).unwrap().into_bytes()
}
