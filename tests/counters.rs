//! Performance counters: who is who in a table whose columns move, what grows, and what the report says.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "counters/table.rs"]
mod table;

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Output};

use proptest::prelude::*;
use serde_json::Value;
use table::{Form, Process, RELOG, private, write};
use unfreed::event::{Event, Exit, Metric, ProcessId, What};
use unfreed::read::counters::Reader;
use unfreed::read::{About, FileKind, Source, sniff};

const ROWS: u32 = 240;

fn read(bytes: &[u8]) -> (Vec<Event>, Vec<String>, i64) {
    let mut reader = Reader::new(bytes, &About::default());
    let (mut events, mut batch) = (Vec::new(), Vec::new());
    while reader.next_batch(&mut batch).unwrap() {
        events.append(&mut batch);
    }
    assert!(events.windows(2).all(|pair| pair[0].time <= pair[1].time), "never backwards");
    let faults = reader.faults().iter().map(|fault| fault.what.to_string()).collect();
    (events, faults, reader.header().started_unix_ns)
}

/// The values of one metric of each process, with its name and number.
fn series(events: &[Event], metric: Metric) -> Vec<(String, u32, Vec<u64>)> {
    let mut all: BTreeMap<ProcessId, (String, u32, Vec<u64>)> = BTreeMap::new();
    for event in events {
        match &event.what {
            What::Process(process) => {
                let known = all.insert(event.process, (process.name.clone(), process.pid, vec![]));
                assert!(known.is_none(), "a process begins once");
            }
            What::Sample(sample) if sample.metric == metric => {
                all.get_mut(&event.process).expect("it began").2.push(sample.value);
            }
            _ => {}
        }
    }
    all.into_values().collect()
}

fn process(program: &'static str, pid: u32, rows: std::ops::Range<u32>) -> Process {
    Process { program, pid, rows, private: 50_000_000, growth: 0, managed: None }
}

/// A store that leaks, and three programs of one name of which the first ends.
fn server() -> Vec<Process> {
    vec![
        Process { growth: 400_000, ..process("store", 1712, 0..ROWS) },
        process("w3wp", 3000, 0..90),
        Process { managed: Some(9_000_000), ..process("w3wp", 3100, 0..ROWS) },
        Process { growth: 10_000, managed: Some(7_000_000), ..process("w3wp", 3200, 20..ROWS) },
        process("inetinfo", 900, 0..100),
        process("inetinfo", 4900, 110..ROWS),
    ]
}

/// Every process's private bytes are read as they were written.
fn check(form: Form) {
    let processes = server();
    let text = write(&processes, ROWS, form);
    assert_eq!(sniff(text.as_bytes()), Some(FileKind::Counters), "{form:?}");
    let (events, faults, _) = read(text.as_bytes());
    assert_eq!(faults, [""; 0], "{form:?}");
    let mut found = series(&events, Metric::PrivateBytes);
    found.sort();
    let mut expected: Vec<(String, u32, Vec<u64>)> = processes
        .iter()
        .map(|of| {
            let values = of.rows.clone().map(|row| private(of, row)).collect();
            (of.program.to_owned(), of.pid, values)
        })
        .collect();
    expected.sort();
    assert!(found == expected, "{form:?}");
    let managed = series(&events, Metric::ManagedHeap);
    let lengths: Vec<(u32, usize)> =
        managed.iter().map(|(_, pid, values)| (*pid, values.len())).filter(|of| of.1 > 0).collect();
    assert_eq!(lengths.len(), 2, "{lengths:?}");
    assert!(lengths.contains(&(3100, 240)) && lengths.contains(&(3200, 220)), "{lengths:?}");
}

#[test]
fn a_process_is_what_its_number_says_wherever_its_column_moves() {
    for form in [
        RELOG,
        Form { tabs: true, ..RELOG },
        Form { tabs: true, commas: true, ..RELOG },
        Form { commas: true, ..RELOG },
        Form { typeperf: true, ..RELOG },
    ] {
        check(form);
    }
}

#[test]
fn ends_and_times_are_those_of_the_rows() {
    let (events, _, started) = read(write(&server(), ROWS, RELOG).as_bytes());
    // 2006-03-14 22:30:00.125 in the zone of the Pacific, without summer time.
    assert_eq!(started, 1_142_404_200_125_000_000);
    let exits: Vec<(f64, Exit)> = events
        .iter()
        .filter_map(|event| match event.what {
            What::ProcessExit(exit) => Some((event.time.seconds(), exit)),
            _ => None,
        })
        .collect();
    let gone: Vec<f64> = exits.iter().filter(|of| of.1 == Exit::Unknown).map(|of| of.0).collect();
    assert_eq!(gone, [90.0 * 15.0, 100.0 * 15.0]);
    assert_eq!(exits.len(), 6);
    assert!(matches!(events.last().unwrap().what, What::Epoch));
}

#[test]
fn without_numbers_a_reset_is_a_restart() {
    let form = Form { pids: false, ..RELOG };
    let restarted = [
        Process { growth: 3_000_000, ..process("store", 1, 0..100) },
        process("store", 2, 100..ROWS),
    ];
    let (events, faults, _) = read(write(&restarted, ROWS, form).as_bytes());
    assert_eq!(faults, [""; 0]);
    let found = series(&events, Metric::PrivateBytes);
    let lengths: Vec<_> = found.iter().map(|(_, pid, values)| (*pid, values.len())).collect();
    assert_eq!(lengths, [(0, 100), (0, 140)]);
    // Several of one name cannot be told apart, which is said.
    let (_, faults, _) = read(write(&server(), ROWS, form).as_bytes());
    assert!(faults[0].contains("two are taken for one"), "{faults:?}");
}

#[test]
fn what_is_odd_is_told() {
    let head = "\"(PDH-CSV 4.0) (UTC)(0)\",\"\\\\A\\Process(x)\\Private Bytes\",\"\\\\B\\Process(x)\\Private Bytes\"\n";
    let text = format!(
        "{head}\"01/01/2020 00:00:00.000\",\"5\",\"-1\"\nsome words\n\"01/01/2020 00:00:30.000\",\"6\"\n\
         \"01/01/2020 00:00:10.000\",\" \",\"7\"\n{head}\"01/01/2020 00:01:00.000\",\"8\",\"8\"\nThe end.\n"
    );
    let (events, faults, _) = read(text.as_bytes());
    let expected = ["no row of the table", "as many values", "clock went back"];
    assert_eq!(faults.len(), expected.len(), "{faults:?}");
    assert!(expected.iter().all(|part| faults.iter().any(|fault| fault.contains(part))));
    let names: Vec<String> =
        series(&events, Metric::PrivateBytes).into_iter().map(|of| of.0).collect();
    assert!(names.contains(&r"A\x".to_owned()) && names.contains(&r"B\x".to_owned()), "{names:?}");
    let (_, faults, _) = read(b"\"(PDH-CSV 4.0)\",\"\\\\A\\Memory\\Available Bytes\"\n");
    assert!(faults[0].contains(r"record \Process(*)\Private Bytes"), "{faults:?}");
    for text in ["PDH-CSV 4.0", "\"a\",\"(PDH-CSV 4.0)\"\n", "see (PDH-CSV 4.0)\n"] {
        assert_eq!(sniff(text.as_bytes()), None, "{text}");
    }
}

/// Runs the program on a file of this name.
fn run(name: &str, bytes: &[u8], json: bool) -> Output {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join(name), bytes).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_unfreed"));
    command.current_dir(home.path()).arg("analyze").arg(name);
    if json {
        command.arg("--json");
    }
    command.output().unwrap()
}

#[test]
fn growth_is_told_and_nobody_is_named_for_it() {
    let text = write(&server(), ROWS, RELOG);
    let output = run("counters.csv", text.as_bytes(), true);
    assert_eq!(output.status.code(), Some(0));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["suspects"].as_array().unwrap().len(), 0);
    assert_eq!(report["conclusive"], false);
    assert_eq!(report["unmeasured"], "counters-only");
    let of = |name: &str, metric: &str| {
        let target = report["target"].as_array().unwrap();
        let target = target.iter().find(|target| target["name"] == name).unwrap();
        let counters = target["counters"].as_array().unwrap();
        counters.iter().find(|of| of["metric"] == metric).unwrap().clone()
    };
    let store = of("store", "private-bytes");
    assert_eq!(store["verdict"], "growth");
    assert!(store["confidence"].as_f64().unwrap() > 0.9);
    let slope = store["slope_per_s"].as_f64().unwrap();
    assert!((slope / (400_000.0 / 15.0) - 1.0).abs() < 0.05, "{slope}");
    assert_eq!(of("store", "handles")["verdict"], "steady");
    assert_eq!(of("inetinfo", "private-bytes")["verdict"], "steady");

    let told = String::from_utf8(run("counters.csv", text.as_bytes(), false).stdout).unwrap();
    let plain = told.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "Growth was seen, and no suspect: store and 1 other process grow.",
        "name no module",
        "take a heap trace",
        "MiB an hour (confidence 9",
    ] {
        assert!(plain.contains(part), "{part}: {told}");
    }
    assert!(!plain.contains("No suspect. A leak slower"), "{told}");
}

#[test]
fn steady_counters_are_no_acquittal() {
    let steady = [process("store", 1712, 0..ROWS)];
    let output = run("c.csv", write(&steady, ROWS, RELOG).as_bytes(), false);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.starts_with("No verdict. The counters show no growth"), "{told}");
    assert!(told.contains("steady"), "{told}");
}

#[test]
fn a_binary_log_is_answered_with_the_command_that_reads_it() {
    let mut file = vec![0; 0x48];
    file[0x36] = 4;
    file.extend([2, 0, 2, 0xc0]);
    file.extend([0; 300]);
    assert_eq!(sniff(&file), Some(FileKind::Etl));
    file.extend("C:\\PerfLogs\\Exchange.blg\0".encode_utf16().flat_map(u16::to_le_bytes));
    assert_eq!(sniff(&file), Some(FileKind::BinaryCounters));
    let output = run("Exchange.blg", &file, false);
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    let plain = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(plain.contains("relog Exchange.blg -f csv -o Exchange.csv"), "{told}");
}

#[test]
fn a_log_cut_anywhere_is_read() {
    let text = write(&server(), 12, RELOG);
    for cut in 0..text.len() {
        read(&text.as_bytes()[..cut]);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read(&bytes);
    }

    #[test]
    fn a_flipped_bit_is_survived(at in 0usize..8000, bit in 0u32..8) {
        let mut bytes = write(&server(), 30, RELOG).into_bytes();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        read(&bytes);
    }
}

#[test]
fn many_columns_take_no_longer_than_their_bytes() {
    const COLUMNS: usize = 40_000;
    let path = |n| format!(r",\\H\.NET CLR Memory(a{n})\# Bytes in all Heaps");
    let mut text = String::from("(PDH-CSV 4.0)");
    (0..COLUMNS).for_each(|n| text.push_str(&path(n)));
    for minute in 0..4 {
        text.push_str(&format!("\n01/02/2024 10:0{minute}:00.000"));
        text.push_str(&",5".repeat(COLUMNS));
    }
    let (events, _, _) = read(text.as_bytes());
    let samples = events.iter().filter(|event| matches!(event.what, What::Sample(_)));
    assert_eq!(samples.count(), 4 * COLUMNS);
}

#[test]
fn growth_is_told_beside_other_files_that_show_none() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("counters.csv"), write(&server(), ROWS, RELOG)).unwrap();
    let snapshot = "// Loaded modules:\n//     Base     Size Module\n//   400000    10000 mad.exe\n\
                    C6 bytes + 1A at 56004C0 by BackTrace39\n\t00401000\n";
    for name in ["first.txt", "second.txt"] {
        fs::write(home.path().join(name), snapshot).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_unfreed"));
    command.current_dir(home.path()).args(["analyze", "first.txt", "second.txt", "counters.csv"]);
    let told = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let said = told.split("\n\n").next().unwrap();
    assert!(said.contains("Growth was seen, and no suspect: store"), "{told}");
}
