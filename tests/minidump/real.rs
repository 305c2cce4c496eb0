//! Real dumps, which are not the project's: they are read from beside it, where they are.

use std::fs;
use std::path::Path;

use unfreed::event::*;
use unfreed::read::ReadError;

use crate::{Told, inetinfo, read, stack, try_read};

/// A real dump; `None` where it is not there.
fn real(name: &str) -> Option<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/dmp").join(name);
    fs::read(path).ok()
}

macro_rules! real {
    ($name:expr) => {
        match real($name) {
            Some(bytes) => bytes,
            None => crate::support::skip!("{} is not in ../shared/fixtures/dmp", $name),
        }
    };
}

/// A module's version and PDB.
fn identity<'t>(told: &'t Told, name: &str) -> &'t unfreed_symbols::ModuleIdentity {
    let mut modules = told.ledger.modules().iter().map(|(_, identity)| identity);
    modules.find(|identity| identity.name.eq_ignore_ascii_case(name)).unwrap()
}

#[test]
fn windows_xp_on_x86() {
    let told = read(&real!("test.dmp"));
    assert_eq!(told.faults, []);
    let image = &told.ledger.images()[0];
    assert_eq!(image.process.as_ref().unwrap().name, "test_app.exe");
    assert_eq!(image.process.as_ref().unwrap().pid, 3932);
    assert_eq!(identity(&told, "kernel32.dll").file_version.as_deref(), Some("5.1.2600.2945"));
    let pdb = identity(&told, "test_app.exe").pdb.clone().unwrap();
    assert_eq!((pdb.guid.as_str(), pdb.age), ("5A9832E5287241C1838ED98914E9B7FF", 1));
    let exception = image.exceptions()[0].exception;
    assert_eq!((exception.code, exception.address), (0xc000_0005, Address(0x0040_429e)));
    // As the project that the dump is from has its stack.
    let expected = [
        ("test_app.exe", 0x429e),
        ("test_app.exe", 0x4200),
        ("test_app.exe", 0x53ec),
        ("kernel32.dll", 0x1_6fd7),
    ];
    let found: Vec<(String, u64)> =
        stack(&told.ledger).into_iter().map(|(name, offset, _)| (name, offset)).collect();
    assert_eq!(found, expected.map(|(name, offset)| (name.to_owned(), offset)));
    assert_eq!(image.samples(Metric::Threads), [(Time(0), 2)]);
}

#[test]
fn windows_10_on_x64_with_a_version_told_to_the_old() {
    let told = read(&real!("invalid-parameter.dmp"));
    assert_eq!(told.faults, []);
    let exception = told.ledger.images()[0].exceptions()[0].exception;
    assert_eq!(exception.code, 0xc000_000d);
    assert_ne!(
        exception.address,
        Address(0),
        "the runtime gives none: it is that of the registers"
    );
    let [(module, _, trust)] = &stack(&told.ledger)[..] else {
        panic!("without tables there is one frame")
    };
    assert_eq!((module.as_str(), *trust), ("CrashTest.exe", Trust::Context));
    assert!(
        identity(&told, "ntdll.dll").file_version.as_deref().unwrap().starts_with("10.0.17134.")
    );
}

#[test]
fn windows_11_on_x64() {
    let told = read(&real!("stability-report.dmp"));
    assert_eq!(told.faults, []);
    assert_eq!(identity(&told, "electron.exe").file_version.as_deref(), Some("29.1.5.0"));
    assert_eq!(told.ledger.images()[0].exceptions()[0].exception.code, 0xc000_0005);
}

#[test]
fn malformed_dumps_are_clear_errors() {
    for name in ["invalid-range.dmp", "invalid-record-count.dmp"] {
        let error = try_read(&real!(name)).err();
        let Some(ReadError::Unreadable { what, .. }) = error else { panic!("{name}: {error:?}") };
        assert!(what.contains("damaged"), "{what}");
    }
}

#[test]
fn a_made_dump_says_what_it_was_made_of() {
    let told = read(&inetinfo([6, 5, 7233, 20], 0x6100_4321).build());
    assert_eq!(told.faults, []);
    let expected = [
        ("EXSMTP.dll", 0x4321, Trust::Context),
        ("ntdll.dll", 0x1234, Trust::FramePointer),
        ("Inetinfo.exe", 0x2222, Trust::FramePointer),
    ];
    assert_eq!(
        stack(&told.ledger),
        expected.map(|(name, offset, trust)| (name.to_owned(), offset, trust))
    );
    let pdb = identity(&told, "exsmtp.dll").pdb.clone().unwrap();
    assert_eq!(
        (pdb.guid.as_str(), pdb.age, pdb.name.as_str()),
        ("0102030405060708090A0B0C0D0E0F10", 3, "made.pdb")
    );
    let image = &told.ledger.images()[0];
    assert_eq!(image.samples(Metric::PrivateBytes), [(Time(0), 0x5000)]);
    assert_eq!(image.samples(Metric::VirtualBytes), [(Time(0), 0x5000 + 0x7000 + 0x3000)]);
    assert_eq!(image.exceptions()[0].thread, Tid(0x77));
}
