//! Real logs, where they are at hand.

use std::fs;
use std::path::Path;

use unfreed::event::{Trust, What};
use unfreed::read::{FileKind, sniff};

use super::{read, skip, sorted};

/// A real file, or `None` with a notice.
fn real(name: &str) -> Option<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/umdh").join(name);
    match fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            skip::announce(&format!("{}: {error}", path.display()), file!(), line!());
            None
        }
    }
}

#[test]
fn a_difference_of_a_sample_program() {
    let Some(bytes) = real("diff_cppresourceleaks.txt") else { return };
    assert_eq!(sniff(&bytes), Some(FileKind::Umdh));
    let log = read(&bytes);
    assert_eq!(sorted(&log.live(1)), [(0, 0), (0x15cf4, 0x2a9_8c90)]);
    assert_eq!(sorted(&log.live(0)), [(0, 0), (1, 0x2018)]);
    let lines: Vec<_> = log
        .events
        .iter()
        .filter_map(|event| match &event.what {
            What::Name(name) => name.functions[0].line,
            _ => None,
        })
        .collect();
    assert_eq!(lines, [403, 583, 260, 228], "callers first");
    assert_eq!(log.faults, ["the log ends without a total: it may have been cut"]);
}

#[test]
fn a_snapshot_of_firefox() {
    let Some(bytes) = real("umdh_input_sample_kg.txt") else { return };
    assert_eq!(sniff(&bytes), Some(FileKind::Umdh));
    let log = read(&bytes);
    let modules = log.events.iter().filter(|e| matches!(e.what, What::Module(_))).count();
    assert_eq!(modules, 118);
    let What::Process(process) = &log.events[0].what else { panic!() };
    assert_eq!(process.name, "firefox.exe");
    let frames: Vec<_> = log
        .events
        .iter()
        .filter_map(|event| match &event.what {
            What::Stack(node) => Some(node.frame),
            _ => None,
        })
        .collect();
    assert!(!frames.is_empty() && frames.iter().all(|frame| frame.trust == Trust::Recorded));
    assert!(frames.iter().all(|frame| frame.module.is_some()), "{frames:#?}");
}

#[test]
fn excerpts() {
    for (name, live) in [
        ("snapshot_entry_x86.txt", vec![(1, 0xc6)]),
        ("snapshot_entry_mahdytech.txt", vec![(1, 0x30)]),
        ("diff_header_strontic.txt", vec![]),
    ] {
        let Some(bytes) = real(name) else { return };
        assert_eq!(sniff(&bytes), Some(FileKind::Umdh), "{name}");
        assert_eq!(sorted(&read(&bytes).live(0)), live, "{name}");
    }
    // Its source says that it is decimal; it has no digit that could tell.
    let Some(bytes) = real("diff_mahdytech_decimal.txt") else { return };
    assert!(read(&bytes).faults[0].starts_with("nothing tells whether"));
}
