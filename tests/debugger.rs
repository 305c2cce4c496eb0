//! What people paste from a debugger: modules with versions, heaps, blocks by size.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "evidence/mod.rs"]
mod evidence;

use std::fs;
use std::process::Command;

use evidence::debugger::{heaps, modules, sizes};
use evidence::{kb843523, kb896064};
use proptest::prelude::*;
use unfreed::event::{Event, Fact, Metric, What};
use unfreed::read::debugger::Reader;
use unfreed::read::{About, FileKind, Source, sniff};

fn read(bytes: &[u8]) -> (Vec<Event>, Vec<String>) {
    let mut reader = Reader::new(bytes, &About::default());
    let (mut events, mut batch) = (Vec::new(), Vec::new());
    while reader.next_batch(&mut batch).unwrap() {
        events.append(&mut batch);
    }
    assert!(matches!(events[0].what, What::Process(_)));
    assert!(matches!(events.last().unwrap().what, What::Epoch));
    assert_eq!(reader.header().source, "debugger");
    (events, reader.faults().iter().map(|fault| fault.what.to_string()).collect())
}

#[test]
fn modules_have_their_identity() {
    let case = kb896064("6.0.6603.1");
    let text = modules(&case);
    assert_eq!(sniff(text.as_bytes()), Some(FileKind::Debugger));
    for text in [text.clone(), text.replace('\n', "\r\n")] {
        let (events, faults) = read(text.as_bytes());
        assert_eq!(faults, [""; 0]);
        let What::Process(process) = &events[0].what else { panic!() };
        assert_eq!(process.name, "mailboxes.exe");
        let listed: Vec<_> = events
            .iter()
            .filter_map(|event| match &event.what {
                What::Module(module) => Some(module),
                _ => None,
            })
            .collect();
        assert_eq!(listed.len(), case.modules.len(), "what is unloaded is not mapped");
        for (at, (module, told)) in listed.iter().zip(&case.modules).enumerate() {
            let identity = &module.identity;
            assert_eq!(
                (identity.name.as_str(), identity.path.as_str()),
                (case.file_name(at), told.path)
            );
            assert_eq!(identity.file_version.as_deref(), Some(told.version));
            let pe = identity.pe.as_ref().unwrap();
            assert_eq!((pe.timestamp, pe.image_size), (0x4263_0000 + at as u32, told.size));
            assert_eq!(pe.company.as_deref(), Some("Microsoft Corporation"));
            assert_eq!((module.base.0, module.size.0), (told.base.into(), told.size.into()));
        }
    }
}

#[test]
fn heaps_are_measured_and_sizes_are_facts() {
    let text = heaps(&[1076, 9548])
        + &sizes(0x039d_0000, &[(0x190, 0x5328), (0x20, 0x15b)])
        + &heaps(&[2000, 9548]);
    assert_eq!(sniff(text.as_bytes()), Some(FileKind::Debugger));
    let (events, faults) = read(text.as_bytes());
    assert_eq!(faults, [""; 0]);
    let committed: Vec<u64> = events
        .iter()
        .filter_map(|event| match event.what {
            What::Sample(sample) if sample.metric == Metric::HeapCommitted => Some(sample.value),
            _ => None,
        })
        .collect();
    assert_eq!(committed, [(1076 + 9548) * 1024, (2000 + 9548) * 1024]);
    let facts: Vec<&Fact> = events
        .iter()
        .filter_map(|event| match &event.what {
            What::Fact(fact) => Some(fact.as_ref()),
            _ => None,
        })
        .collect();
    assert_eq!(facts.len(), 2);
    assert_eq!(facts[0].subject, "heap 0x39d0000, blocks of 400 bytes");
    assert_eq!(facts[0].value.as_deref(), Some("21288 blocks, 8515200 bytes"));
    assert!(
        !events.iter().any(|event| matches!(event.what, What::Snapshot(_))),
        "no stack, no site"
    );
}

#[test]
fn it_accuses_nobody_and_says_what_it_is_for() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("pasted.txt");
    for text in
        [modules(&kb843523("6.5.7226.0")), heaps(&[5]), modules(&kb843523("1.0")) + &heaps(&[5])]
    {
        fs::write(&file, text).unwrap();
        let output =
            Command::new(env!("CARGO_BIN_EXE_unfreed")).arg("analyze").arg(&file).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.starts_with("No verdict. A debugger's lists have no stacks"), "{told}");
    }
}

#[test]
fn ordinary_text_is_not_taken_for_it() {
    for text in [
        "The start and end of each module name must be given.\n",
        "Heap sizes: Reserv 5, Commit 3\n",
        "size total blocks\n",
        "Image path: C:\\a.dll\n",
    ] {
        assert_eq!(sniff(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn a_text_cut_anywhere_is_read() {
    let text = modules(&kb896064("6.0.6603.1")) + &heaps(&[1, 2]) + &sizes(1, &[(2, 3)]);
    for cut in 0..text.len() {
        read(&text.as_bytes()[..cut]);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read(&bytes);
    }

    #[test]
    fn a_flipped_bit_is_survived(at in 0usize..6000, bit in 0u32..8) {
        let mut bytes = (modules(&kb896064("6.0.6603.1")) + &sizes(1, &[(2, 3)])).into_bytes();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        read(&bytes);
    }
}
