//! Damaged files: cut off, with bits flipped, with sections that claim too much. They may give
//! fewer names; they never panic, never hang and never take memory out of proportion.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../tests/support/skip.rs"]
mod skip;

use std::process::Command;
use std::sync::LazyLock;

use object::{Object, ObjectSection};
use proptest::prelude::*;
use unfreed_symbols::{
    ElfFacts, Files, Linkage, ModuleOffset, Place, SymbolError, Symbols, Wanted,
};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/server.cc");

/// Whole files: a library in several forms, or else the beginning of this test itself.
static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    let library = directory.path().join("library.so");
    let forms: [&[&str]; 3] = [&["-g"], &["-gdwarf-4", "-gz=zlib"], &["-g0"]];
    let built = forms.iter().filter_map(|options| {
        let mut command = Command::new("g++");
        command
            .args(["-O1", "-shared", "-fPIC"])
            .args(*options)
            .arg(SOURCE)
            .arg("-o")
            .arg(&library);
        command.output().ok().filter(|output| output.status.success())?;
        std::fs::read(&library).ok()
    });
    let mut files: Vec<Vec<u8>> = built.collect();
    if let Some(first) = files.first() {
        let plain = directory.path().join("plain.so");
        std::fs::write(&plain, first).unwrap();
        let packed = Command::new("objcopy")
            .arg("--compress-debug-sections=zstd")
            .args([&plain, &library])
            .output();
        if packed.is_ok_and(|output| output.status.success()) {
            files.push(std::fs::read(&library).unwrap());
        }
    } else {
        let why = "in part: no C++ compiler, only the beginning of this test is damaged";
        skip::announce(why, file!(), line!());
        let mut own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        own.truncate(1 << 20);
        files.push(own);
    }
    files
});

/// A disk with one file.
struct Single(Vec<u8>);

impl Files for Single {
    fn candidates(&mut self, wanted: &Wanted<'_>) -> Vec<Place> {
        match wanted {
            Wanted::Module { path, .. } => vec![Place((*path).to_owned())],
            _ => Vec::new(),
        }
    }

    fn read(&mut self, _: &Place) -> Result<Option<Vec<u8>>, String> {
        Ok(Some(self.0.clone()))
    }
}

/// Asks everything there is to ask.
fn ask(bytes: &[u8]) {
    let facts = ElfFacts::read(bytes);
    let read = ElfFacts::read_from(std::io::Cursor::new(bytes));
    assert_eq!(facts, read, "both ways of reading agree");
    let names = ["malloc", "_Znwm", "_ZdlPv"];
    let linkage = Linkage::read(bytes, &names);
    assert_eq!(linkage, Linkage::read_from(std::io::Cursor::new(bytes), &names));
    let Ok(symbols) = Symbols::parse(bytes) else { return };
    for offset in (0..0x1800).step_by(7).chain([u64::MAX, u64::MAX - 1, 1 << 63]) {
        let frames = symbols.frames(ModuleOffset(offset));
        assert!(frames.iter().rev().skip(1).all(|frame| frame.inlined));
        assert!(frames.last().is_none_or(|frame| !frame.inlined));
        if let Some(extent) = symbols.extent(ModuleOffset(offset)) {
            assert!(extent.start.0 <= offset && offset - extent.start.0 < extent.size);
        }
    }
}

/// Where in a file damage hurts: its headers, or one of its sections.
fn places(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut places = vec![0..64.min(bytes.len()), 0..bytes.len()];
    if let Ok(file) = object::File::parse(bytes) {
        let ranges = file.sections().filter_map(|section| section.file_range());
        places.extend(ranges.filter(|(_, size)| *size > 0).map(|(at, size)| {
            let at = usize::try_from(at).unwrap();
            at..at + usize::try_from(size).unwrap()
        }));
        let headers = bytes.len().saturating_sub(64 * 48);
        places.push(headers..bytes.len());
    }
    places
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn flipped_bits_are_survived(
        file in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u32), 1..12),
    ) {
        let mut bytes = file.get(&FILES).clone();
        let places = places(&bytes);
        let range = place.get(&places).clone();
        for (at, bit) in flips {
            let at = range.start + at.index(range.len());
            bytes[at] ^= 1 << bit;
        }
        ask(&bytes);
    }

    #[test]
    fn truncation_is_survived(file in any::<prop::sample::Index>(), at in any::<prop::sample::Index>()) {
        let bytes = file.get(&FILES);
        ask(&bytes[..at.index(bytes.len())]);
    }

    #[test]
    fn noise_after_a_magic_number_is_survived(
        class in 1..=2_u8,
        order in 1..=2_u8,
        noise in prop::collection::vec(any::<u8>(), 0..2048),
    ) {
        let mut bytes = vec![0x7f, b'E', b'L', b'F', class, order, 1];
        bytes.extend(noise);
        ask(&bytes);
    }
}

#[test]
fn a_section_that_claims_too_much_is_refused() {
    let packed = FILES.iter().find_map(|bytes| {
        let file = object::File::parse(&bytes[..]).ok()?;
        let section = file.section_by_name(".debug_info")?;
        let packed = section.compressed_file_range().ok()?;
        let (at, _) = section.file_range()?;
        (packed.format != object::CompressionFormat::None).then_some((bytes, at))
    });
    let Some((bytes, at)) = packed else {
        skip::announce("no file with compressed sections", file!(), line!());
        return;
    };
    // Elf64_Chdr: type, reserved (4 bytes each), uncompressed size (8 bytes).
    let mut bytes = bytes.clone();
    let size = usize::try_from(at).unwrap() + 8;
    bytes[size..size + 8].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    let loaded = Symbols::load("/packed.so", None, None, &mut Single(bytes));
    let [refused] = &loaded.refused[..] else { panic!("{:?}", loaded.refused) };
    assert!(
        refused.reason.starts_with("section .debug_info claims 1099511627776 bytes uncompressed"),
        "{}",
        refused.reason
    );
    let symbols = loaded.symbols;
    assert!(!symbols.is_empty(), "the symbol table is still good");
    let frames = (0..0x1800).flat_map(|offset| symbols.frames(ModuleOffset(offset)));
    let (named, lines) = frames.fold((0, 0), |(named, lines), frame| {
        (named + u32::from(frame.function.is_some()), lines + u32::from(frame.line.is_some()))
    });
    assert!(named > 0);
    assert_eq!(lines, 0, "no debug information was taken");
}

#[test]
fn other_files_are_no_elf() {
    for bytes in [&b""[..], b"#!/bin/sh\n", b"MZ\x90\0", b"\x7fELF"] {
        assert!(Symbols::parse(bytes).is_err());
    }
    assert_eq!(ElfFacts::read(&b"#!/bin/sh\n                 "[..]), Err(SymbolError::NotElf));
}
