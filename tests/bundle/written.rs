//! A case is there whole or not at all, whatever ends its writing; and is nobody else's to read.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use super::*;

/// What is in a directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_case_that_does_not_fit_leaves_what_was_there() {
    let (home, trace) = written(&story().build());
    let case = home.path().join("case.zip");
    fs::write(&case, "an earlier case").unwrap();
    // The system ends whoever writes more than this to a file, or tells them if they do not listen.
    for signal in ["trap '' XFSZ; ", ""] {
        let limited = format!("{signal}ulimit -f 8; exec \"$@\"");
        let unfreed = env!("CARGO_BIN_EXE_unfreed");
        let mut command = Command::new("sh");
        command.args(["-c", &limited, "sh", unfreed, "report", plain(&trace), "-o", plain(&case)]);
        let output = command.arg("--redact").output().unwrap();
        assert!(!matches!(output.status.code(), Some(0 | 1)), "{signal}: {output:?}");
        assert_eq!(fs::read_to_string(&case).unwrap(), "an earlier case");
        assert_eq!(names(home.path()), ["case.zip", "inetinfo.unfreed"], "{signal}");
    }
}

#[test]
fn a_case_that_is_interrupted_leaves_nothing() {
    let (home, trace) = written(&story().build());
    let pipe = home.path().join("pipe.unfreed");
    support::require!("mkfifo");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let case = home.path().join("case.zip");
    let mut command = Command::new(env!("CARGO_BIN_EXE_unfreed"));
    command.args(["report", plain(&pipe), "-o", plain(&case), "--redact"]);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    // It waits for the rest once it has taken the first half.
    let bytes = fs::read(&trace).unwrap();
    let mut writer = File::options().write(true).open(&pipe).unwrap();
    writer.write_all(&bytes[..bytes.len() / 2]).unwrap();
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupted.unwrap().success());
    let status = child.wait().unwrap();
    drop(writer);
    assert!(!status.success(), "{status}");
    assert_eq!(names(home.path()), ["inetinfo.unfreed", "pipe.unfreed"]);
}

#[test]
fn a_case_that_cannot_be_written_is_told_before_anything_is_read() {
    let (home, trace) = written(&story().build());
    fs::create_dir(home.path().join("directory.zip")).unwrap();
    for output in ["missing/case.zip", "directory.zip"] {
        let output = home.path().join(output);
        let failed = unfreed(&["report", plain(&trace), "-o", plain(&output)]);
        let said = unwrapped(&String::from_utf8_lossy(&failed.stderr));
        assert!(failed.status.code() == Some(2) && said.contains("cannot write"), "{said}");
        assert!(!said.contains("Writing"), "{said}");
    }
}

#[test]
fn a_case_is_its_owners_alone() {
    let (_home, trace) = written(&story().build());
    let mode = fs::metadata(case(&trace, &[])).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_is_shown_is_never_taken_for_an_option() {
    support::require!("mkfifo");
    let (home, trace) = written(&story().build());
    let told = home.path().join("told");
    assert!(Command::new("mkfifo").arg(&told).status().unwrap().success());
    let shows = home.path().join("xdg-open");
    fs::write(&shows, format!("#!/bin/sh\nprintf %s \"$1\" > {}\n", plain(&told))).unwrap();
    fs::set_permissions(&shows, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_unfreed"));
    command.args(["report", plain(&trace), "--output=--x.html", "--open", "-q"]);
    let output = command.current_dir(home.path()).env("PATH", home.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    // Until the other end is closed.
    let shown = fs::read_to_string(&told).unwrap();
    assert_eq!(Path::new(&shown).file_name().unwrap(), "--x.html");
    assert!(Path::new(&shown).is_absolute(), "{shown}");
}
