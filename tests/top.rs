//! `unfreed top` in a real terminal, which tmux is: keys are sent, the screen is read. Waiting is for text, never for a time.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod attached;
// What takes the terminal wants it here.
#[path = "../src/cli/fail.rs"]
#[allow(dead_code, reason = "no failure is told")]
mod fail;
#[path = "top/given_back.rs"]
mod given_back;
mod support;
mod traced;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::process::{LIMIT, Running, run};
use support::programs;
use support::signal::{self, Signal};
use support::terminal::{PATIENCE, POLL, Terminal};

/// Columns and rows.
const SIZE: (u16, u16) = (110, 32);

/// Runs `unfreed` with arguments in a terminal.
fn start(tmux: PathBuf, arguments: &str) -> Terminal {
    start_in("", tmux, arguments)
}

/// With variables of the shell before the command.
fn start_in(variables: &str, tmux: PathBuf, arguments: &str) -> Terminal {
    let unfreed = env!("CARGO_BIN_EXE_unfreed");
    Terminal::start(tmux, SIZE, &format!("{variables} {unfreed} {arguments}"))
}

/// A result's suspects, but for where their names were found: a case has them recorded.
fn suspects(json: &[u8]) -> Value {
    let mut report: Value = serde_json::from_slice(json).unwrap();
    let mut suspects = report["suspects"].take();
    for suspect in suspects.as_array_mut().unwrap() {
        for frame in suspect["stack"].as_array_mut().unwrap() {
            frame.as_object_mut().unwrap().remove("found").unwrap();
        }
    }
    suspects
}

fn analyzed(trace: &Path) -> Vec<u8> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unfreed"));
    let finished = run(command.arg("analyze").arg("--json").arg(trace), LIMIT);
    assert_eq!(finished.code(), Some(1), "{}", finished.err());
    finished.stdout
}

/// The functions of a result's suspects.
fn functions(json: &[u8]) -> Vec<String> {
    let report: Value = serde_json::from_slice(json).unwrap();
    let suspects = report["suspects"].as_array().unwrap();
    suspects.iter().map(|suspect| suspect["function"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_leaking_program_from_its_first_message_to_its_report() {
    let tmux = support::require!("tmux");
    let leaks = programs::c("leaks");
    let terminal = start(
        tmux,
        &format!("top -o t.trace --json --output r.json -- {} 100000 writes", leaks.display()),
    );
    terminal.shows("2 Suspects (1)");
    terminal.keys(&["2"]);
    let suspects = terminal.shows("by importance");
    assert!(suspects.contains("keep_message"), "{suspects}");
    terminal.keys(&["Enter"]);
    terminal.shows("Suspect 1 of 1");
    // What was copied is where the terminal keeps it.
    terminal.ask(&["set-option", "-s", "set-clipboard", "on"]);
    terminal.keys(&["y"]);
    terminal.shows("The stack was sent");
    terminal.until("copied stack", |_| {
        let copied = terminal.ask(&["show-buffer"]).stdout;
        String::from_utf8_lossy(&copied).contains("keep_message [leaks]")
    });
    terminal.keys(&["m"]);
    terminal.keys(&["-l", "100 messages"]);
    terminal.shows("100 messages_");
    terminal.keys(&["Enter"]);
    terminal.shows("Since mark");
    terminal.keys(&["4"]);
    terminal.shows("[keep_message [leaks]");
    terminal.keys(&["b"]);
    let screen = terminal.shows("Live bytes by module");
    assert!(screen.contains("[leaks ") && !screen.contains("keep_message"), "{screen}");
    terminal.keys(&["w"]);
    terminal.shows("Wrote unfreed-report-1.html.");
    let page = fs::read_to_string(terminal.path("unfreed-report-1.html")).unwrap();
    assert!(page.contains("keep_message"));
    assert!(page.contains("unfreed report t.trace -o case.zip"));
    terminal.keys(&["1"]);
    terminal.shows("Mark at ");
    // Smaller and larger, while it runs.
    for (columns, rows) in [("60", "20"), ("150", "45")] {
        terminal.ask(&["resize-window", "-x", columns, "-y", rows]);
        terminal.until("last line", |screen| {
            let lines: Vec<&str> = screen.trim_end().lines().collect();
            lines.len() == rows.parse::<usize>().unwrap()
                && lines.last().unwrap().contains("j k scroll")
        });
    }
    assert!(!terminal.screen().contains("TORN"), "what the program writes stays off the screen");
    terminal.keys(&["q"]);
    terminal.shows("The program still runs.");
    terminal.keys(&["e"]);
    let after = terminal.shows("icanon");
    assert!(after.contains("exit=1") && after.contains("Recorded t.trace"), "{after}");
    assert!(after.contains(" icanon") && !after.contains("-icanon"), "{after}");
    assert!(!after.contains("1 Overview"), "the screen is as before: {after}");
    let json = fs::read(terminal.path("r.json")).unwrap();
    assert!(analyzed(&terminal.path("t.trace")) == json, "top and analyze differ");
    assert_eq!(functions(&json), ["keep_message"]);
}

#[test]
fn a_program_that_runs_is_attached_to_and_let_go() {
    let tmux = support::require!("tmux");
    attached::require_attach!();
    let leaking = Running::start(Command::new(programs::c("leaks")).arg("100000"));
    let pid = leaking.pid();
    let arguments = format!("top --attach {pid} -o t.trace --json --output r.json");
    let terminal = start(tmux, &arguments);
    terminal.shows("2 Suspects (1)");
    terminal.keys(&["2"]);
    let suspects = terminal.shows("by importance");
    assert!(suspects.contains("keep_message"), "{suspects}");
    terminal.keys(&["q"]);
    terminal.shows("The program still runs.");
    terminal.keys(&["e"]);
    let after = terminal.shows("icanon");
    assert!(after.contains("exit=1") && after.contains("Recorded t.trace"), "{after}");
    assert!(Path::new(&format!("/proc/{pid}/exe")).exists(), "it runs on");
    let json = fs::read(terminal.path("r.json")).unwrap();
    assert!(analyzed(&terminal.path("t.trace")) == json, "top and analyze differ");
    assert_eq!(functions(&json), ["keep_message"]);
}

#[test]
fn a_replay_ends_with_what_analyze_says() {
    let tmux = support::require!("tmux");
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("t.trace");
    let mut record = Command::new(env!("CARGO_BIN_EXE_unfreed"));
    record.arg("record").arg("-o").arg(&trace).arg("--").arg(programs::c("leaks")).arg("4000");
    assert_eq!(run(&mut record, LIMIT).code(), Some(0));
    let said = analyzed(&trace);
    for speed in ["max", "10"] {
        let arguments = format!("top --speed {speed} --json --output r.json {}", trace.display());
        let terminal = start(tmux.clone(), &arguments);
        terminal.shows("| ended |");
        terminal.keys(&["2"]);
        let screen = terminal.shows("by importance");
        for function in functions(&said) {
            assert!(screen.contains(&function), "{function} is not on\n{screen}");
        }
        assert!(screen.contains(&format!("2 Suspects ({})", functions(&said).len())), "{screen}");
        terminal.keys(&["w"]);
        let screen = terminal.shows("Wrote unfreed-case-1.zip.");
        assert!(!screen.contains("Writing") && screen.contains("by importance"), "{screen}");
        assert_eq!(suspects(&analyzed(&terminal.path("unfreed-case-1.zip"))), suspects(&said));
        terminal.keys(&["q"]);
        terminal.shows("exit=1");
        assert!(fs::read(terminal.path("r.json")).unwrap() == said, "speed {speed}");
    }
}

#[test]
fn a_recorded_program_becomes_a_case_once_it_has_ended() {
    let tmux = support::require!("tmux");
    let leaks = programs::c("leaks");
    let arguments = format!("top -o t.trace --json --output r.json -- {} 4000", leaks.display());
    let terminal = start(tmux, &arguments);
    terminal.shows("| ended |");
    for n in 1..3 {
        terminal.keys(&["w"]);
        terminal.shows(&format!("Wrote unfreed-case-{n}.zip."));
    }
    terminal.keys(&["q"]);
    terminal.shows("exit=1");
    let json = fs::read(terminal.path("r.json")).unwrap();
    let case = terminal.path("unfreed-case-2.zip");
    assert_eq!(suspects(&analyzed(&case)), suspects(&json));
    assert_eq!(functions(&json), ["keep_message"]);
    assert!(!terminal.path("unfreed-report-1.html").exists());
}

#[test]
fn what_cannot_be_read_again_becomes_a_report() {
    let tmux = support::require!("tmux");
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("t.trace");
    let mut record = Command::new(env!("CARGO_BIN_EXE_unfreed"));
    record.arg("record").arg("-o").arg(&trace).arg("--").arg(programs::c("leaks")).arg("4000");
    assert_eq!(run(&mut record, LIMIT).code(), Some(0));
    let pipe = directory.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let terminal = start(tmux, &format!("top {}", pipe.display()));
    fs::write(&pipe, fs::read(&trace).unwrap()).unwrap();
    terminal.shows("| ended |");
    terminal.keys(&["w"]);
    terminal.shows("Wrote unfreed-report-1.html.");
    let page = fs::read_to_string(terminal.path("unfreed-report-1.html")).unwrap();
    assert!(page.contains("keep_message"));
}

/// What a draw begins with, whatever changed: the cursor is hidden.
const DRAWN: &[u8] = b"\x1b[?25l";
/// The whole screen is emptied, which is seen as a flicker.
const EMPTIED: &[u8] = b"\x1b[2J";

fn count(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).filter(|window| *window == what).count()
}

#[test]
fn however_much_happens_the_screen_is_calm() {
    let tmux = support::require!("tmux");
    let leaks = programs::c("leaks");
    let terminal = start(tmux, &format!("top -- {} 100000", leaks.display()));
    terminal.shows("2 Suspects (1)");
    let written = terminal.path("written");
    let began = Instant::now();
    terminal.ask(&["pipe-pane", "-O", &format!("cat > {}", written.display())]);
    // Each key changes the view, and so most of the screen.
    while began.elapsed() < Duration::from_secs(3) {
        terminal.keys(&["Tab"; 20]);
    }
    terminal.keys(&["2"]);
    terminal.shows("by importance");
    terminal.ask(&["pipe-pane"]);
    let lasted = began.elapsed().as_secs_f64();
    let written = fs::read(written).unwrap();
    let drawn = count(&written, DRAWN);
    assert!(drawn >= 3, "nothing was counted: {drawn}");
    assert!(drawn as f64 <= lasted * 10.0 + 1.0, "drawn {drawn} times in {lasted} s");
    assert_eq!(count(&written, EMPTIED), 0, "it flickers");
}

#[test]
fn the_mouse_is_heard() {
    let tmux = support::require!("tmux");
    let leaks = programs::c("leaks");
    let terminal = start(tmux, &format!("top -- {} 100000", leaks.display()));
    terminal.shows("2 Suspects (1)");
    // As terminals say it: the left button, column, row, from 1.
    terminal.keys(&["-l", "\x1b[<0;18;1M"]);
    terminal.shows("by importance");
    terminal.keys(&["-l", "\x1b[<0;8;5M"]);
    terminal.shows("Suspect 1 of 1");
    // The wheel, down.
    let before = terminal.screen();
    terminal.keys(&["-l", "\x1b[<65;8;5M"]);
    terminal.until("other lines", |screen| screen.lines().nth(2) != before.lines().nth(2));
}

#[test]
fn no_colour_where_none_is_wanted_and_the_terminals_own_elsewhere() {
    let tmux = support::require!("tmux");
    let leaks = programs::c("leaks");
    for (variables, arguments, colored) in
        [("", "", true), ("", "--no-color", false), ("NO_COLOR=1", "", false)]
    {
        let arguments = format!("top {arguments} -- {} 100000", leaks.display());
        let terminal = start_in(variables, tmux.clone(), &arguments);
        terminal.shows("2 Suspects (1)");
        let screen = terminal.ask(&["capture-pane", "-p", "-e"]).stdout;
        let screen = String::from_utf8_lossy(&screen);
        let codes = screen.split("\x1b[").skip(1).filter_map(|rest| rest.split_once('m'));
        // 39 and 49 give back what the terminal has by itself.
        let colors: Vec<&str> = codes
            .map(|(codes, _)| codes)
            .filter(|codes| {
                codes
                    .split(';')
                    .any(|code| matches!(code.parse(), Ok(30..=38 | 40..=48 | 90..=107)))
            })
            .collect();
        assert_eq!(!colors.is_empty(), colored, "{variables} {arguments}: {colors:?}");
        // The terminal's own sixteen, as ink on its own ground.
        let own = |codes: &&str| match codes.rsplit_once("38;5;") {
            Some((_, color)) => color.parse().is_ok_and(|color: u8| color < 16),
            None => {
                codes.split(';').all(|code| !matches!(code.parse(), Ok(38 | 40..=48 | 100..=107)))
            }
        };
        assert!(colors.iter().all(own), "{colors:?}");
    }
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let tmux = support::require!("tmux");
    let leaks = programs::c("leaks");
    let terminal = start(tmux, &format!("top -- {} 100000", leaks.display()));
    terminal.shows("2 Suspects (1)");
    assert!(signal::send(terminal.dashboard(), Signal::Terminate));
    let after = terminal.shows("icanon");
    assert!(
        after.contains("exit=1") && after.contains(" icanon") && !after.contains("-icanon"),
        "{after}"
    );
}

#[test]
fn a_program_that_is_let_run_is_told_of_signals_until_it_ends() {
    let tmux = support::require!("tmux");
    let leaks = programs::c("leaks");
    let terminal = start(tmux, &format!("top -o t.trace -- {} 100000", leaks.display()));
    terminal.shows("2 Suspects (1)");
    terminal.keys(&["q"]);
    terminal.shows("The program still runs.");
    terminal.keys(&["l"]);
    let after = terminal.shows("Recorded t.trace");
    assert!(!after.contains("exit="), "{after}");
    assert_eq!(functions(&analyzed(&terminal.path("t.trace"))), ["keep_message"]);
    assert!(signal::send(terminal.dashboard(), Signal::Terminate));
    terminal.shows("exit=1");
}

#[test]
fn recording_goes_on_without_the_terminal() {
    let tmux = support::require!("tmux");
    let leaks = programs::c("leaks");
    let directory = tempfile::tempdir().unwrap();
    let (trace, result) = (directory.path().join("t.trace"), directory.path().join("r.json"));
    let arguments = format!(
        "top -o {} --json --output {} -- {} 6000",
        trace.display(),
        result.display(),
        leaks.display()
    );
    let terminal = start(tmux, &arguments);
    terminal.shows("2 Suspects (1)");
    drop(terminal);
    let began = Instant::now();
    while !result.exists() {
        assert!(began.elapsed() < PATIENCE, "no result");
        std::thread::sleep(POLL);
    }
    let json = fs::read(&result).unwrap();
    assert!(analyzed(&trace) == json);
    let report: Value = serde_json::from_slice(&json).unwrap();
    let suspect = &report["suspects"][0];
    assert_eq!(suspect["live_blocks"], 6000, "all of its messages were seen: {suspect}");
}

#[test]
fn without_a_terminal_it_says_what_to_do_instead() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unfreed"));
    let finished = run(command.args(["top", "--", "true"]), LIMIT);
    assert_eq!(finished.code(), Some(2));
    assert!(finished.err().contains("top needs a terminal"), "{}", finished.err());
    assert!(finished.err().contains("unfreed run"), "{}", finished.err());
}
