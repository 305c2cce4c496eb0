//! Logs of LeakDiag: whole, split over heaps, without symbols, damaged.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "evidence/mod.rs"]
mod evidence;

use std::fs;
use std::process::Command;

use evidence::leakdiag::{Form, log};
use evidence::{Case, kb843523, kb891509, kb896064, q265514};
use proptest::prelude::*;
use serde_json::Value;
use unfreed::event::{Event, Snapshot, StackId, Trust, What};
use unfreed::ledger::Ledger;
use unfreed::read::leakdiag::Reader;
use unfreed::read::{About, FileKind, Source, sniff};

const PLAIN: Form = Form { symbols: true, split: false };

fn read(bytes: &[u8]) -> (Vec<Event>, Vec<String>) {
    let mut reader = Reader::new(bytes, &About::default());
    let (mut events, mut batch) = (Vec::new(), Vec::new());
    while reader.next_batch(&mut batch).unwrap() {
        events.append(&mut batch);
    }
    assert_eq!(reader.header().source, "leakdiag");
    (events, reader.faults().iter().map(|fault| fault.what.to_string()).collect())
}

fn snapshots(events: &[Event]) -> Vec<Snapshot> {
    let of = |event: &Event| match &event.what {
        What::Snapshot(snapshot) => Some(**snapshot),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

/// The stack of a case's leak is read frame by frame, with its blocks.
fn check(case: &Case, form: Form) {
    let (events, faults) = read(log(case, 1, form).as_bytes());
    assert_eq!(faults, [""; 0]);
    let live = snapshots(&events);
    assert_eq!(live.len(), case.stacks.len(), "one for each stack: {form:?}");
    let leak = live.iter().find(|of| of.blocks == 3120).unwrap();
    assert_eq!((leak.number, leak.bytes.0), (0, 3120 * u64::from(case.stacks[0].size)));
    let mut ledger = Ledger::default();
    events.iter().for_each(|event| ledger.apply(event));
    let frames: Vec<_> = ledger.stacks().frames(leak.stack).collect();
    assert_eq!(frames.len(), case.stacks[0].frames.len());
    for (frame, told) in frames.iter().zip(&case.stacks[0].frames) {
        let module = frame.module.unwrap();
        assert_eq!(ledger.modules().identity(module).unwrap().name, case.file_name(told.0));
        assert_eq!(frame.trust, Trust::Named);
        let functions = ledger.modules().functions(module, frame.offset);
        let name = functions.first().map(|function| function.function.as_str());
        assert_eq!(name, told.1.filter(|_| form.symbols));
    }
    let process = ledger.images()[0].process.as_ref().unwrap();
    assert_eq!(process.name, case.file_name(0));
}

#[test]
fn every_article_s_stack_is_read() {
    let cases = [kb896064("6.0.6603.1"), kb843523("6.5.7226.0"), kb891509("6.5.7226.0"), q265514()];
    for case in cases {
        for form in [PLAIN, Form { split: true, ..PLAIN }, Form { symbols: false, split: true }] {
            check(&case, form);
        }
    }
}

#[test]
fn one_log_shows_no_growth_and_the_report_says_so() {
    let text = log(&kb896064("6.0.6603.1"), 1, PLAIN);
    assert_eq!(sniff(text.as_bytes()), Some(FileKind::LeakDiag));
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("log");
    fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_unfreed"));
    let output = command.arg("analyze").arg("--json").arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["conclusive"], false);
    assert_eq!(report["unmeasured"], "one-snapshot");
    assert_eq!(report["source"]["snapshots"], 1);
    assert_eq!(report["totals"]["live_blocks"], 3120 + 40 + 14 + 290);
}

#[test]
fn what_is_odd_is_read_and_told() {
    let text = "<?xml version='1.0'?><LOGDATA><leaks ver='1'><Stack NumAllocs='10' size='7' totalsize='100'>\
                <frame num='1' dll='b.exe' function='a &amp; b' offset='5'/>\
                <frame num='0' dll='a.dll' function='std::vector<int>::x & y' offset='0x10' line='12' filename='v.h'/>\
                </Stack><STACK size='8'><OTHER/></STACK></leaks></LOGDATA>";
    let (events, faults) = read(text.as_bytes());
    assert_eq!(faults.len(), 2, "{faults:?}");
    let live = snapshots(&events);
    assert_eq!((live[1].blocks, live[1].bytes.0), (10, 100), "sums before means");
    let names: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.what {
            What::Name(name) => Some((name.functions[0].function.as_str(), name.functions[0].line)),
            _ => None,
        })
        .collect();
    assert_eq!(names, [("a & b", None), ("std::vector<int>::x & y", Some(12))], "callers first");
    assert_eq!(sniff(b"<html><body>LEAKS</body></html>"), None);
    assert_eq!(sniff(b"<xml><STACK numallocs='1'/></xml>"), None);
}

#[test]
fn a_piece_without_end_is_given_up() {
    let text = format!("<logdata><LEAKS ver='1'>{}", "x".repeat(8_000_000));
    let (_, faults) = read(text.as_bytes());
    assert!(faults[0].contains("longer than 1 MiB"), "{faults:?}");
}

/// What holds whatever the bytes.
fn holds(bytes: &[u8]) {
    let (events, _) = read(bytes);
    let mut next = StackId::FIRST;
    for event in &events {
        match &event.what {
            What::Stack(node) => {
                assert!(node.caller < next);
                next.0 += 1;
            }
            What::Snapshot(of) => assert!(of.stack < next),
            _ => {}
        }
    }
    assert!(matches!(events[0].what, What::Process(_)));
    assert!(matches!(events.last().unwrap().what, What::Epoch));
}

#[test]
fn a_log_cut_anywhere_gives_what_was_before() {
    let text = log(&q265514(), 1, PLAIN);
    for cut in 0..text.len() {
        holds(&text.as_bytes()[..cut]);
    }
    let (events, faults) = read(&text.as_bytes()[..text.len() * 9 / 10]);
    assert!(snapshots(&events).len() >= 2 && !faults.is_empty());
}

#[test]
fn a_hundred_thousand_attributes_take_no_longer_than_their_bytes() {
    let many: String = (0..100_000).map(|n| format!(" a{n}=\"\"")).collect();
    let text = format!(
        "<logdata><LEAKS ver=\"1\"><STACK numallocs=\"7\" size=\"8\" numallocs=\"9\"{many}>\
         <FRAME num=\"0\" dll=\"a.dll\" function=\"f\"/></STACK></LEAKS></logdata>"
    );
    let (events, faults) = read(text.as_bytes());
    assert_eq!(snapshots(&events).iter().map(|of| of.blocks).collect::<Vec<_>>(), [7]);
    assert_eq!(faults, ["an attribute stands twice: its first value counts"]);
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        holds(&bytes);
    }

    #[test]
    fn a_flipped_bit_is_survived(at in 0usize..20_000, bit in 0u32..8) {
        let mut bytes = log(&q265514(), 1, PLAIN).into_bytes();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        holds(&bytes);
    }
}
