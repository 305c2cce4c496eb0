//! Files that are there already, that others hold open, and that are none.

use std::fs::{self, OpenOptions};
use std::os::windows::fs::OpenOptionsExt;

use unfreed::report::model::Report;

use super::Bench;

#[test]
fn a_result_replaces_the_one_before_and_nothing_is_left_aside() {
    let bench = Bench::new();
    fs::write(bench.path("r.json"), "what was there before").unwrap();
    for _ in 0..2 {
        let told = bench.run(["analyze", "leak.unfreed", "--json", "--output", "r.json"]);
        assert_eq!((told.code, told.out.as_str(), told.err.as_str()), (Some(1), "", ""));
        let text = fs::read_to_string(bench.path("r.json")).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap().suspects.len(), 1);
        assert_eq!(fs::read_dir(bench.directory.path()).unwrap().count(), 2);
    }
}

#[test]
fn a_result_that_another_program_holds_open_stays_whole_and_the_new_one_comes_on_stdout() {
    let bench = Bench::new();
    let path = bench.path("r.json");
    fs::write(&path, "what was there before").unwrap();
    let held = OpenOptions::new().read(true).share_mode(0).open(&path).unwrap();
    let told = bench.run(["analyze", "leak.unfreed", "--json", "--output", "r.json"]);
    assert_eq!(told.code, Some(2), "{told:?}");
    assert!(told.said().contains("cannot write the result to r.json"), "{told:?}");
    assert_eq!(serde_json::from_str::<Report>(&told.out).unwrap().suspects.len(), 1);
    drop(held);
    assert_eq!(fs::read_to_string(&path).unwrap(), "what was there before");
    assert_eq!(fs::read_dir(bench.directory.path()).unwrap().count(), 2, "nothing is left aside");
}

#[test]
fn a_device_takes_a_result_and_is_not_replaced() {
    let bench = Bench::new();
    for device in ["NUL", "nul"] {
        let told = bench.run(["analyze", "leak.unfreed", "--output", device]);
        assert_eq!(
            (told.code, told.out.as_str(), told.err.as_str()),
            (Some(1), "", ""),
            "{device}"
        );
    }
    assert_eq!(fs::read_dir(bench.directory.path()).unwrap().count(), 1, "nothing was made");
}

#[test]
fn lines_end_as_everywhere_and_texts_of_windows_are_read() {
    let bench = Bench::new();
    let told = bench.run(["analyze", "leak.unfreed"]);
    assert!(!told.out.contains('\r'), "{:?}", told.out);
    // As an editor of Windows saves it: with a mark of its encoding, and its ends of lines.
    let entry =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fixes/KB896064.toml")).unwrap();
    let entry = entry.replace("\r\n", "\n").replace('\n', "\r\n");
    fs::create_dir(bench.path("mine")).unwrap();
    fs::write(bench.path("mine").join("KB896064.toml"), format!("\u{feff}{entry}")).unwrap();
    let told = bench.run(["fixes", "check", "mine"]);
    assert_eq!(told.code, Some(0), "{told:?}");
}

#[test]
fn what_cannot_be_done_here_says_where_it_can_be() {
    let bench = Bench::new();
    for arguments in [
        &["attach", "--triage", "4"][..],
        &["run", "--unit", "postfix"],
        &["record", "-o", "new.unfreed", "--unit", "postfix"],
        &["mark", "messages sent", "--count", "5"],
        &["demo"],
        &["analyze", "leak.unfreed", "--core", "core.1"],
    ] {
        let told = bench.run(arguments);
        assert_eq!((told.code, told.out.as_str()), (Some(2), ""), "{arguments:?}: {told:?}");
        let said = told.said();
        assert!(said.contains("what to do: ") && said.contains("Linux"), "{arguments:?}: {said}");
    }
    assert!(!bench.path("new.unfreed").exists(), "no trace was begun");
}

#[test]
fn the_doctor_says_what_this_machine_can_do() {
    let bench = Bench::new();
    let told = bench.run(["doctor", "--", "cmd"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.out.contains("Event tracing (ETW)"), "{}", told.out);
    assert!(told.out.contains("cmd.exe: any program can be traced"), "{}", told.out);
    assert!(!told.out.contains("/proc"), "{}", told.out);
}
