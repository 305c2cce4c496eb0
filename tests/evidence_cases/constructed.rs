//! Heap logs of Windows (ETL) of the articles' defects. These are CONSTRUCTED: Windows 2000 and Server 2003 could not
//! write such logs of those servers. They have what a log of a later system has: loaded images, GUIDs of PDBs, file
//! versions, a stack behind each record; the PDBs lie in a symbol store.

use super::articles::{ARTICLES, Article};
use super::evidence::{Case, kb891509, kb900326};
use super::stand_ins::{StoodIn, stand_in};
use super::synth_etl::{Bits, File, HEAP, Pid, SynthEtl};
use super::{Evidence, Expected, THEN, analyze, check};

/// The file of a case's module, as the log tells of it.
fn file(stood_in: &StoodIn, at: usize, versions: bool) -> File {
    let StoodIn { case, built, .. } = stood_in;
    let mut file = File::new(case.file_name(at));
    file.size = case.modules[at].size;
    file.path = case.modules[at].path.replacen("C:", r"\Device\HarddiskVolume1", 1);
    if versions {
        file = file.version(case.modules[at].version);
    }
    match &built[at] {
        Some(built) => {
            file.timestamp = built.timestamp;
            let pdb = built.pdb.file_name().unwrap().to_string_lossy();
            file.pdb(guid(&built.guid), built.age, &pdb)
        }
        None => file,
    }
}

/// A GUID as logs have it: the first three parts little-endian.
fn guid(text: &str) -> [u8; 16] {
    let byte = |at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
    [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].map(byte)
}

/// A log with a case's process and modules, and what every program also does.
fn log(stood_in: &StoodIn, versions: bool) -> (SynthEtl, Pid) {
    let case = &stood_in.case;
    let mut log = SynthEtl::new(Bits::B32);
    let pid = log.process(case.file_name(0), 0.1);
    for at in 1..case.modules.len() {
        log.module(pid, file(stood_in, at, versions));
    }
    for (stack, often) in case.stacks[1..].iter().zip([1500, 700, 300]) {
        let frames = frames(case, &stack.frames);
        let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
        log.churn(pid, &frames, stack.size.into(), often, 0.5..59.0, 0.05);
    }
    (log, pid)
}

/// Frames as the builder of logs writes them.
fn frames(case: &Case, frames: &[(usize, Option<&'static str>, u32)]) -> Vec<String> {
    let offset = |frame: &(usize, _, _)| case.address(*frame) - case.modules[frame.0].base;
    let frames = frames.iter();
    frames.map(|frame| format!("{}+{:#x}", case.file_name(frame.0), offset(frame))).collect()
}

/// The log of an article whose first stack leaks.
fn leaking(stood_in: &StoodIn, versions: bool) -> Vec<u8> {
    let (mut log, pid) = log(stood_in, versions);
    let leak = &stood_in.case.stacks[0];
    let stack = frames(&stood_in.case, &leak.frames);
    let stack: Vec<&str> = stack.iter().map(String::as_str).collect();
    log.leak(pid, &stack, leak.size.into(), 3000, 0.5..60.0);
    log.build()
}

/// Holds a log against an article.
#[track_caller]
fn held(bytes: &[u8], stood_in: &StoodIn, expected: Expected<'_>) -> serde_json::Value {
    let log = Evidence { name: "heap.etl", bytes, written: THEN };
    let report = analyze(&[log], Some(stood_in.store.path()));
    check(&report, expected);
    assert_eq!(report["source"]["kind"], "etl");
    assert_eq!(report["faults"], serde_json::json!([]));
    report
}

#[test]
fn constructed_heap_logs_lead_to_each_leak_s_article() {
    tools!();
    for &Article { id, case, module, function, versions } in &ARTICLES {
        for &(version, status) in versions {
            let stood_in = stand_in(case(version));
            let function = Some(function);
            let expected = Expected { id, status, module, version: Some(version), function };
            let report = held(&leaking(&stood_in, true), &stood_in, expected);
            assert_eq!(report["suspects"][0]["live_blocks"], 3000);
            let expected = Expected { status: "possible", version: None, ..expected };
            held(&leaking(&stood_in, false), &stood_in, expected);
        }
    }
}

/// KB891509 says that MAPI's heaps are not cleaned up: here they leak as heaps, not as blocks.
#[test]
fn constructed_heap_logs_show_private_heaps_that_leak() {
    tools!();
    for (version, status) in [("6.5.7226.0", "applies"), ("6.5.7232.75", "possible")] {
        let mut case = kb891509(version);
        case.stacks[0].frames[0].1 = Some("RtlCreateHeap");
        let stood_in = stand_in(case);
        let (mut log, pid) = log(&stood_in, true);
        let stack = frames(&stood_in.case, &stood_in.case.stacks[0].frames);
        let stack: Vec<&str> = stack.iter().map(String::as_str).collect();
        for logon in 0..600 {
            let (at, heap) =
                (0.5 + f64::from(logon) * 0.099, 0x2000_0000 + u64::from(logon as u32) * 0x1_0000);
            log.heap_create(at, pid, heap, &stack);
            // Some are destroyed, as those of sessions that ended well.
            if logon % 10 == 0 {
                log.heap_destroy(at + 0.05, pid, heap);
            }
        }
        let expected = Expected {
            id: "KB891509",
            status,
            module: "Mapi32.dll",
            version: Some(version),
            function: Some("HrCreateHeapEntry"),
        };
        let report = held(&log.build(), &stood_in, expected);
        assert_eq!(report["suspects"][0]["live_blocks"], 540);
    }
}

/// KB900326's message is released once too often: the second free is in the log.
#[test]
fn constructed_heap_logs_show_a_message_that_is_freed_too_often() {
    tools!();
    for (version, status) in [("6.5.7226.0", "possible"), ("6.5.7233.31", "already-fixed")] {
        let stood_in = stand_in(kb900326(version));
        let (mut log, pid) = log(&stood_in, true);
        let message = &stood_in.case.stacks[0];
        let stack = frames(&stood_in.case, &message.frames);
        let stack: Vec<&str> = stack.iter().map(String::as_str).collect();
        for referral in 0..20 {
            let at = 1.0 + f64::from(referral) * 2.9;
            let address = log.block(pid, message.size.into());
            log.alloc(at, pid, HEAP, address, message.size.into(), &stack);
            log.free(at + 0.001, pid, HEAP, address);
            log.free(at + 0.002, pid, HEAP, address);
        }
        let expected = Expected {
            id: "KB900326",
            // That a wrong count shows as a second free is no more than inferred.
            status,
            module: "Exsmtp.dll",
            version: Some(version),
            function: Some("CMessage::Create"),
        };
        let report = held(&log.build(), &stood_in, expected);
        assert_eq!(report["suspects"][0]["kind"], "over-release");
    }
}
