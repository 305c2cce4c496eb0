//! Case bundles: they say what the recording said, hold what their manifest says, and a redacted one holds no name that was planted.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![cfg(target_os = "linux")]

mod evidence;
#[path = "bundle/hostile.rs"]
mod hostile;
#[path = "bundle/redaction.rs"]
mod redaction;
mod support;
mod synth;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, UNIX_EPOCH};

use redaction::holds;
use serde_json::Value;
use sha2::{Digest, Sha256};
use synth::{Synth, windows_module};
use unfreed::bundle::Cut;
use unfreed::event::{FactKind, Name, NamedFunction, Process, What};
use unfreed::ledger::Ledger;
use unfreed::read::Source;
use unfreed::read::trace::Reader;
use unfreed::verdict::judge;
use unfreed_symbols::{ModuleIdentity, PeFacts};

const LEAK: [&str; 3] = ["msvcrt.dll!malloc", "Cdoexm.dll!CMailbox::Open", "w3svc.dll!main"];
const CHURN: [&str; 3] = ["msvcrt.dll!malloc", "w3svc.dll!answer", "w3svc.dll!main"];

fn unfreed(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unfreed"));
    command.args(arguments).env("USER", "jdoe").env("HOSTNAME", "mail01").output().unwrap()
}

fn done(arguments: &[&str]) -> String {
    let output = unfreed(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{arguments:?}: {said}");
    unwrapped(&said)
}

/// As it was before it was broken into lines.
fn unwrapped(said: &str) -> String {
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn plain(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn analyze(file: &Path) -> Value {
    serde_json::from_slice(&unfreed(&["analyze", "--json", plain(file)]).stdout).unwrap()
}

/// A leak beside what is freed again.
fn story() -> Synth {
    let mut story = Synth::windows();
    let web = story.process("Inetinfo.exe");
    story.module(web, windows_module("Cdoexm.dll", "6.0.6617.47"));
    story.leak(web, &LEAK, 260, 500, 0.0..5.0);
    story.churn(web, &CHURN, 100, 3000, 0.0..4.9, 0.05);
    story
}

fn written(trace: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("inetinfo.unfreed");
    fs::write(&file, trace).unwrap();
    (home, file)
}

fn case(trace: &Path, more: &[&str]) -> PathBuf {
    let case = trace.with_file_name("case.zip");
    let said = done(&[&["report", plain(trace), "-o", plain(&case)], more].concat());
    assert!(said.contains("Writing ") && said.contains(" before compression"), "{said}");
    case
}

fn unpacked(case: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut archive = zip::ZipArchive::new(File::open(case).unwrap()).unwrap();
    let mut parts = BTreeMap::new();
    for at in 0..archive.len() {
        let mut part = archive.by_index(at).unwrap();
        let mut bytes = Vec::new();
        part.read_to_end(&mut bytes).unwrap();
        parts.insert(part.name().unwrap().into_owned(), bytes);
    }
    parts
}

fn manifest(parts: &BTreeMap<String, Vec<u8>>) -> Value {
    serde_json::from_slice(&parts["manifest.json"]).unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_case_says_what_the_recording_said() {
    let (_home, trace) = written(&story().build());
    let case = case(&trace, &[]);
    let (original, again) = (analyze(&trace), analyze(&case));
    assert_eq!(original["suspects"].as_array().unwrap().len(), 1);
    assert_eq!(again["suspects"], original["suspects"]);
    assert_eq!(again["faults"], serde_json::json!([]));
    let parts = unpacked(&case);
    let report: Value = serde_json::from_slice(&parts["report.json"]).unwrap();
    assert_eq!(report["suspects"], original["suspects"]);
    for (part, says) in [
        ("report.html", "CMailbox::Open"),
        ("report.md", "CMailbox::Open"),
        ("modules.csv", "Cdoexm.dll,C:\\WINNT\\system32\\Cdoexm.dll,6.0.6617.47,"),
        ("fixes.txt", "Cdoexm.dll"),
        ("environment.txt", "The machine on which the case was written"),
        ("log.txt", ""),
    ] {
        let text = std::str::from_utf8(&parts[part]).unwrap();
        assert!(text.contains(says), "{part}: {text}");
    }
    // A case is a recording like others.
    let collapsed = unfreed(&["export", plain(&case), "--as", "collapsed"]).stdout;
    assert!(String::from_utf8(collapsed).unwrap().contains("CMailbox::Open"));
    let from_case = case.with_file_name("again.md");
    done(&["report", plain(&case), "-q", "-o", plain(&from_case)]);
}

#[test]
fn the_manifest_names_every_part_every_input_and_what_is_missing() {
    let bytes = story().build();
    let (_home, trace) = written(&bytes);
    let parts = unpacked(&case(&trace, &["--with-originals"]));
    let manifest = manifest(&parts);
    let mut named = BTreeSet::from(["manifest.json"]);
    for part in manifest["parts"].as_array().unwrap() {
        let name = part["name"].as_str().unwrap();
        named.insert(name);
        assert_eq!(part["sha256"], sha256(&parts[name]), "{name}");
        assert_eq!(part["size"], parts[name].len(), "{name}");
    }
    assert!(parts.keys().all(|part| named.contains(part.as_str())), "{named:?}");
    let input = &manifest["inputs"][0];
    assert_eq!((&input["sha256"], &input["size"]), (&sha256(&bytes).into(), &bytes.len().into()));
    assert_eq!(
        (&input["pids"], &input["name"]),
        (&serde_json::json!([1000]), &plain(&trace).into())
    );
    assert!(input["started_unix_s"].is_number() && input["utc_offset_minutes"].is_number());
    assert_eq!(parts[input["part"].as_str().unwrap()], bytes);
    let missing = manifest["missing"].as_array().unwrap();
    let growth = missing.iter().find(|one| one["what"].as_str().unwrap().contains("samples"));
    assert!(growth.unwrap()["command"].as_str().unwrap().contains("typeperf"), "{missing:?}");
    assert_eq!((&manifest["trace"]["whole"], &manifest["redacted"]), (&true.into(), &Value::Null));
}

#[test]
fn what_was_attached_late_or_has_no_names_is_missing() {
    let mut story = Synth::windows();
    let store = story.running_process("store.exe");
    story.leak(store, &["ntdll.dll+0x10", "Mdbmsg.dll+0x1234"], 260, 500, 0.0..5.0);
    story.fact(
        FactKind::Setting,
        r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Image File Execution Options\store.exe\GlobalFlag",
        Some("0x1000"),
    );
    let (_home, trace) = written(&story.build());
    let manifest = manifest(&unpacked(&case(&trace, &[])));
    let missing = manifest["missing"].to_string();
    for says in
        ["started late", "gflags /i store.exe +ust", "gflags /i store.exe -ust", "no matching PDB"]
    {
        assert!(missing.contains(says), "{says}: {missing}");
    }
}

#[test]
fn a_large_trace_is_cut_to_the_suspects_and_says_the_same() {
    let mut story = story();
    // What makes it large: names of threads, which nothing compresses.
    let mut state = 7u64;
    for at in 0..1600 {
        let noise = (0..4000).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(33 + (state >> 33) as u8 % 90)
        });
        let name: String = noise.collect();
        story.event(f64::from(at) * 0.003, unfreed::event::ProcessId(0), What::Thread(name.into()));
    }
    let (_home, trace) = written(&story.build());
    assert!(fs::metadata(&trace).unwrap().len() > 4 << 20);
    let case = case(&trace, &[]);
    let parts = unpacked(&case);
    let kept = &manifest(&parts)["trace"];
    assert_eq!((&kept["whole"], &kept["same_suspects"]), (&false.into(), &true.into()), "{kept}");
    let allocs = |events: &[unfreed::event::Event]| {
        events.iter().filter(|event| matches!(event.what, What::Alloc(_))).count()
    };
    assert_eq!(allocs(&story.events()), 3500);
    assert_eq!(allocs(&events(&parts["trace.unfreed"])), 500, "the suspect's alone");
    let (original, again) = (analyze(&trace), analyze(&case));
    for field in ["function", "confidence", "verdict", "live_blocks", "live_bytes", "fixes"] {
        assert_eq!(again["suspects"][0][field], original["suspects"][0][field], "{field}");
    }
    assert_eq!(again["totals"], original["totals"]);
}

#[test]
fn what_is_cut_away_is_counted() {
    let mut story = story();
    let web = unfreed::event::ProcessId(0);
    let old = story.alloc(1.0, web, &CHURN, 64);
    let kept = story.realloc(2.0, web, &LEAK, old, 128);
    story.realloc(3.0, web, &CHURN, kept, 256);
    let events = story.events();
    let mut whole = Ledger::default();
    events.iter().for_each(|event| whole.apply(event));
    let assessment = judge(&whole);
    let suspects: BTreeSet<_> =
        assessment.accused(0.7).map(|judged| (judged.process, judged.stack)).collect();
    assert_eq!(suspects.len(), 1);
    let mut cut = Cut::new(suspects);
    let mut out = Vec::new();
    events.iter().for_each(|event| cut.event(event, &mut out));
    let mut less = Ledger::default();
    out.iter().for_each(|event| less.apply(event));
    assert_eq!(less.totals(), whole.totals());
    for (id, site) in whole.sites() {
        let other = less.sites().find(|(_, other)| other.stack == site.stack).unwrap().1;
        let counts = |site: &unfreed::ledger::Site| {
            (site.allocations, site.frees, site.live_blocks, site.live_bytes, site.allocated_bytes)
        };
        assert_eq!(counts(other), counts(site), "{id:?}");
    }
}

fn events(trace: &[u8]) -> Vec<unfreed::event::Event> {
    let mut reader = Reader::new(trace).unwrap();
    let (mut batch, mut all) = (Vec::new(), Vec::new());
    while reader.next_batch(&mut batch).unwrap() {
        all.append(&mut batch);
    }
    all
}

#[test]
fn several_recordings_become_one_case() {
    let (home, first) = written(&story().build());
    let second = home.path().join("jdoe-second.unfreed");
    let mut other = Synth::windows();
    other.process("smss.exe");
    let store = other.process("store.exe");
    other.leak(store, &["ntdll.dll!RtlAllocateHeap", "store.exe!keep"], 64, 500, 0.0..5.0);
    fs::write(&second, other.build()).unwrap();
    let case = home.path().join("both.zip");
    done(&["report", plain(&first), plain(&second), "-o", plain(&case), "--redact"]);
    let both = unfreed(&["analyze", "--json", plain(&first), plain(&second)]).stdout;
    let both: Value = serde_json::from_slice(&both).unwrap();
    let again = analyze(&case);
    for field in ["function", "confidence", "process", "live_bytes"] {
        for at in 0..2 {
            assert_eq!(again["suspects"][at][field], both["suspects"][at][field], "{field}");
        }
    }
    assert!(again["suspects"][1].is_object(), "{again:#}");
    let parts = unpacked(&case);
    let manifest = manifest(&parts);
    let inputs = manifest["inputs"].as_array().unwrap();
    let pids: Vec<&Value> = inputs.iter().map(|input| &input["pids"]).collect();
    assert_eq!(
        pids,
        [&serde_json::json!([1000]), &serde_json::json!([1000, 1001])],
        "each its own"
    );
    assert!(inputs.iter().all(|input| input["utc_offset_minutes"].is_number()), "{manifest}");
    assert!(parts.values().all(|bytes| !holds(bytes, "jdoe")));
    assert!(!manifest["inputs"][0]["sha256"].is_null(), "{manifest}");
}

#[test]
fn an_input_that_names_no_process_and_no_zone_gets_none_from_the_others() {
    let (home, trace) = written(&story().build());
    let log = home.path().join("umdh-1.txt");
    fs::write(&log, evidence::umdh::snapshot(&evidence::kb896064("6.0.6603.1"), 0)).unwrap();
    let case = home.path().join("both.zip");
    for files in [vec![&trace, &log], vec![&log]] {
        let files: Vec<&str> = files.into_iter().map(|file| plain(file)).collect();
        done(&[&["report", "-o", plain(&case)], files.as_slice()].concat());
        let manifest = manifest(&unpacked(&case));
        let input = manifest["inputs"].as_array().unwrap().last().unwrap();
        assert_eq!(input["name"], plain(&log));
        assert_eq!(
            (&input["pids"], &input["utc_offset_minutes"]),
            (&serde_json::json!([]), &Value::Null)
        );
    }
}

#[test]
fn a_baseline_says_what_became_of_each_suspect() {
    let (home, before) = written(&story().build());
    let mut fixed = Synth::windows();
    let web = fixed.process("Inetinfo.exe");
    fixed.module(web, windows_module("Cdoexm.dll", "6.0.6617.86"));
    fixed.churn(web, &LEAK, 260, 500, 0.0..4.9, 0.05);
    fixed.churn(web, &CHURN, 100, 3000, 0.0..4.9, 0.05);
    let after = home.path().join("after.unfreed");
    fs::write(&after, fixed.build()).unwrap();
    for (file, says) in [("r.json", "fixed"), ("r.md", "1 fixed"), ("r.html", "1 fixed")] {
        let report = home.path().join(file);
        done(&["report", plain(&after), "-o", plain(&report), "--baseline", plain(&before)]);
        let text = fs::read_to_string(&report).unwrap();
        assert!(text.contains(says), "{file}: {text}");
    }
    let report = fs::read(home.path().join("r.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    let change = &report["baseline"]["changes"][0];
    assert_eq!(
        (&change["outcome"], &change["version_after"]),
        (&"fixed".into(), &"6.0.6617.86".into())
    );
    let case = case(&before, &["--baseline", plain(&before)]);
    let report: Value = serde_json::from_slice(&unpacked(&case)["report.json"]).unwrap();
    assert_eq!(report["baseline"]["changes"][0]["outcome"], "unchanged");
}

#[test]
fn a_baseline_tells_what_grows_less_from_what_grows_more() {
    let leaking = |blocks| {
        let mut story = Synth::windows();
        let web = story.process("Inetinfo.exe");
        story.module(web, windows_module("Cdoexm.dll", "6.0.6617.47"));
        story.leak(web, &LEAK, 260, blocks, 0.0..5.0);
        story.churn(web, &CHURN, 100, 3000, 0.0..4.9, 0.05);
        story.build()
    };
    let (home, much) = written(&leaking(1250));
    let little = home.path().join("little.unfreed");
    fs::write(&little, leaking(500)).unwrap();
    for (before, after, outcome) in [(&much, &little, "improved"), (&little, &much, "worse")] {
        for file in ["r.json", "r.md", "r.html"] {
            let report = home.path().join(file);
            done(&["report", plain(after), "-o", plain(&report), "--baseline", plain(before)]);
            let text = fs::read_to_string(&report).unwrap();
            assert!(text.contains(&format!("1 {outcome}")) || file == "r.json", "{file}: {text}");
        }
        let report = fs::read(home.path().join("r.json")).unwrap();
        let report: Value = serde_json::from_slice(&report).unwrap();
        let changes = report["baseline"]["changes"].as_array().unwrap();
        assert_eq!((changes.len(), &changes[0]["outcome"]), (1, &outcome.into()), "{changes:?}");
        // By what they were measured to grow: 65,000 and 26,000 bytes a second.
        let rate = |side: &str| changes[0][side]["growth_bytes_per_s"].as_f64().unwrap();
        let ratio = rate("after") / rate("before");
        let expected = if outcome == "improved" { 0.4 } else { 2.5 };
        assert!((ratio / expected - 1.0).abs() < 0.05, "{changes:?}");
    }
}

/// Two logs an hour apart with so many blocks of the leaking stack; `timed` is whether their files say when.
fn snapshots(home: &Path, name: &str, blocks: [u32; 2], timed: bool) -> PathBuf {
    let mut files = Vec::new();
    for (hour, blocks) in (0..).zip(blocks) {
        let mut case = evidence::kb896064("6.0.6603.1");
        case.stacks[0].blocks[0] = blocks;
        let form = evidence::leakdiag::Form { symbols: true, split: true };
        let path = home.join(format!("{name}-{hour}.xml"));
        fs::write(&path, evidence::leakdiag::log(&case, 0, form)).unwrap();
        let seconds = 1_142_404_200 + if timed { 3600 * hour } else { 0 };
        let at = UNIX_EPOCH + Duration::from_secs(seconds);
        File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
        files.push(path);
    }
    let case = home.join(format!("{name}.zip"));
    done(&["report", plain(&files[0]), plain(&files[1]), "-o", plain(&case)]);
    case
}

#[test]
fn a_fix_is_proven_by_a_trace_and_never_by_snapshots_alone() {
    let home = tempfile::tempdir().unwrap();
    let before = snapshots(home.path(), "before", [120, 3120], true);
    let untimed = snapshots(home.path(), "untimed", [120, 3120], false);
    let after = snapshots(home.path(), "after", [120, 120], true);
    // The same calls, in a version that frees: as many blocks in the same time.
    let mut fixed = Synth::windows();
    let program = fixed.process("mailboxes.exe");
    fixed.module(program, windows_module("Cdoexm.dll", "6.0.6617.63"));
    let stack = [
        "ntdll.dll!RtlAllocateHeap",
        "Cdoexm.dll!CMailboxStore::Open",
        "mailboxes.exe!main",
        "KERNEL32.dll!BaseProcessStart",
    ];
    fixed.churn(program, &stack, 260, 3000, 0.0..3599.0, 0.5);
    let traced = home.path().join("traced.unfreed");
    fs::write(&traced, fixed.build()).unwrap();
    for (before, after, outcome, lack) in [
        (&before, &after, "undecided", "moments".into()),
        (&before, &traced, "fixed", Value::Null),
        (&untimed, &traced, "undecided", "times".into()),
    ] {
        let report = home.path().join("r.json");
        done(&["report", plain(after), "-o", plain(&report), "--baseline", plain(before)]);
        let report: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
        let change = &report["baseline"]["changes"][0];
        assert_eq!(
            (&change["outcome"], &change["undecided_by"]),
            (&outcome.into(), &lack),
            "{change}"
        );
    }
}

#[test]
fn modules_say_what_they_lack_and_whether_others_made_them() {
    let mut story = Synth::windows();
    let web = story.process("Inetinfo.exe");
    let made = |name: &str, version: &str, company: &str| {
        let pe = PeFacts { company: Some(company.to_owned()), ..PeFacts::default() };
        ModuleIdentity { pe: Some(pe), ..windows_module(name, version) }
    };
    for module in [
        made("Inetinfo.exe", "6.0.6617.1", "Server Works"),
        made("Cdoexm.dll", "6.0.6617.47", "Microsoft Corp."),
        made("avscan.dll", "1.0", "Contoso <b>"),
        windows_module("bare.dll", "1.0"),
    ] {
        story.module(web, module);
    }
    // Nothing is wrong, and still the version is what it is.
    story.churn(web, &CHURN, 100, 3000, 0.0..4.9, 0.05);
    let (home, trace) = written(&story.build());
    let report = analyze(&trace);
    let marks = |name: &str| {
        let modules = report["modules"].as_array().unwrap();
        let module = modules.iter().find(|module| module["name"] == name).unwrap();
        (module["third_party"].clone(), module["lacks"].clone())
    };
    let fix = serde_json::json!([{ "fix": "KB896064", "version": "6.0.6617.63" }]);
    let none = serde_json::json!([]);
    assert_eq!(marks("Cdoexm.dll"), (false.into(), fix));
    assert_eq!(marks("Inetinfo.exe"), (false.into(), none.clone()));
    assert_eq!(marks("avscan.dll"), (true.into(), none.clone()));
    assert_eq!(marks("bare.dll"), (Value::Null, none));
    // The version that has it, and one of another line, whose numbers say nothing.
    for version in ["6.0.6617.63", "6.5.7226.0"] {
        let mut story = Synth::windows();
        let web = story.process("Inetinfo.exe");
        story.module(web, windows_module("Cdoexm.dll", version));
        story.churn(web, &CHURN, 100, 3000, 0.0..4.9, 0.05);
        let report = analyze(&written(&story.build()).1);
        assert_eq!(report["modules"][0]["lacks"], serde_json::json!([]), "{version}: {report}");
    }
    let page = home.path().join("r.html");
    done(&["report", plain(&trace), "-o", plain(&page)]);
    let page = fs::read_to_string(page).unwrap();
    let row = |name: &str| {
        let from = &page[page.find(&format!("<tr><td><bdi class=\"name\">{name}<")).expect(name)..];
        &from[..from.find("</tr>").unwrap()]
    };
    let below = "older than 6.0.6617.63, which has KB896064";
    for (name, is_below, is_third) in
        [("Cdoexm.dll", true, false), ("avscan.dll", false, true), ("bare.dll", false, false)]
    {
        let row = row(name);
        assert_eq!(
            (row.contains(below), row.contains("third party")),
            (is_below, is_third),
            "{row}"
        );
    }
    let case = case(&trace, &[]);
    let table = String::from_utf8(unpacked(&case).remove("modules.csv").unwrap()).unwrap();
    for (name, ending) in [("avscan.dll", "yes"), ("bare.dll", "unknown"), ("Inetinfo.exe", "no")] {
        let row = table.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(row.ends_with(&format!(",{ending}")), "{row}");
    }
}

#[test]
fn only_a_case_is_redacted() {
    let (home, trace) = written(&story().build());
    let out = home.path().join("r.html");
    for option in ["--redact", "--with-originals"] {
        let failed = unfreed(&["report", plain(&trace), "-o", plain(&out), option]);
        assert!(failed.status.code() == Some(2) && !out.exists(), "{option}");
    }
}
