//! The verbs that watch a program, from outside: what is told before the program runs, what after,
//! and that `doctor` and `mark` know what watching does.

use std::fs;

use serde_json::Value;

use super::{Bench, Told};

/// What cannot be done costs nothing: the trace that was there stays.
#[test]
fn a_wrong_sampling_is_refused_before_anything_is_written() {
    let bench = Bench::new();
    let kept = bench.file("kept.unfreed", b"an older trace");
    for (mean, says) in
        [("12", "write 0 to see them all"), ("half", "is no size: write 4096 or 64KiB")]
    {
        let told = bench.run(&["record", "-o", "kept.unfreed", "--sample", mean, "--", "true"]);
        assert_eq!(told.code, Some(2), "{told:?}");
        assert!(told.err.contains(says), "{told:?}");
        assert_eq!(fs::read(&kept).unwrap(), b"an older trace");
    }
}

/// What is wrong with the order is told before the program runs, not when it has run for an hour.
#[test]
fn a_run_that_could_not_be_told_is_not_begun() {
    let bench = Bench::new();
    bench.file("wrong.toml", b"id = 1");
    let program = ["--", "touch", "ran"];
    for (arguments, says) in [
        (&["run", "--fixes", "."][..], "cannot take in the fixes in ."),
        (&["run", "--output", "no/where"], "cannot write the result to no/where"),
        (&["run", "--output", "."], "cannot write the result to .: it is a directory"),
        (&["record", "--output", "no/where"], "cannot write the trace no/where"),
        (&["record", "--output", "."], "cannot write the trace ."),
    ] {
        let told = bench.run(&[arguments, &program].concat());
        assert_eq!((told.code, told.out.as_str()), (Some(2), ""), "{arguments:?}: {told:?}");
        let said = told.err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(says), "{arguments:?}: {said}");
        assert!(!bench.directory.path().join("ran").exists(), "{arguments:?}");
    }
    let told = bench.run(&[&["run", "--output", "report"][..], &program].concat());
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(bench.directory.path().join("ran").exists());
}

#[test]
fn what_a_trace_has_no_room_for_is_told_even_in_quiet() {
    let bench = Bench::new();
    let long = "x".repeat(70 << 10);
    // The command line is read when the program reports, which it must live to see: who takes the mark has read it.
    for (argument, told_of) in [(long.as_str(), true), ("short", false)] {
        let told = bench.run(&[
            "record",
            "-q",
            "-o",
            "a.unfreed",
            "--",
            "sh",
            "-c",
            "\"$1\" mark seen --to $PPID >&2; :",
            argument,
            env!("CARGO_BIN_EXE_unfreed"),
        ]);
        assert_eq!(told.code, Some(0), "{told:?}");
        let said = told.err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(said.contains("too long for a trace"), told_of, "{said}");
    }
}

#[test]
fn a_mark_that_goes_nowhere_says_what_would_help() {
    use std::os::unix::net::UnixListener;

    let bench = Bench::new();
    let mark = |arguments: &[&str]| {
        let mut command =
            bench.command(&[&["mark", "messages", "--count", "5"], arguments].concat());
        let told =
            Told::from(command.env("XDG_RUNTIME_DIR", bench.directory.path()).output().unwrap());
        assert_eq!((told.code, told.out.as_str()), (Some(2), ""), "{told:?}");
        told.err.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let start = "start the program with `unfreed run`";
    let said = mark(&[]);
    assert!(said.contains("no trace is running") && said.contains(start), "{said}");
    let said = mark(&["--to", "7"]);
    assert!(said.contains("no unfreed with pid 7") && said.contains(start), "{said}");

    let sockets = bench.directory.path().join("unfreed");
    fs::create_dir(&sockets).unwrap();
    let _listeners =
        ["12.sock", "7.sock"].map(|name| UnixListener::bind(sockets.join(name)).unwrap());
    let said = mark(&[]);
    assert!(said.contains("say which with --to PID, where PID is one of 7, 12"), "{said}");
    assert!(!said.contains(start), "{said}");
    let said = mark(&["--to", "8"]);
    assert!(said.contains("no unfreed with pid 8 is tracing"), "{said}");
    assert!(said.contains("the pid of an unfreed that is tracing: 7, 12"), "{said}");
    assert!(!said.contains(start), "{said}");
}

/// What `doctor` says is where tracing puts the agent: the first place that takes programs.
#[test]
fn doctor_and_collector_put_the_agent_in_the_same_place() {
    let bench = Bench::new();
    let own = bench.directory.path().join("own");
    fs::create_dir(&own).unwrap();
    let nowhere = bench.file("file", b"").join("nowhere");
    for place in [&own, &nowhere] {
        let mut doctor = bench.command(&["doctor", "--json"]);
        let told = Told::from(doctor.env("TMPDIR", place).output().unwrap());
        let json: Value = serde_json::from_str(&told.out).unwrap();
        let checks = json["checks"].as_array().unwrap();
        let found = |id: &str| checks.iter().find(|check| check["id"] == id).unwrap();
        let told_of = found("temporary")["found"].as_str().unwrap();
        assert_ne!(told_of, nowhere.to_str().unwrap());
        assert_eq!(found("memfd")["state"], "ok", "{json}");
        let mut run = bench.command(&["run", "--quiet", "--", "sh", "-c", "echo $LD_PRELOAD"]);
        let told = Told::from(
            run.env("TMPDIR", place)
                .env("XDG_RUNTIME_DIR", bench.directory.path())
                .output()
                .unwrap(),
        );
        assert!(told.out.starts_with(&format!("{told_of}/unfreed-")), "{}", told.out);
    }
    assert_eq!(fs::read_dir(&own).unwrap().count(), 0, "nothing is left");
}
