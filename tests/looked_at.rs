//! The reports of the founding articles in a real browser: of the evidence that their servers could give, and of traces with their
//! signatures. What the browser draws stays under the target directory.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![cfg(target_os = "linux")]

#[path = "html/browser.rs"]
mod browser;
mod evidence;
mod support;
mod synth;
#[path = "founding_articles/traces.rs"]
mod traces;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use browser::Browser;
use evidence::leakdiag::{self, Form};
use evidence::{Case, debugger, kb843523, kb891509, kb896064, q265514};
use traces::Target;

/// 2005-03-15 06:30:00 UTC.
const THEN: u64 = 1_110_868_200;
const EVERYWHERE: &[u32] = &[390, 1280, 2560];

/// The page that is made of these recordings.
fn page(files: &[PathBuf]) -> String {
    let output = files[0].with_file_name("report.html");
    let mut command = Command::new(env!("CARGO_BIN_EXE_unfreed"));
    command.arg("report").args(files).arg("-q").arg("-o").arg(&output);
    let finished = command.env_remove("_NT_SYMBOL_PATH").output().unwrap();
    let said = String::from_utf8_lossy(&finished.stderr);
    assert_eq!(finished.status.code(), Some(1), "a suspect: {said}");
    fs::read_to_string(output).unwrap()
}

fn written(home: &Path, name: &str, bytes: &[u8], at: u64) -> PathBuf {
    let path = home.join(name);
    fs::write(&path, bytes).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(at)).unwrap();
    path
}

#[test]
fn the_articles_evidence() {
    let Some(browser) = Browser::find() else { return };
    let cases: [(&str, Case, &str); 4] = [
        ("KB896064", kb896064("6.0.6603.1"), "Cdoexm.dll"),
        ("KB843523", kb843523("6.5.7226.0"), "Emsmdb32.dll"),
        ("KB891509", kb891509("6.5.7226.0"), "Mapi32.dll"),
        ("Q265514", q265514(), "provider.dll"),
    ];
    for (id, case, module) in cases {
        let home = tempfile::tempdir().unwrap();
        let form = Form { symbols: true, split: true };
        let log = |which: usize| {
            let name = format!("{which}.xml");
            let bytes = leakdiag::log(&case, which, form);
            written(home.path(), &name, bytes.as_bytes(), THEN + 3600 * which as u64)
        };
        let list = debugger::modules(&case);
        let list = written(home.path(), "lmv.txt", list.as_bytes(), THEN + 7200);
        let html = page(&[log(0), log(1), list]);
        // Snapshots do not tell how often was allocated.
        for says in [id, module, "id=\"stacks\"", "report.zip</code>", "not known</td>"] {
            assert!(html.contains(says), "{id}: {says}");
        }
        browser.look(&format!("evidence-{id}"), &html, EVERYWHERE);
    }
}

#[test]
fn the_articles_traces() {
    let Some(browser) = Browser::find() else { return };
    let old = |versions| Target { versions, ..Target::default() };
    let all = [
        ("KB896064", traces::kb896064(old(&[("Cdoexm.dll", "6.0.6603.1")]))),
        ("KB843523", traces::kb843523(old(&[("Emsmdb32.dll", "6.5.7226.0")]))),
        ("KB891509", traces::kb891509(old(&[("Mapi32.dll", "6.5.7226.0")]))),
        ("KB900326", traces::kb900326(old(&[("Exsmtp.dll", "6.5.7226.0")]))),
        ("Q265514", traces::q265514(Target::default())),
    ];
    for (id, trace) in all {
        let home = tempfile::tempdir().unwrap();
        let html = page(&[written(home.path(), "one.unfreed", &trace, THEN)]);
        assert!(html.contains(id), "{id}");
        browser.look(&format!("trace-{id}"), &html, EVERYWHERE);
    }
}
