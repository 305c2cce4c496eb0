//! What the collector reads on the spot decides: a fix that is installed and not switched on is told as that, by an `.etl` of
//! ours as by a live session.

use std::process::Command;

use super::*;

/// How the fix stands, by a log of a leak in a library that has it.
fn status(switch: Option<Option<&str>>) -> String {
    let mut t = SynthEtl::new(Bits::B32);
    let p = t.process("mailboxes.exe", 0.1);
    for name in ["Cdo.dll", "Mapi32.dll"] {
        t.module(p, File::new(name).version("6.5.7232.75"));
    }
    let work = ["ntdll.dll+0x2100", "mailboxes.exe+0x1000"];
    t.churn(p, &work, 512, 3000, 0.5..59.0, 0.05);
    let logon = ["ntdll.dll+0x2100", "Cdo.dll+0x4a10", "mailboxes.exe+0x200"];
    t.leak(p, &logon, 260, 3000, 0.5..60.0);
    let mut records: Records = t.records().into_iter().map(|(at, bytes)| (at, 0, bytes)).collect();
    if let Some(value) = switch {
        let fact = Fact { value: value.map(str::to_owned), ..setting() };
        let mut bytes = Vec::new();
        own::fact(own::Stamp { pid: 0, time: FIRST + 1 }, &fact, &mut bytes);
        records.insert(0, (FIRST + 1, 0, bytes));
    }
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("server.etl");
    std::fs::write(&path, written(&records, (0, 0))).unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_unfreed"));
    let run = { run }.args(["analyze", "--json"]).arg(&path).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&run.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&run.stderr)));
    let suspect = &json["suspects"][0];
    assert_eq!(suspect["module"]["version"], "6.5.7232.75", "{suspect:#}");
    let fixes = suspect["fixes"].as_array().unwrap();
    let fix = fixes.iter().find(|fix| fix["id"] == "KB891509").unwrap();
    fix["status"].as_str().unwrap().to_owned()
}

#[test]
fn a_switch_that_was_read_decides() {
    for (switch, told) in [
        (None, "possible"),
        (Some(None), "switch-missing"),
        (Some(Some("0")), "switch-missing"),
        (Some(Some("1")), "already-fixed"),
    ] {
        assert_eq!(status(switch), told, "{switch:?}");
    }
}
