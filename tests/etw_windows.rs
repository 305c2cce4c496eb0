//! The collector on Windows, as far as Wine can show it: sessions that deliver nothing are errors, and what is changed in the
//! registry is put back, whatever becomes of who changed it. That a session delivers is not shown here: Wine has none.
#![cfg(windows)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use unfreed::collect::etw::host::Host;
use unfreed::collect::etw::registry::{Machine, Registry, View, setting};
use unfreed::collect::etw::undo::{self, Undo};

const OPTIONS: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Image File Execution Options";
const VIEWS: [View; 2] = [View::Native, View::Narrow];

fn key(program: &str) -> String {
    format!(r"{OPTIONS}\{program}")
}

/// unfreed, with a place of its own for what it notes.
fn unfreed(place: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unfreed"));
    command.args(arguments).env("ProgramData", place).stdin(Stdio::null());
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    let of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", of(&output.stdout), of(&output.stderr))
}

/// The flags of a program, and whether it has options at all, in both views.
fn state(program: &str) -> Vec<(bool, Option<u32>)> {
    let key = key(program);
    let one = |view| {
        (Machine.has_key(view, &key).unwrap(), Machine.number(view, &key, "TracingFlags").unwrap())
    };
    VIEWS.map(one).to_vec()
}

/// Whether sessions deliver nothing here; a real Windows would need rights, and answer otherwise.
fn is_wine() -> bool {
    let wine = Host::read().is_wine;
    if !wine {
        println!("not under Wine: what it shows of dead sessions is not tested");
    }
    wine
}

#[test]
fn a_session_that_cannot_be_heard_is_an_error_and_leaves_nothing() {
    if !is_wine() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let made = place.path().join("made");
    let line = format!("mkdir {}", made.display());
    let own = std::process::id().to_string();
    let etl = place.path().join("x.etl");
    let trace = place.path().join("x.unfreed");
    let (etl, trace) = (etl.to_str().unwrap(), trace.to_str().unwrap());
    for arguments in [
        &["run", "--", "cmd", "/c", &line][..],
        &["attach", &own],
        &["attach", "--wait", "unfreed-test-awaited.exe"],
        &["record", "-o", etl, "--", "cmd", "/c", &line],
        &["record", "-o", trace, "--attach", &own],
    ] {
        let output = unfreed(place.path(), arguments);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains("nothing can be heard from it (error 5)"), "{said}");
        assert!(said.contains("event tracing does not work here"), "{said}");
        assert!(said.contains("docs/windows.md"), "{said}");
        assert!(!said.contains("No leak"), "{said}");
        // The program was never let run: nothing would have been seen of it.
        assert!(!made.exists());
    }
    assert!(!Path::new(etl).exists() && !Path::new(trace).exists(), "no trace was begun");
    assert_eq!(undo::left(&place.path().join("unfreed")), 0);
    assert_eq!(state("unfreed-test-awaited.exe"), [(false, None); 2]);
}

#[test]
fn who_is_not_there_cannot_be_attached_to() {
    let place = tempfile::tempdir().unwrap();
    for who in ["no-such-program.exe", "4294967292"] {
        let output = unfreed(place.path(), &["attach", who]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("there is no process {who}")), "{said}");
    }
    for arguments in [
        &["run", "--scan", "--", "cmd"][..],
        &["run", "--sample", "1M", "--", "cmd"],
        &["attach", "--triage", "cmd.exe"],
        &["attach", "--sample", "1M", "cmd.exe"],
        &["attach", "--wait", "4711"],
        &["mark", "x"],
    ] {
        let output = unfreed(place.path(), arguments);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        // Not for a session that failed: nothing was tried.
        assert!(!said.contains("cannot trace"), "{arguments:?}: {said}");
    }
}

/// A run that holds a flag, ended in the middle.
fn killed(directory: &Path, program: &str) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "holds_a_flag_for_whoever_kills_it", "--ignored", "--nocapture"])
        .env("HOLD_IN", directory)
        .env("HOLD", program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("holding")));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
#[ignore = "a part of others, which end it"]
fn holds_a_flag_for_whoever_kills_it() {
    let (Some(directory), Ok(program)) = (std::env::var_os("HOLD_IN"), std::env::var("HOLD"))
    else {
        return;
    };
    let sessions = vec![format!("unfreed heap {}", std::process::id())];
    let _undo = Undo::begin(Path::new(&directory), sessions, &[program]).unwrap();
    println!("\nholding");
    // Until it is killed: nothing is ever written to it.
    let _ = std::io::stdin().read_line(&mut String::new());
}

#[test]
fn a_flag_is_put_back_by_whoever_set_it() {
    let place = tempfile::tempdir().unwrap();
    let program = "unfreed-test-own.exe";
    let before = state(program);
    assert_eq!(before, [(false, None); 2]);
    let undo = Undo::begin(place.path(), Vec::new(), &[program.to_owned()]).unwrap();
    assert_eq!(state(program), [(true, Some(1)); 2]);
    // A second one that waits for the same would put back what the first one set.
    let second = Undo::begin(place.path(), Vec::new(), &[program.to_uppercase()]).unwrap_err();
    assert!(second.to_string().contains("waits for it already"), "{second}");
    assert_eq!(undo::left(place.path()), 0, "who runs has left nothing");
    drop(undo);
    assert_eq!(state(program), before);
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn a_flag_is_put_back_by_a_run_that_fails() {
    let place = tempfile::tempdir().unwrap();
    let program = "unfreed-test-failed.exe";
    let failed = std::panic::catch_unwind(|| {
        let _undo = Undo::begin(place.path(), Vec::new(), &[program.to_owned()]).unwrap();
        assert_eq!(state(program), [(true, Some(1)); 2]);
        panic!("as a run that fails");
    });
    assert!(failed.is_err());
    assert_eq!(state(program), [(false, None); 2]);
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn what_a_killed_run_left_is_put_back_by_the_doctor() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("unfreed");
    let program = "unfreed-test-doctor.exe";
    killed(&directory, program);
    assert_eq!(state(program), [(true, Some(1)); 2]);
    let look = unfreed(place.path(), &["doctor", "--json"]);
    let looked: serde_json::Value = serde_json::from_slice(&look.stdout).unwrap();
    let left =
        looked["checks"].as_array().unwrap().iter().find(|check| check["id"] == "left-behind");
    assert_eq!(left.unwrap()["state"], "limited");
    let repaired = unfreed(place.path(), &["doctor", "--repair"]);
    let text = said(&repaired);
    assert_eq!(repaired.status.code(), Some(0), "{text}");
    assert!(text.contains(&format!("{program}: its tracing flag is as it was before")), "{text}");
    assert_eq!(state(program), [(false, None); 2]);
    let again = said(&unfreed(place.path(), &["doctor", "--repair"]));
    assert!(again.contains("Nothing was left behind"), "{again}");
}

#[test]
fn what_a_killed_run_left_is_put_back_by_the_next_start() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("unfreed");
    let program = "unfreed-test-start.exe";
    // Somebody had options there before, in one view or both: they must stay.
    for view in VIEWS {
        Machine.set_number(view, &key(program), "TracingFlags", 6).unwrap();
        Machine.set_number(view, &key(program), "GlobalFlag", 0x1000).unwrap();
    }
    killed(&directory, program);
    assert_eq!(state(program), [(true, Some(7)); 2]);
    let own = std::process::id().to_string();
    drop(unfreed(place.path(), &["attach", &own, "--duration", "1s"]));
    let after = state(program);
    let others = VIEWS.map(|view| Machine.number(view, &key(program), "GlobalFlag").unwrap());
    for view in VIEWS {
        Machine.remove_value(view, &key(program), "TracingFlags").unwrap();
        Machine.remove_value(view, &key(program), "GlobalFlag").unwrap();
        Machine.remove_empty_key(view, &key(program)).unwrap();
    }
    assert_eq!(after, [(true, Some(6)); 2]);
    assert_eq!(others, [Some(0x1000); 2]);
    assert_eq!(undo::left(&directory), 0);
    assert_eq!(state(program), [(false, None); 2]);
}

#[test]
fn a_note_that_is_not_ours_touches_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("unfreed");
    std::fs::create_dir_all(&directory).unwrap();
    // A program's name that leads elsewhere, and a session of somebody else's.
    let note = r#"{"pid": 4294967292, "began": 1, "sessions": ["EventLog-Security"],
        "flags": [{"program": "..\\Winlogon", "view": "native", "had_key": true, "flags": 1}]}"#;
    std::fs::write(directory.join("4294967292-1.trail.json"), note).unwrap();
    let repaired = unfreed(place.path(), &["doctor", "--repair"]);
    assert_eq!(repaired.status.code(), Some(0), "{}", said(&repaired));
    let winlogon = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon";
    assert_eq!(Machine.number(View::Native, winlogon, "TracingFlags").unwrap(), None);
}

#[test]
fn a_session_that_cannot_be_stopped_keeps_no_flag_set() {
    let place = tempfile::tempdir().unwrap();
    let program = "unfreed-test-stuck.exe";
    // No session can have so long a name.
    let sessions = vec![format!("unfreed {}", "x".repeat(1024))];
    let undo = Undo::begin(place.path(), sessions, &[program.to_owned()]).unwrap();
    assert_eq!(state(program), [(true, Some(1)); 2]);
    undo.put_flags_back();
    assert_eq!(state(program), [(false, None); 2]);
    for view in VIEWS {
        Machine.set_number(view, &key(program), "TracingFlags", 1).unwrap();
    }
    drop(undo);
    assert_eq!(state(program), [(false, None); 2]);
    // And there is still something to be done, which is said.
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn settings_are_read_on_the_spot() {
    let key = r"SOFTWARE\unfreed test";
    let name = |value: &str| format!(r"HKEY_LOCAL_MACHINE\{key}\{value}");
    assert_eq!(setting(&name("Absent")), Some(None));
    Machine.set_number(View::Native, key, "CleanUpMAPIHeap", 1).unwrap();
    Machine.set_number(View::Narrow, key, "Narrow", 7).unwrap();
    let (one, other) = (setting(&name("CleanUpMAPIHeap")), setting(&name("Narrow")));
    let absent = setting(&name("Absent"));
    for view in VIEWS {
        Machine.remove_value(view, key, "CleanUpMAPIHeap").unwrap();
        Machine.remove_value(view, key, "Narrow").unwrap();
        Machine.remove_empty_key(view, key).unwrap();
    }
    assert_eq!(one, Some(Some("1".to_owned())));
    assert_eq!(other, Some(Some("7".to_owned())));
    assert_eq!(absent, Some(None));
    assert_eq!(setting("ZendOption"), None);
    assert_eq!(setting(r"HKEY_USERS\x\y"), None);
}

#[test]
fn a_module_of_this_machine_has_a_version() {
    use unfreed::collect::etw::ffi::{Seen, drives};
    use unfreed::collect::etw::paths::Drives;
    use unfreed::names::{PackageIndex, identify};
    let drives = Drives::of(drives());
    let modules = Seen::open(std::process::id()).unwrap().modules();
    let kernel = modules.iter().find(|one| one.path.to_lowercase().ends_with(r"\kernel32.dll"));
    let path = drives.path(&kernel.unwrap().path);
    let identity = identify(Path::new(&path), &PackageIndex::load(Path::new("/")));
    assert!(identity.file_version.is_some(), "{path}: {identity:?}");
    let size = identity.pe.unwrap().image_size;
    assert_eq!(u64::from(size), kernel.unwrap().size);
}
