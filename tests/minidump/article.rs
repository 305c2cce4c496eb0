//! A crash of Inetinfo.exe, held against article 900326.

use serde_json::Value;

use crate::made::Dump;
use crate::{analyze, inetinfo, module};

const OLD: [u16; 4] = [6, 5, 7233, 20];
const IN_EXSMTP: u32 = 0x6100_4321;
const IN_NTDLL: u32 = 0x7c80_0042;

/// The one crash, and what is said of the article: its confidence and its reasons.
fn article(dump: &Dump) -> (Value, Option<(f64, Vec<Value>)>) {
    let report = analyze(&dump.build());
    assert_eq!(report["suspects"], serde_json::json!([]), "a crash is no suspect");
    let crash = report["crashes"][0].clone();
    let fixes = crash["fixes"].as_array().unwrap().clone();
    let fix = fixes.iter().find(|fix| fix["id"] == "KB900326").map(|fix| {
        assert_eq!(fix["status"], "possible", "{fix:#}");
        (fix["confidence"].as_f64().unwrap(), fix["reasons"].as_array().unwrap().clone())
    });
    (crash, fix)
}

fn says(reasons: &[Value], clause: &str, standing: &str, text: &str) -> bool {
    reasons.iter().any(|reason| {
        let has = reason["text"].as_str().unwrap().contains(text);
        reason["clause"] == clause && reason["standing"] == standing && has
    })
}

#[test]
fn a_crash_in_a_faulty_file_is_possibly_the_article_s() {
    let (crash, fix) = article(&inetinfo(OLD, IN_EXSMTP));
    assert_eq!(crash["process"], "Inetinfo.exe");
    assert_eq!(crash["pid"], 1480);
    assert_eq!(crash["code"], "0xc0000005");
    assert_eq!(crash["name"], "access violation");
    assert_eq!(crash["address"], "0x61004321");
    assert_eq!(crash["module"]["name"], "EXSMTP.dll");
    assert_eq!(crash["module"]["version"], "6.5.7233.20");
    assert_eq!(crash["stack"][0]["trust"], "context");
    assert_eq!(crash["stack"][1]["trust"], "frame-pointer");
    assert_eq!(crash["stack_complete"], false);
    let (confidence, reasons) = fix.unwrap();
    assert!((confidence - 0.5).abs() < 1e-9, "{confidence}");
    assert!(says(&reasons, "module", "yes", "raised in EXSMTP.dll"), "{reasons:#?}");
    assert!(
        says(&reasons, "version", "yes", "6.5.7233.20 is older than 6.5.7233.31"),
        "{reasons:#?}"
    );
    assert!(says(&reasons, "evidence", "unknown", "names no function"), "{reasons:#?}");
    assert!(says(&reasons, "evidence", "unknown", "one crash proves no cause"), "{reasons:#?}");
    assert!(says(&reasons, "condition", "unknown", "public folder referral"), "{reasons:#?}");
}

#[test]
fn the_further_from_the_files_the_weaker() {
    let innermost = article(&inetinfo(OLD, IN_EXSMTP)).1.unwrap().0;
    let mut dump = inetinfo(OLD, IN_NTDLL);
    dump.returns = vec![0x6200_1111];
    let (on_stack, reasons) = article(&dump).1.unwrap();
    assert!(says(&reasons, "module", "yes", "drviis.dll is on the stack"), "{reasons:#?}");
    let (loaded, reasons) = article(&inetinfo(OLD, IN_NTDLL)).1.unwrap();
    assert!(
        says(&reasons, "module", "unknown", "not on what is known of the stack"),
        "{reasons:#?}"
    );
    let mut dump = inetinfo([0; 4], IN_NTDLL);
    dump.modules.pop();
    let (unknown, _) = article(&dump).1.unwrap();
    assert!(innermost > on_stack && on_stack > loaded && loaded > unknown && unknown > 0.0);
}

#[test]
fn what_contradicts_the_article_excludes_it() {
    let base = inetinfo(OLD, IN_EXSMTP);
    let with = |change: &dyn Fn(&mut Dump)| {
        let mut dump = base.clone();
        change(&mut dump);
        article(&dump).1
    };
    assert!(with(&|_| {}).is_some());
    assert_eq!(
        with(&|dump| dump.modules[0].path = r"C:\other.exe".into()),
        None,
        "another process"
    );
    assert_eq!(
        with(&|dump| dump.exception = Some((0xc000_00fd, IN_EXSMTP))),
        None,
        "another exception"
    );
    assert_eq!(with(&|dump| dump.modules.truncate(2)), None, "none of the files");
    let fixed = [6, 5, 7233, 31];
    let all_fixed =
        |dump: &mut Dump| dump.modules[2..].iter_mut().for_each(|module| module.version = fixed);
    assert_eq!(with(&all_fixed), None, "both are fixed");
    assert!(with(&|dump| dump.modules[2].version = fixed).is_some(), "one of them is not");
    let other = |dump: &mut Dump| {
        dump.modules[2..].iter_mut().for_each(|module| module.version = [6, 0, 6000, 1])
    };
    assert_eq!(with(&other), None, "Exchange 2000's");
}

#[test]
fn a_dump_without_an_exception_accuses_nobody() {
    let mut dump = inetinfo(OLD, IN_EXSMTP);
    dump.exception = None;
    let report = analyze(&dump.build());
    assert_eq!(report["crashes"], serde_json::json!([]));
    assert_eq!(report["conclusive"], false);
}

#[test]
fn what_debugdiag_recorded_is_said_not_to_be_read() {
    let mut dump = inetinfo(OLD, IN_EXSMTP);
    dump.modules.push(module(
        r"C:\Program Files\DebugDiag\LeakTrack.dll",
        0x6300_0000,
        [1, 1, 0, 0],
    ));
    let report = analyze(&dump.build());
    assert_eq!(report["not_traced"][0]["program"], "LeakTrack.dll in Inetinfo.exe (1480)");
    assert!(report["not_traced"][0]["why"].as_str().unwrap().contains("no public format"));
}

#[test]
fn every_fix_that_speaks_of_the_crash_is_listed() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("crash.dmp");
    std::fs::write(&file, inetinfo(OLD, IN_EXSMTP).build()).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_unfreed"));
    let output = command.args(["fixes", "match"]).arg(&file).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("Crash of Inetinfo.exe:") && said.contains("KB900326"), "{said}");
}
