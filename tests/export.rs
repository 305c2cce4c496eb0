//! Exports: other tools open them and say the same of them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![cfg(target_os = "linux")]

#[path = "html/browser.rs"]
#[allow(dead_code, reason = "it looks at reports elsewhere")]
mod browser;
mod evidence;
#[path = "export/readers.rs"]
mod readers;
mod support;
mod synth;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use readers::{read_pprof, speedscope};
use serde_json::Value;
use synth::Synth;

fn unfreed(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_unfreed")).args(arguments).output().unwrap()
}

fn done(arguments: &[&str]) -> Vec<u8> {
    let output = unfreed(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{arguments:?}: {said}");
    output.stdout
}

fn plain(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn analyze(file: &Path) -> Value {
    serde_json::from_slice(&done(&["analyze", "--json", plain(file)])).unwrap()
}

/// Exports a file beside it.
fn export(file: &Path, more: &[&str]) -> PathBuf {
    export_as("heaptrack", file, more)
}

fn export_as(form: &str, file: &Path, more: &[&str]) -> PathBuf {
    let exported = file.with_extension(form);
    done(&[&["export", plain(file), "--as", form, "-q", "-o", plain(&exported)], more].concat());
    exported
}

/// What heaptrack_print says of a file: a number for each innermost function.
fn printed(file: &Path, what: &str) -> BTreeMap<String, u64> {
    let flames = file.with_extension(what);
    let mut command = Command::new("heaptrack_print");
    command.arg("-f").arg(file).arg("-F").arg(&flames).args(["--flamegraph-cost-type", what]);
    let output = command.arg("--disable-builtin-suppressions").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("failed to parse"), "{said}");
    let mut sums = BTreeMap::new();
    for line in fs::read_to_string(&flames).unwrap().lines() {
        let (stack, number) = line.rsplit_once(' ').unwrap();
        let innermost = stack.trim_end_matches(';').rsplit(';').next().unwrap();
        let function = innermost.split(" (").next().unwrap().to_owned();
        *sums.entry(function).or_default() += number.parse::<u64>().unwrap();
    }
    sums
}

/// Expects the same sums of both tools.
fn same_sums(trace: &Path, exported: &Path) {
    let totals = &analyze(trace)["totals"];
    let of = |name: &str| totals[name].as_u64().unwrap();
    let sum = |what| printed(exported, what).values().sum::<u64>();
    assert_eq!(sum("allocations"), of("allocations"));
    assert_eq!(sum("leaked"), of("live_bytes"));
    let again = &analyze(exported)["totals"];
    for name in ["allocations", "frees", "live_blocks", "live_bytes"] {
        assert_eq!(again[name], totals[name], "{name}");
    }
}

#[test]
fn heaptrack_print_opens_what_the_agent_recorded() {
    support::require!("cc");
    support::require!("heaptrack_print");
    let home = tempfile::tempdir().unwrap();
    let trace = home.path().join("keeps.unfreed");
    let program = support::programs::c("keeps");
    done(&["record", "-q", "-o", plain(&trace), "--", plain(&program), "3000"]);
    let exported = export(&trace, &[]);
    same_sums(&trace, &exported);
    let [allocations, leaked] = ["allocations", "leaked"].map(|what| printed(&exported, what));
    let sum = |sums: &BTreeMap<String, u64>, function| sums.get(function).copied().unwrap_or(0);
    assert_eq!([sum(&allocations, "lose"), sum(&leaked, "lose")], [3000, 3000 * 40]);
    assert_eq!([sum(&allocations, "sometimes"), sum(&leaked, "sometimes")], [30_000, 3000 * 72]);
    assert_eq!([sum(&allocations, "make"), sum(&leaked, "make")], [15_000, 0]);
    assert_eq!(sum(&printed(&exported, "temporary"), "make"), 0, "nobody knows of any");
    // And the other way round: the verdicts are the same.
    let report = analyze(&exported);
    let suspects = report["suspects"].as_array().unwrap();
    let mut functions: Vec<&str> =
        suspects.iter().map(|suspect| suspect["function"].as_str().unwrap()).collect();
    functions.sort_unstable();
    assert_eq!(functions, ["lose", "sometimes"], "{report:#}");
}

/// A trace of a Windows process with a leak, a destroyed heap's worth of churn and a stack of its own per size.
fn story(processes: usize) -> Vec<u8> {
    let mut story = Synth::windows();
    for at in 0..processes {
        let process = story.process(["Inetinfo.exe", "store.exe"][at]);
        let stack = ["msvcrt.dll!malloc", "Cdoexm.dll!CMailbox::Open", "w3svc.dll!main"];
        story.leak(process, &stack, 260, 500, 0.0..5.0);
    }
    story.build()
}

#[test]
fn names_and_modules_of_another_system_come_along() {
    support::require!("heaptrack_print");
    let home = tempfile::tempdir().unwrap();
    let trace = home.path().join("windows.unfreed");
    fs::write(&trace, story(1)).unwrap();
    let exported = export(&trace, &[]);
    same_sums(&trace, &exported);
    let text = fs::read_to_string(&exported).unwrap();
    assert!(text.contains(" CMailbox::Open\n") && text.contains("Cdoexm.dll\n"), "{text}");
    assert_eq!(printed(&exported, "leaked").values().sum::<u64>(), 500 * 260);
}

#[test]
fn of_several_processes_one_is_chosen() {
    let home = tempfile::tempdir().unwrap();
    let trace = home.path().join("two.unfreed");
    fs::write(&trace, story(2)).unwrap();
    let out = home.path().join("out");
    let failed = unfreed(&["export", plain(&trace), "--as", "heaptrack", "-o", plain(&out)]);
    let said = String::from_utf8_lossy(&failed.stderr);
    assert_eq!(failed.status.code(), Some(2));
    assert!(said.contains("Inetinfo.exe (1000)") && said.contains("--pid 1000"), "{said}");
    assert!(!out.exists(), "nothing half is left");
    let failed =
        unfreed(&["export", plain(&trace), "--as", "heaptrack", "--pid", "7", "-o", plain(&out)]);
    assert_eq!(failed.status.code(), Some(2));
    let one = export(&trace, &["--pid", "1001"]);
    assert!(fs::read_to_string(one).unwrap().contains("X store.exe"));
}

#[test]
fn without_a_file_it_goes_to_stdout() {
    let home = tempfile::tempdir().unwrap();
    let trace = home.path().join("one.unfreed");
    fs::write(&trace, story(1)).unwrap();
    for form in ["heaptrack", "pprof", "collapsed", "csv"] {
        let out = done(&["export", plain(&trace), "--as", form]);
        assert_eq!(out, fs::read(export_as(form, &trace, &[])).unwrap(), "{form}");
        let failed = unfreed(&["export", plain(&trace), "--as", form, "--pid", "7"]);
        assert_eq!(failed.status.code(), Some(2), "{form}");
    }
    let failed = unfreed(&["export", plain(&trace), "--as", "pictures"]);
    assert_eq!(failed.status.code(), Some(2));
}

/// Two processes with a leak each, and one that frees.
fn mixed() -> Vec<u8> {
    let mut story = Synth::windows();
    let [web, store] = ["Inetinfo.exe", "store.exe"].map(|name| story.process(name));
    let module = synth::windows_module("Cdoexm.dll", "6.0.6617.47");
    story.module(web, module);
    let stack = ["msvcrt.dll!malloc", "Cdoexm.dll!CMailbox::Open", "w3svc.dll!main"];
    story.leak(web, &stack, 260, 500, 0.0..5.0);
    story.leak(store, &["msvcrt.dll!malloc", "store.exe!keep", "store.exe!main"], 8, 10, 0.0..5.0);
    let churn = ["msvcrt.dll!malloc", "w3svc.dll!answer", "w3svc.dll!main"];
    story.churn(web, &churn, 100, 300, 0.0..4.0, 0.05);
    story.build()
}

fn written(name: &str, trace: Vec<u8>) -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(name);
    fs::write(&file, trace).unwrap();
    (home, file)
}

#[test]
fn another_reader_of_pprof_finds_the_same_sums() {
    let (_home, trace) = written("mixed.unfreed", mixed());
    let Some(profile) = read_pprof(&export_as("pprof", &trace, &[])) else { return };
    let types = serde_json::json!([
        ["alloc_objects", "count"],
        ["alloc_space", "bytes"],
        ["inuse_objects", "count"],
        ["inuse_space", "bytes"]
    ]);
    assert_eq!((&profile["types"], &profile["default"]), (&types, &"inuse_space".into()));
    let samples = profile["samples"].as_array().unwrap();
    let of = |function: &str| {
        let goes_through = |sample: &&Value| sample["frames"][1]["function"] == function;
        samples.iter().find(goes_through).unwrap()
    };
    let leak = of("CMailbox::Open");
    assert_eq!(leak["values"], serde_json::json!([500, 130_000, 500, 130_000]));
    assert_eq!(leak["labels"], serde_json::json!({"process": "Inetinfo.exe", "pid": 1000}));
    assert_eq!(leak["modules"][1], "C:\\WINNT\\system32\\Cdoexm.dll");
    assert_eq!(leak["frames"][2]["function"], "main");
    assert_eq!(of("answer")["values"], serde_json::json!([300, 30_000, 0, 0]));
    let totals = &analyze(&trace)["totals"];
    for (at, name) in [(0, "allocations"), (2, "live_blocks"), (3, "live_bytes")] {
        let sum: u64 = samples.iter().map(|sample| sample["values"][at].as_u64().unwrap()).sum();
        assert_eq!(sum, totals[name], "{name}");
    }
    let one = read_pprof(&export_as("pprof", &trace, &["--pid", "1001"])).unwrap();
    assert_eq!(one["samples"].as_array().unwrap().len(), 1);
}

#[test]
fn a_profile_of_a_real_program_has_its_files_lines_and_build_ids() {
    support::require!("cc");
    let (_home, trace) = written("keeps.unfreed", Vec::new());
    let program = support::programs::c("keeps");
    done(&["record", "-q", "-o", plain(&trace), "--", plain(&program), "3000"]);
    let Some(profile) = read_pprof(&export_as("pprof", &trace, &[])) else { return };
    let samples = profile["samples"].as_array().unwrap();
    let lose = samples.iter().find(|s| s["frames"][0]["function"] == "lose").unwrap();
    assert_eq!(lose["values"], serde_json::json!([3000, 120_000, 3000, 120_000]));
    assert!(lose["frames"][0]["file"].as_str().unwrap().ends_with("keeps.c"), "{lose}");
    assert!(lose["frames"][0]["line"].as_u64().unwrap() > 0);
    let mut mappings = profile["mappings"].as_array().unwrap().iter();
    assert!(mappings.any(|mapping| mapping[1].as_str().unwrap().len() == 40), "{profile}");
}

#[test]
fn inferno_draws_collapsed_stacks() {
    let (_home, trace) = written("mixed.unfreed", mixed());
    let collapsed = fs::read_to_string(export_as("collapsed", &trace, &[])).unwrap();
    let sums = collapsed.lines().map(|line| line.rsplit_once(' ').unwrap().1);
    let sum: u64 = sums.map(|bytes| bytes.parse::<u64>().unwrap()).sum();
    assert_eq!(sum, analyze(&trace)["totals"]["live_bytes"]);
    let mut options = inferno::flamegraph::Options::default();
    let mut svg = Vec::new();
    inferno::flamegraph::from_lines(&mut options, collapsed.lines(), &mut svg).unwrap();
    let svg = String::from_utf8(svg).unwrap();
    assert!(svg.contains("CMailbox::Open") && svg.contains("Inetinfo.exe (1000)"), "{svg}");
}

#[test]
fn no_name_ends_a_collapsed_line_or_becomes_a_formula() {
    let mut story = Synth::linux();
    let process = story.process("=cmd|' /C calc'!A0");
    story.leak(process, &["libc.so.6!malloc", "a.so!one;two\n7 9,\"x\""], 10, 3, 0.0..1.0);
    story.leak(process, &["libc.so.6!malloc", "a.so!@SUM(A1)"], 10, 2, 0.0..1.0);
    let (_home, trace) = written("hostile.unfreed", story.build());
    let collapsed = fs::read_to_string(export_as("collapsed", &trace, &[])).unwrap();
    assert_eq!(collapsed.lines().count(), 2, "{collapsed}");
    assert!(collapsed.contains(";one:two 7 9,\"x\" [a.so];"), "{collapsed}");
    let rows = read_csv(&export_as("csv", &trace, &[]));
    assert_eq!(rows.len(), 2, "{rows:#?}");
    assert_eq!(rows[0]["process"], "'=cmd|' /C calc'!A0");
    assert_eq!(rows[0]["function"], "one;two\n7 9,\"x\"");
    assert_eq!(rows[1]["function"], "'@SUM(A1)");
}

/// The lines as Python's csv module reads them, strictly.
fn read_csv(table: &Path) -> Vec<Value> {
    let read = "import csv, json, sys\n\
                with open(sys.argv[1], newline='', encoding='utf-8') as f:\n \
                print(json.dumps(list(csv.DictReader(f, strict=True))))";
    let output = Command::new("python3").args(["-c", read]).arg(table).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn pythons_csv_module_reads_the_table() {
    support::require!("python3");
    let (_home, trace) = written("mixed.unfreed", mixed());
    let rows = read_csv(&export_as("csv", &trace, &[]));
    assert_eq!(rows.len(), 3);
    let report = analyze(&trace);
    let (row, suspect) = (&rows[0], &report["suspects"][0]);
    for (column, is) in [
        ("process", "Inetinfo.exe"),
        ("pid", "1000"),
        ("module", "Cdoexm.dll"),
        ("version", "6.0.6617.47"),
        ("function", "CMailbox::Open"),
        ("live_blocks", "500"),
        ("live_bytes", "130000"),
        ("verdict", "growth"),
    ] {
        assert_eq!(row[column], is, "{column}");
    }
    for (column, field) in
        [("confidence", "confidence"), ("growth_bytes_per_s", "growth_bytes_per_s")]
    {
        let number: f64 = row[column].as_str().unwrap().parse().unwrap();
        assert_eq!(number, suspect[field].as_f64().unwrap(), "{column}");
    }
}

#[test]
fn speedscope_imports_both_forms_with_the_same_sum() {
    let (_home, trace) = written("mixed.unfreed", mixed());
    let live = &analyze(&trace)["totals"]["live_bytes"];
    for (form, leaks) in [("pprof", "malloc"), ("collapsed", "malloc [msvcrt.dll]")] {
        let Some(imported) = speedscope(&export_as(form, &trace, &[])) else { return };
        let profiles = imported.as_array().unwrap();
        assert_eq!(profiles.len(), 1, "{form}: {imported:#}");
        let sums = (&profiles[0]["sum"], &profiles[0]["inner"][leaks]);
        assert_eq!(sums, (live, live), "{form}: {imported:#}");
    }
}

#[test]
fn what_only_snapshots_list_is_exported_as_what_lives() {
    let home = tempfile::tempdir().unwrap();
    let case = evidence::kb896064("6.0.6603.1");
    let form = evidence::leakdiag::Form { symbols: true, split: true };
    let log = home.path().join("one.xml");
    fs::write(&log, evidence::leakdiag::log(&case, 1, form)).unwrap();
    let blocks: u32 = case.stacks.iter().map(|stack| stack.blocks[1]).sum();
    let bytes: u32 = case.stacks.iter().map(|stack| stack.blocks[1] * stack.size).sum();
    let collapsed = fs::read_to_string(export_as("collapsed", &log, &[])).unwrap();
    let sums = collapsed.lines().map(|line| line.rsplit_once(' ').unwrap().1);
    assert_eq!(sums.map(|bytes| bytes.parse::<u32>().unwrap()).sum::<u32>(), bytes);
    let rows = read_csv(&export_as("csv", &log, &[]));
    let live = rows.iter().map(|row| row["live_blocks"].as_str().unwrap().parse::<u32>().unwrap());
    assert_eq!(live.sum::<u32>(), blocks, "{rows:#?}");
    assert!(rows.iter().all(|row| row["allocations"] == ""), "nobody counted them: {rows:#?}");
    for (form, says) in [("pprof", "are 0"), ("heaptrack", "the file lacks them")] {
        let out = home.path().join(form);
        let output = unfreed(&["export", plain(&log), "--as", form, "-o", plain(&out)]);
        let said = String::from_utf8_lossy(&output.stderr).replace('\n', " ");
        assert!(output.status.success() && said.contains(says), "{form}: {said}");
    }
    let Some(profile) = read_pprof(&home.path().join("pprof")) else { return };
    let samples = profile["samples"].as_array().unwrap().iter();
    assert_eq!(samples.map(|s| s["values"][3].as_u64().unwrap()).sum::<u64>(), u64::from(bytes));
}
