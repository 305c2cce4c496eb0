//! The worked case of `docs/case-896064.md`: its commands are run on the evidence that it tells of, and give what it prints.
//! `UNFREED_UPDATE_DOCS=1` writes what they give into it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![cfg(target_os = "linux")]

mod evidence;
#[path = "counters/table.rs"]
mod table;

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use evidence::leakdiag::Form;
use evidence::{Case, debugger, kb896064, leakdiag};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/case-896064.md");

/// 2006-03-15 06:30:00 UTC, 22:30 of the day before where the server stood.
const BEGAN: u64 = 1_142_404_200;
const HOUR: u64 = 3600;

/// The evidence: three logs, an hour apart, the versions, and the counters of that time.
fn server(home: &Path) {
    let before = kb896064("6.0.6603.1");
    logs(home, "before", &before, [120, 3120, 6120], BEGAN);
    logs(home, "after", &kb896064("6.0.6617.63"), [120, 120, 120], BEGAN + 48 * HOUR);
    let rows_an_hour = 4 * 60;
    let process = table::Process {
        program: "mailboxes",
        pid: 1640,
        rows: 0..2 * rows_an_hour + 20,
        private: 9_000_000,
        growth: u64::from(before.stacks[0].size * 3000 / rows_an_hour),
        managed: None,
    };
    let counters = table::write(std::slice::from_ref(&process), process.rows.end, table::RELOG);
    fs::write(home.join("counters.csv"), counters).unwrap();
}

/// Logs with so many blocks of the leaking stack, and the versions.
fn logs(home: &Path, name: &str, case: &Case, blocks: [u32; 3], began: u64) {
    let write = |file: String, text: String, at: u64| {
        let path = home.join(file);
        fs::write(&path, text).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(at)).unwrap();
    };
    for (hour, blocks) in blocks.into_iter().enumerate() {
        let mut case = case.clone();
        case.stacks[0].blocks[0] = blocks;
        let log = leakdiag::log(&case, 0, Form { symbols: true, split: true });
        write(format!("{name}-{}.xml", hour + 1), log, began + HOUR * hour as u64);
    }
    write(format!("{name}-lmv.txt"), debugger::modules(case), began + 2 * HOUR + 60);
}

/// What a command of the document gives, its results before its messages.
fn given(home: &Path, command: &str) -> String {
    let shell = format!(
        "PATH={}:$PATH; {command}",
        Path::new(env!("CARGO_BIN_EXE_unfreed")).parent().unwrap().display()
    );
    let output = Command::new("sh")
        .args(["-c", &shell])
        .current_dir(home)
        .env_remove("_NT_SYMBOL_PATH")
        .env("USER", "jdoe")
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Without what differs from machine to machine: `environment.txt` is in a case, tells of the machine, and has names to be replaced.
fn alike(text: &str) -> String {
    if !text.starts_with("Writing ") {
        return text.to_owned();
    }
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (from, to) in [(" parts, ", " before compression"), ("Replaced: ", ". Keep")] {
        let Some(from) = words.find(from).map(|at| at + from.len()) else { continue };
        let to = words[from..].find(to).unwrap() + from;
        words.replace_range(from..to, "");
    }
    words
}

#[test]
fn the_worked_case_prints_what_its_commands_give() {
    let home = tempfile::tempdir().unwrap();
    server(home.path());
    let document = fs::read_to_string(DOCUMENT).unwrap();
    let update = std::env::var_os("UNFREED_UPDATE_DOCS").is_some();
    let mut written = String::new();
    let mut commands = 0;
    let mut lines = document.lines().peekable();
    while let Some(line) = lines.next() {
        written.push_str(&format!("{line}\n"));
        let Some(command) = line.strip_prefix("$ ") else { continue };
        commands += 1;
        let mut printed = String::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with("$ ") && *line != "```") {
            printed.push_str(&format!("{line}\n"));
        }
        let given = given(home.path(), command);
        assert!(update || alike(&given) == alike(&printed), "$ {command}\n{given}---\n{printed}");
        written.push_str(&given);
    }
    assert!(commands > 4, "the document's commands were found: {commands}");
    if update {
        fs::write(DOCUMENT, written).unwrap();
    }
}
