//! A constructed log through the program: the right suspect, with its version.

use std::fs;
use std::process::Command;

use crate::synth_etl::{Bits, File, SynthEtl, Walks};

fn analyze(bytes: &[u8]) -> (Option<i32>, serde_json::Value) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("heap.log");
    fs::write(&path, bytes).unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_unfreed"))
        .args(["analyze", "--json"])
        .arg(&path)
        .output()
        .unwrap();
    let json = serde_json::from_slice(&run.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&run.stderr)));
    (run.status.code(), json)
}

#[test]
fn a_leak_names_its_module_and_version() {
    for (bits, walks) in [(Bits::B32, Walks::Frames), (Bits::B64, Walks::Keys)] {
        let mut t = SynthEtl::new(bits);
        t.walks = walks;
        let p = t.process("mailboxes.exe", 0.1);
        t.module(p, File::new("Cdoexm.dll").version("6.0.6617.47"));
        let work = ["ntdll.dll+0x2100", "mailboxes.exe+0x1000"];
        t.churn(p, &work, 512, 3000, 0.5..59.0, 0.05);
        t.leak(
            p,
            &["ntdll.dll+0x2100", "Cdoexm.dll+0x4a10", "mailboxes.exe+0x200"],
            260,
            3000,
            0.5..60.0,
        );
        let (code, json) = analyze(&t.build());
        assert_eq!(code, Some(1), "{json:#}");
        let suspect = &json["suspects"][0];
        assert_eq!(suspect["module"]["name"], "Cdoexm.dll", "{suspect:#}");
        assert_eq!(suspect["module"]["version"], "6.0.6617.47");
        assert_eq!(suspect["live_blocks"], 3000);
        assert_eq!(json["source"]["kind"], "etl");
        assert_eq!(json["target"][0]["name"], "mailboxes.exe");
    }
}
