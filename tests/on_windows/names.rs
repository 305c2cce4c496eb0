//! Names and paths as only Windows has them.

use std::ffi::OsString;
use std::fs;
use std::os::windows::ffi::OsStringExt;

use super::{Bench, Told};
use crate::support;

/// What a leak is told as, wherever its recording lies.
fn tells_the_leak(told: &Told) {
    assert_eq!((told.code, told.err.as_str()), (Some(1), ""), "{told:?}");
    assert!(told.out.contains("CMailbox::Open"), "{}", told.out);
}

#[test]
fn every_way_to_write_a_path_leads_to_the_file() {
    let bench = Bench::new();
    let whole = bench.path("leak.unfreed");
    let whole = whole.to_str().unwrap();
    let (drive, below) = whole.split_at(2);
    assert!(drive.ends_with(':') && below.starts_with('\\'), "{whole}");
    for path in [
        whole.to_owned(),
        whole.replace('\\', "/"),
        whole.to_lowercase(),
        format!(r"\\?\{whole}"),
        format!(r"\\.\{whole}"),
        r".\leak.unfreed".to_owned(),
        // Of the directory that the drive is at.
        format!("{drive}leak.unfreed"),
    ] {
        tells_the_leak(&bench.run(["analyze", &path]));
    }
}

/// The share is one that whoever runs the tests names: a machine of its own has none.
#[test]
fn a_recording_on_a_share_is_read_and_the_report_written_beside_it() {
    let Some(share) = std::env::var_os("UNFREED_TEST_SHARE") else {
        support::skip!("UNFREED_TEST_SHARE names no share, as \\\\server\\share")
    };
    let bench = Bench::new();
    let place = tempfile::tempdir_in(share).unwrap();
    assert!(place.path().to_str().unwrap().starts_with(r"\\"), "{}", place.path().display());
    let (there, page) = (place.path().join("leak.unfreed"), place.path().join("report.html"));
    fs::copy(bench.path("leak.unfreed"), &there).unwrap();
    tells_the_leak(&bench.run(["analyze".as_ref(), there.as_os_str()]));
    for _ in 0..2 {
        let told =
            bench.run(["report".as_ref(), there.as_os_str(), "-o".as_ref(), page.as_os_str()]);
        assert_eq!(told.code, Some(1), "{told:?}");
        assert!(fs::read_to_string(&page).unwrap().contains("CMailbox::Open"));
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 2, "nothing is left aside");
}

#[test]
fn a_share_that_is_not_there_is_an_error_with_a_remedy() {
    let told = Bench::new().run(["analyze", r"\\nobody-has-this-name\share\leak.unfreed"]);
    assert_eq!((told.code, told.out.as_str()), (Some(2), ""), "{told:?}");
    let said = told.said();
    assert!(said.contains(r"cannot open \\nobody-has-this-name\share\leak.unfreed"), "{said}");
    assert!(said.contains("what to do: "), "{said}");
}

#[test]
fn names_in_any_script_are_read_written_and_shown() {
    let bench = Bench::new();
    for name in [
        "Gr\u{f6}\u{df}e",
        "\u{65e5}\u{672c}\u{8a9e}",
        "\u{43e}\u{442}\u{447}\u{451}\u{442} 1",
        "\u{1f4e8}",
    ] {
        let directory = bench.path(name);
        fs::create_dir(&directory).unwrap();
        let recording = directory.join(format!("{name}.unfreed"));
        fs::copy(bench.path("leak.unfreed"), &recording).unwrap();
        tells_the_leak(&bench.run(["analyze".as_ref(), recording.as_os_str()]));
        for ending in ["html", "md", "json", "zip"] {
            let report = directory.join(format!("{name}.{ending}"));
            let arguments =
                ["report".as_ref(), recording.as_os_str(), "-o".as_ref(), report.as_os_str()];
            let told = bench.run(arguments);
            assert_eq!(told.code, Some(1), "{name}: {told:?}");
            assert!(told.err.contains(name), "{name}: {}", told.err);
            assert!(fs::metadata(&report).unwrap().len() > 500, "{}", report.display());
        }
        tells_the_leak(
            &bench.run(["analyze".as_ref(), directory.join(format!("{name}.zip")).as_os_str()]),
        );
    }
}

/// Names on Windows are numbers of 16 bits that need not make characters.
#[test]
fn a_name_that_is_no_text_is_an_error_or_a_file_like_any_other() {
    let bench = Bench::new();
    let half = |rest: &str| {
        let units: Vec<u16> = [0xd800, 0x61].into_iter().chain(rest.encode_utf16()).collect();
        OsString::from_wide(&units)
    };
    let verb = |text: &str| OsString::from(text);
    for arguments in [
        vec![verb("analyze"), half(".unfreed")],
        vec![verb("report"), half(".unfreed"), verb("-o"), half(".html")],
        vec![verb("diff"), half("1"), half("2")],
        vec![verb("fixes"), verb("show"), half("")],
        vec![verb("analyze"), verb("leak.unfreed"), verb("--min-confidence"), half("")],
        vec![half("")],
    ] {
        let told = bench.run(&arguments);
        assert_eq!((told.code, told.out.as_str()), (Some(2), ""), "{arguments:?}: {told:?}");
        assert!(!told.err.contains("panicked") && !told.err.is_empty(), "{told:?}");
    }
    let arguments = [verb("report"), verb("leak.unfreed"), verb("-o"), half(".html")];
    let told = bench.run(&arguments);
    assert!(!told.err.contains("panicked"), "{told:?}");
    // Not every file system takes such a name; what it does not take is told.
    match told.code {
        Some(1) => assert!(bench.path(half(".html")).is_file(), "{told:?}"),
        code => assert!(code == Some(2) && told.said().contains("cannot write"), "{told:?}"),
    }
}
