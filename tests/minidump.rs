//! Minidumps: real ones of three systems, and made ones of the crash that article 900326 speaks of.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "minidump/article.rs"]
mod article;
#[path = "minidump/damage.rs"]
mod damage;
#[path = "minidump/made.rs"]
mod made;
#[path = "minidump/real.rs"]
mod real;
mod support;

use std::fs;
use std::process::Command;

use made::{Dump, module};
use serde_json::Value;
use unfreed::event::*;
use unfreed::ledger::Ledger;
use unfreed::read::{About, Fault, ReadError, open, sniff};

/// What a dump says, read as `analyze` reads it.
struct Told {
    ledger: Ledger,
    faults: Vec<Fault>,
}

fn try_read(file: &[u8]) -> Result<Option<Told>, ReadError> {
    let Some(kind) = sniff(file) else { return Ok(None) };
    let Some(mut source) = open(kind, file, &About::default(), None)? else { return Ok(None) };
    let (mut batch, mut ledger) = (Vec::new(), Ledger::default());
    while source.next_batch(&mut batch)? {
        batch.iter().for_each(|event| ledger.apply(event));
    }
    assert_eq!(source.header().source, "minidump");
    let faults = source.faults().to_vec();
    Ok(Some(Told { ledger, faults }))
}

fn read(file: &[u8]) -> Told {
    try_read(file).unwrap().expect("a minidump")
}

/// What `unfreed analyze --json` says. A crash alone is no suspect.
fn analyze(dump: &[u8]) -> Value {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("any.name");
    fs::write(&file, dump).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_unfreed"));
    let output = command.arg("analyze").arg("--json").arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The modules and offsets of the frames of a process's first exception, and how each was found.
fn stack(ledger: &Ledger) -> Vec<(String, u64, Trust)> {
    let raised = ledger.images()[0].exceptions()[0];
    let frames = ledger.stacks().frames(raised.exception.stack);
    let module = |frame: &Frame| {
        let identity = frame.module.and_then(|id| ledger.modules().identity(id));
        identity.map_or_else(String::new, |identity| identity.name.clone())
    };
    frames.map(|frame| (module(frame), frame.offset, frame.trust)).collect()
}

/// The process of the article, with an exception at this address.
fn inetinfo(exsmtp: [u16; 4], address: u32) -> Dump {
    Dump {
        modules: vec![
            module(r"C:\WINDOWS\system32\inetsrv\Inetinfo.exe", 0x0100_0000, [6, 0, 3790, 0]),
            module(r"C:\WINDOWS\system32\ntdll.dll", 0x7c80_0000, [5, 2, 3790, 0]),
            module(r"C:\Program Files\Exchsrvr\bin\EXSMTP.dll", 0x6100_0000, exsmtp),
            module(r"C:\Program Files\Exchsrvr\bin\drviis.dll", 0x6200_0000, [6, 5, 7226, 0]),
        ],
        pid: 1480,
        written: 1_100_000_000,
        exception: Some((0xc000_0005, address)),
        returns: vec![0x7c80_1234, 0x0100_2222],
        regions: vec![
            (0x1000, 0x2_0000, 0x5000),
            (0x2000, 0x2_0000, 0x7000),
            (0x1_0000, 0, 0x1000),
            (0x1000, 0x100_0000, 0x3000),
        ],
    }
}
