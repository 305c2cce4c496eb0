//! What memleak of BCC prints: every form, what is not listed, damage, and what comes out at the end.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "memleak/damage.rs"]
mod damage;
#[path = "memleak/output.rs"]
mod output;

use std::process::Command;

use output::{FORMS, Form, begin, snapshot, write};
use serde_json::Value;
use unfreed::event::{Event, FactKind, StackId, Time, Trust, What};
use unfreed::read::memleak::Reader;
use unfreed::read::{About, FileKind, Source, sniff};

const WRITTEN: i64 = 1_700_000_000_000_000_000;
const MINUTE: u64 = 60_000_000_000;

/// What was read.
struct Output {
    events: Vec<Event>,
    faults: Vec<String>,
    started: i64,
}

fn read(bytes: &[u8]) -> Output {
    let about = About { name: String::new(), modified_unix_ns: Some(WRITTEN) };
    let mut reader = Reader::new(bytes, &about);
    let (mut events, mut batch) = (Vec::new(), Vec::new());
    while reader.next_batch(&mut batch).unwrap() {
        events.append(&mut batch);
    }
    assert_eq!(reader.header().source, "memleak");
    let faults = reader.faults().iter().map(|fault| fault.what.to_string()).collect();
    Output { events, faults, started: reader.header().started_unix_ns }
}

impl Output {
    /// Number, time, blocks and bytes of each entry, sorted.
    fn listed(&self) -> Vec<(u32, u64, u64, u64)> {
        let entry = |event: &Event| match &event.what {
            What::Snapshot(of) => Some((of.number, event.time.0 / MINUTE, of.blocks, of.bytes.0)),
            _ => None,
        };
        let mut listed: Vec<_> = self.events.iter().filter_map(entry).collect();
        listed.sort_unstable();
        listed
    }
}

/// The report of `unfreed analyze --json`, and the one for people with its lines joined.
fn analyze(text: &str, options: &[&str]) -> (Value, String) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("output.txt");
    std::fs::write(&file, text).unwrap();
    let run = |more: &[&str]| {
        let program = env!("CARGO_BIN_EXE_unfreed");
        let mut command = Command::new(program);
        command.arg("analyze").arg(&file).args(options).args(more);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let json = run(&["--json"]);
    let report = run(&[]).split_whitespace().collect::<Vec<_>>().join(" ");
    (serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}")), report)
}

#[test]
fn every_form_gives_the_same_snapshots() {
    for form in FORMS {
        let text = write(&[(100, 1600), (220, 3520), (330, 5280)], form);
        assert_eq!(sniff(text.as_bytes()), Some(FileKind::Memleak), "{form:?}");
        let output = read(text.as_bytes());
        assert_eq!(output.faults, Vec::<String>::new(), "{form:?}");
        // The third comes after midnight.
        let (first, second, third) = ((0, 0), (1, 1), (2, 2));
        let leak = [(first, 100, 1600), (second, 220, 3520), (third, 330, 5280)];
        let steady = [first, second, third].map(|at| (at, 40, 20_480));
        let mut expected: Vec<_> = leak
            .into_iter()
            .chain(steady)
            .map(|((n, at), blocks, bytes)| (n, at, blocks, bytes))
            .collect();
        expected.sort_unstable();
        assert_eq!(output.listed(), expected, "{form:?}");
        assert_eq!(output.started, WRITTEN - 2 * MINUTE as i64);
        let What::Process(process) = &output.events[0].what else { panic!("no process") };
        assert_eq!(process.name, "mailer");
        assert_eq!(process.pid, if form == Form::Libbpf { 0 } else { 5193 });
        let named = |event: &Event| matches!(&event.what, What::Stack(node) if node.frame.trust == Trust::Named);
        assert!(output.events.iter().any(named));
        let whole = |event: &Event| matches!(&event.what, What::Stack(node) if node.caller == StackId::COMPLETE);
        assert!(output.events.iter().any(whole));
        let fact = |event: &Event| matches!(&event.what, What::Fact(fact) if fact.kind == FactKind::ListsSome);
        assert!(output.events.iter().any(fact));
    }
}

#[test]
fn three_snapshots_that_rise_make_a_suspect_of_function_and_module() {
    for form in FORMS {
        let text = write(&[(100, 1600), (220, 3520), (340, 5440)], form);
        let (json, text) = analyze(&text, &[]);
        let suspects = json["suspects"].as_array().unwrap();
        assert_eq!(suspects.len(), 1, "{form:?}: {text}");
        for said in ["Session::keep", "libsession.so.2", "3 snapshots that list it"] {
            assert!(text.contains(said), "{form:?}: {said}: {text}");
        }
        let rate = suspects[0]["growth_bytes_per_s"].as_f64().unwrap();
        assert!((rate - 32.0).abs() < 0.5, "{rate}");
        let told = suspects[0]["explanation"].to_string();
        assert!(told.contains("blocks that live longer than was looked"), "{told}");
    }
}

#[test]
fn fewer_than_three_are_no_suspect() {
    for leaking in [&[(5000, 80_000)][..], &[(100, 1600), (5000, 80_000)]] {
        let (json, text) = analyze(&write(leaking, Form::Bcc), &[]);
        assert_eq!(json["suspects"].as_array().unwrap().len(), 0, "{text}");
        assert!(text.contains("No "), "{text}");
    }
}

#[test]
fn what_is_not_listed_is_unknown() {
    let steady = ("steady", (40, 20_480));
    let with = |late: &[Option<u64>]| {
        let mut text = begin(Form::Bcc);
        for (minute, blocks) in (0..).zip(late) {
            let late = blocks.map(|blocks| ("late", (blocks, blocks * 64)));
            let listed: Vec<_> = late.into_iter().chain([steady]).collect();
            snapshot(&mut text, minute, &listed, Form::Bcc);
        }
        analyze(&text, &["--min-confidence", "0"])
    };
    let of = |json: &Value| {
        let suspects = json["suspects"].as_array().unwrap();
        suspects.iter().find(|suspect| suspect.to_string().contains("log_open")).cloned()
    };
    let evidence = |suspect: &Value, name: &str| {
        let all = suspect["evidence"].as_array().unwrap();
        all.iter().find(|of| of["fact"] == name).unwrap()["value"].as_f64().unwrap()
    };
    // That it appears is no growth: nobody knows what it held before.
    let (json, text) = with(&[None, None, None, Some(5000)]);
    assert!(of(&json).is_none(), "{text}");
    let (json, text) = with(&[None, None, Some(5000), Some(5000)]);
    assert!(of(&json).is_none(), "{text}");
    // It grew by what the snapshots that list it differ in, and by no more.
    let (json, text) = with(&[None, Some(5000), Some(5100), Some(5200)]);
    let suspect = of(&json).unwrap_or_else(|| panic!("{text}"));
    assert_eq!(evidence(&suspect, "gained"), 200.0);
    assert_eq!(evidence(&suspect, "snapshots"), 3.0);
    assert_eq!(evidence(&suspect, "unlisted"), 1.0);
    // That it is gone is neither a freeing nor a growth.
    let (json, text) = with(&[Some(100), Some(200), Some(300), None]);
    assert!(of(&json).is_none(), "{text}");
    assert_eq!(verdicts(&[Some(100), Some(200), Some(300), None]), "Undecided");
    assert_eq!(verdicts(&[Some(100), None, Some(200), Some(300)]), "Undecided");
    assert_eq!(verdicts(&[None, None, None, Some(300)]), "Undecided");
    assert_eq!(verdicts(&[Some(100), Some(200), Some(300), Some(400)]), "Growth");
}

/// What a stack is judged to be of which each snapshot lists so many blocks, or none.
fn verdicts(blocks: &[Option<u64>]) -> String {
    let mut text = begin(Form::Old);
    for (minute, blocks) in (0..).zip(blocks) {
        let own = blocks.map(|blocks| ("late", (blocks, blocks * 64)));
        // Something has to be listed.
        let listed: Vec<_> = own.into_iter().chain([("steady", (7, 7))]).collect();
        snapshot(&mut text, minute, &listed, Form::Old);
    }
    let mut ledger = unfreed::ledger::Ledger::default();
    read(text.as_bytes()).events.iter().for_each(|event| ledger.apply(event));
    let judged = unfreed::verdict::judge(&ledger).sites;
    let site = judged.iter().find(|judged| {
        let points = ledger.site(judged.site).unwrap().snapshots.points();
        points[0].1.bytes.0 != 7
    });
    format!("{:?}", site.unwrap().verdict)
}

#[test]
fn another_run_is_not_compared_with_the_first() {
    let first = write(&[(100, 1600), (220, 3520)], Form::Bcc);
    let text = first.clone() + &write(&[(9000, 144_000)], Form::Bcc);
    let output = read(text.as_bytes());
    assert_eq!(output.listed(), read(first.as_bytes()).listed());
    assert!(output.faults.iter().any(|fault| fault.contains("another run")), "{:?}", output.faults);
}

#[test]
fn two_files_are_two_runs() {
    let directory = tempfile::tempdir().unwrap();
    let files = [100u64, 4000, 8000].map(|blocks| {
        let file = directory.path().join(format!("{blocks}.txt"));
        std::fs::write(&file, write(&[(blocks, blocks * 16)], Form::Bcc)).unwrap();
        file
    });
    let program = env!("CARGO_BIN_EXE_unfreed");
    let run = Command::new(program).args(["analyze", "--json"]).args(&files).output().unwrap();
    let json: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(json["suspects"].as_array().unwrap().len(), 0, "{json}");
    let twice = json["source"]["files"].as_array().unwrap();
    assert!(twice.iter().any(|file| file["listed_twice"].as_u64().unwrap() > 0), "{twice:?}");
}

#[test]
fn blocks_lost_stacks_probes_and_the_kernel_are_told_apart() {
    let text = "Attaching to kernel allocators, Ctrl+C to quit.\n\
                [00:00:01] Top 10 stacks with outstanding allocations:\n\
                \taddr = ffff948cd0 size = 16\n\
                \t16 bytes in 1 allocations from stack\n\
                \t\t[unknown] [[uprobes]]\n\
                \t\tbpf_prog_load [kernel]\n\
                \t48 bytes in 3 allocations from stack\n\
                \t\tstack information lost\n";
    let output = read(text.as_bytes());
    assert_eq!(output.faults, Vec::<String>::new());
    assert_eq!(output.listed(), [(0, 0, 1, 16), (0, 0, 3, 48)]);
    let What::Process(process) = &output.events[0].what else { panic!("no process") };
    assert_eq!(process.name, "kernel");
    let stacks = output.events.iter().filter(|event| matches!(event.what, What::Stack(_)));
    assert_eq!(stacks.count(), 1, "a probe is no caller");
    let lost = |event: &Event| matches!(&event.what, What::Snapshot(of) if of.stack == StackId::LOST && of.blocks == 3);
    assert!(output.events.iter().any(lost));
}

#[test]
fn entries_without_a_heading_are_nobodys() {
    let text = "\t80 bytes in 5 allocations from stack\n\t\tmain+0x6d [allocs]\n";
    assert_eq!(sniff(text.as_bytes()), None);
    let output = read(text.as_bytes());
    assert_eq!(output.listed(), []);
    assert!(output.faults.iter().any(|fault| fault.contains("no snapshot")));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("excerpt.txt");
    std::fs::write(&file, text).unwrap();
    let program = env!("CARGO_BIN_EXE_unfreed");
    let run = Command::new(program).arg("analyze").arg(&file).output().unwrap();
    assert!(!run.status.success());
    assert!(!run.stderr.is_empty());
}

#[test]
fn times_never_go_back() {
    let text = write(&[(1, 1); 5], Form::Bcc);
    let events = read(text.as_bytes()).events;
    assert!(events.is_sorted_by_key(|event| event.time));
    assert_eq!(events.last().unwrap().time, Time(4 * MINUTE));
}
