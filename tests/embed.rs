//! Names and where they come from: put into the trace, found in files, or honestly absent. A file
//! that was rebuilt since is never asked.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use support::process::{Finished, LIMIT, run};
use support::programs::{self, Archiver};

const UNFREED: &str = env!("CARGO_BIN_EXE_unfreed");
const BLAMED: &str = "archiver::Archive::remember_sender(char const*)";

/// A server and its plug-in in a directory of their own, to be moved away.
struct Installed {
    directory: tempfile::TempDir,
    arguments: Vec<String>,
}

impl Installed {
    fn new() -> Installed {
        let directory = tempfile::tempdir().unwrap();
        let command = programs::server(Archiver::Leaking, 8_000, 2);
        fs::create_dir(directory.path().join("bin")).unwrap();
        let installed = Installed { directory, arguments: Vec::new() };
        fs::copy(command.get_program(), installed.server()).unwrap();
        fs::copy(Archiver::Leaking.build(), installed.plug_in()).unwrap();
        let mut arguments: Vec<_> =
            command.get_args().map(|argument| argument.to_str().unwrap().to_owned()).collect();
        let at = arguments.iter().position(|argument| argument == "--plugin").unwrap();
        arguments[at + 1] = installed.plug_in().to_str().unwrap().to_owned();
        arguments.extend(["--rate", "2000"].map(str::to_owned));
        Installed { arguments, ..installed }
    }

    fn server(&self) -> PathBuf {
        self.directory.path().join("bin/server")
    }

    fn plug_in(&self) -> PathBuf {
        self.directory.path().join("bin/libarchiver.so")
    }

    fn record(&self, options: &[&str]) -> PathBuf {
        let trace = self.directory.path().join(format!("trace{}", options.concat()));
        let mut record = Command::new(UNFREED);
        record.args(["record", "--quiet", "--output"]).arg(&trace).args(options).arg("--");
        run(record.arg(self.server()).args(&self.arguments), LIMIT).expect_code(0);
        trace
    }

    /// Makes both files unavailable.
    fn take_away(&self) {
        let directory = self.directory.path();
        fs::rename(directory.join("bin"), directory.join("elsewhere")).unwrap();
    }
}

/// The one suspect, and what was told besides.
fn analyze(trace: &Path) -> (Value, Finished) {
    let mut command = Command::new(UNFREED);
    // No server may know what the files do not say.
    command.args(["analyze", "--json", "--verbose"]).arg(trace).env_remove("DEBUGINFOD_URLS");
    let finished = run(&mut command, LIMIT).expect_code(1);
    let report: Value = serde_json::from_slice(&finished.stdout).unwrap();
    assert_eq!(report["faults"], json!([]));
    let suspects = report["suspects"].as_array().unwrap();
    assert_eq!(suspects.len(), 1, "{suspects:#?}");
    (suspects[0].clone(), finished)
}

/// The frames of a stack with what is said of them, but not where names were found.
fn said(suspect: &Value) -> Vec<Value> {
    let frames = suspect["stack"].as_array().unwrap().iter();
    let said = frames.map(|frame| {
        let fields = ["module", "function", "file", "line", "address", "inlined", "blame"];
        json!(fields.map(|field| &frame[field]))
    });
    said.collect()
}

/// The frames in a module.
fn frames<'a>(suspect: &'a Value, module: &str) -> Vec<&'a Value> {
    let stack = suspect["stack"].as_array().unwrap();
    let frames: Vec<_> = stack.iter().filter(|frame| frame["module"] == json!(module)).collect();
    assert!(!frames.is_empty(), "no frame in {module}");
    frames
}

#[test]
fn embedded_names_outlive_the_files() {
    support::require!("c++");
    let installed = Installed::new();
    let plain = installed.record(&[]);
    let embedded = installed.record(&["--embed-symbols"]);
    let (with_files, _) = analyze(&plain);
    assert_eq!(with_files["function"], json!(BLAMED));

    installed.take_away();
    let (suspect, _) = analyze(&embedded);
    assert_eq!(suspect["function"], json!(BLAMED));
    assert_eq!(suspect["module"]["version"], json!("1.2.0"));
    assert_eq!(said(&suspect), said(&with_files), "the same names as from the files");
    for frame in frames(&suspect, "libarchiver.so").into_iter().chain(frames(&suspect, "server")) {
        assert_eq!(frame["found"], json!("recorded"), "{frame:#}");
    }

    let (suspect, _) = analyze(&plain);
    let blamed = frames(&suspect, "libarchiver.so")[0];
    assert_eq!(blamed["blame"], json!(true));
    let place = format!("libarchiver.so+{}", blamed["address"].as_str().unwrap());
    assert_eq!(suspect["function"], json!(place));
    assert_eq!(suspect["module"]["version"], json!("1.2.0"), "identified when it was recorded");
    for frame in frames(&suspect, "libarchiver.so").into_iter().chain(frames(&suspect, "server")) {
        assert_eq!((&frame["function"], &frame["found"]), (&Value::Null, &Value::Null));
    }
}

#[test]
fn a_rebuilt_file_gives_no_names() {
    support::require!("c++");
    let installed = Installed::new();
    let trace = installed.record(&[]);
    let (suspect, told) = analyze(&trace);
    assert_eq!(suspect["function"], json!(BLAMED));
    assert!(!told.err().contains("libarchiver.so"), "{}", told.err());

    // The next release is installed in its place.
    fs::remove_file(installed.plug_in()).unwrap();
    fs::copy(Archiver::Fixed.build(), installed.plug_in()).unwrap();
    let (suspect, told) = analyze(&trace);
    for frame in frames(&suspect, "libarchiver.so") {
        assert_eq!(frame["function"], Value::Null, "a name from another build");
    }
    assert!(suspect["function"].as_str().unwrap().starts_with("libarchiver.so+0x"));
    assert_eq!(suspect["module"]["version"], json!("1.2.0"));
    for frame in frames(&suspect, "server") {
        assert!(frame["function"].is_string(), "the server is the same file");
    }
    let told: String = told.err().split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted = suspect["module"]["build_id"].as_str().unwrap();
    assert!(told.contains("bin/libarchiver.so: file changed since the trace"), "{told}");
    assert!(told.contains(wanted), "{told}");

    // Whoever kept the old file can point at it.
    let kept = tempfile::tempdir().unwrap();
    fs::copy(Archiver::Leaking.build(), kept.path().join("libarchiver.so")).unwrap();
    let mut command = Command::new(UNFREED);
    command.args(["analyze", "--json", "--symbols"]).arg(kept.path()).arg(&trace);
    let finished = run(&mut command, LIMIT).expect_code(1);
    let report: Value = serde_json::from_slice(&finished.stdout).unwrap();
    assert_eq!(report["suspects"][0]["function"], json!(BLAMED));
}
