//! From a difference to the article: what `unfreed analyze` says of it. A log of UMDH holds no file
//! versions, so that a fix with one is possible, and the version is what is not known.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::evidence::umdh::{Form, USUAL, difference};
use super::evidence::{Case, kb843523, kb891509, kb896064, q265514};

pub fn analyze(text: &str) -> Value {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("log.txt");
    fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_unfreed"));
    let output = command.arg("analyze").arg("--json").arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn each_article_is_found_by_a_difference() {
    let cases: [(&str, Case, &str, &str); 4] = [
        ("KB896064", kb896064("6.0.6603.1"), "Cdoexm", "CMailboxStore::Open"),
        ("KB843523", kb843523("6.5.7226.0"), "Emsmdb32", "CExport::AddProps"),
        ("KB891509", kb891509("6.5.7226.0"), "Mapi32", "HrCreateHeapEntry"),
        ("Q265514", q265514(), "provider", "CStore::Init"),
    ];
    for (id, case, module, function) in cases {
        for form in [USUAL, Form { decimal: true, ..USUAL }, Form { old: true, ..USUAL }] {
            let report = analyze(&difference(&case, form));
            let suspects = report["suspects"].as_array().unwrap();
            assert_eq!(suspects.len(), 1, "{id} {form:?}");
            let suspect = &suspects[0];
            assert_eq!(suspect["module"]["name"], module, "{id}");
            assert_eq!(suspect["function"], function, "{id}");
            assert_eq!(suspect["module"]["version"], Value::Null);
            assert_eq!(suspect["growth_bytes_per_s"], Value::Null, "nothing tells how fast");
            assert_eq!(suspect["live_blocks"], 3120);
            let fix = &suspect["fixes"][0];
            assert_eq!((&fix["id"], &fix["status"]), (&id.into(), &"possible".into()), "{fix:#}");
            assert_eq!(report["source"]["kind"], "umdh");
            assert_eq!(report["source"]["snapshots"], 2);
        }
    }
}
