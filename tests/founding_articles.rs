//! From bytes to the answer: a trace that has a founding article's signature puts that article
//! first, in the state that versions and facts permit.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod synth;
#[path = "founding_articles/traces.rs"]
mod traces;

use std::fs;
use std::process::Command;

use serde_json::Value;
use traces::Target;
use unfreed::event::FactKind::{Product, Setting};

/// What `unfreed analyze --json` says of a trace.
fn analyze(trace: &[u8]) -> Value {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("article.unfreed");
    fs::write(&file, trace).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_unfreed"));
    let output = command.arg("analyze").arg("--json").arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Expects one suspect whose first fix is this one, in this state; `None` expects it in none.
fn expect(trace: &[u8], id: &str, status: Option<&str>) -> Value {
    let report = analyze(trace);
    let suspects = report["suspects"].as_array().unwrap();
    assert_eq!(suspects.len(), 1, "{id}: one suspect: {suspects:#?}");
    let fixes = suspects[0]["fixes"].as_array().unwrap();
    match status {
        Some(status) => {
            assert_eq!(fixes[0]["id"], id, "{fixes:#?}");
            assert_eq!(fixes[0]["status"], status, "{:#?}", fixes[0]["reasons"]);
        }
        None => assert!(fixes.iter().all(|fix| fix["id"] != id), "{fixes:#?}"),
    }
    report
}

#[test]
fn kb896064() {
    for (version, status) in [
        ("6.0.6603.1", Some("applies")),
        ("6.0.6617.63", Some("already-fixed")),
        ("6.5.7226.0", None),
    ] {
        let versions = [("Cdoexm.dll", version)];
        let trace = traces::kb896064(Target { versions: &versions, ..Target::default() });
        let report = expect(&trace, "KB896064", status);
        assert_eq!(report["suspects"][0]["module"]["name"], "Cdoexm.dll");
        assert_eq!(report["suspects"][0]["module"]["version"], version);
    }
}

#[test]
fn kb843523() {
    for (version, status) in [
        ("6.5.7226.0", Some("applies")),
        ("6.5.7232.18", Some("already-fixed")),
        ("11.0.5608.0", None),
    ] {
        let versions = [("Emsmdb32.dll", version)];
        let trace = traces::kb843523(Target { versions: &versions, ..Target::default() });
        expect(&trace, "KB843523", status);
    }
}

#[test]
fn kb891509() {
    let switch = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows Messaging Subsystem\Applications\CleanUpMAPIHeap";
    let (old, new) = ("6.5.7226.0", "6.5.7232.75");
    let state = |cdo, mapi32, facts: &[_], status| {
        let versions = [("Cdo.dll", cdo), ("Mapi32.dll", mapi32)];
        expect(&traces::kb891509(Target { versions: &versions, facts }), "KB891509", status);
    };
    state(old, old, &[], Some("applies"));
    state(new, old, &[], Some("applies"));
    state(new, new, &[], Some("possible"));
    state(new, new, &[(Setting, switch, None)], Some("switch-missing"));
    state(new, new, &[(Setting, switch, Some("0"))], Some("switch-missing"));
    state(new, new, &[(Setting, switch, Some("1"))], Some("already-fixed"));
    state("6.0.6603.0", "1.0.2536.0", &[], None);
}

#[test]
fn kb900326() {
    let (old, new) = ("6.5.7226.0", "6.5.7233.31");
    for (drviis, exsmtp, status) in [
        (old, old, Some("possible")),
        (new, old, Some("possible")),
        (new, new, Some("already-fixed")),
        ("6.0.6603.0", "6.0.6603.0", None),
    ] {
        let versions = [("Drviis.dll", drviis), ("Exsmtp.dll", exsmtp)];
        let trace = traces::kb900326(Target { versions: &versions, ..Target::default() });
        let report = expect(&trace, "KB900326", status);
        assert_eq!(report["suspects"][0]["kind"], "over-release");
    }
}

#[test]
fn q265514() {
    let exchange = "Exchange Server 5.5";
    for (facts, status) in [
        (&[][..], Some("possible")),
        (&[(Product, exchange, Some("SP3"))], Some("applies")),
        (&[(Product, exchange, Some("SP4"))], Some("already-fixed")),
        (&[(Product, "Exchange Server 2003", Some("SP4"))], None),
    ] {
        expect(&traces::q265514(Target { facts, ..Target::default() }), "Q265514", status);
    }
}
