//! The real logs of `../shared/fixtures/etl`.

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use unfreed::read::etl::record::{Ticks, Width};
use unfreed::read::etl::{Clock, Log};

use super::{kinds, sought, streamed};
use crate::support;

/// A log's name, its buffers, and its records by kind of header.
type Row = (&'static str, u64, &'static [(u8, u64)]);

/// What `tests/etl/oracle.py` counts in them: buffers, and records by kind of header. Written anew with
/// `python3 tests/etl/oracle.py ../shared/fixtures/etl/*`, with PyPI's dissect.etl installed; the script has a count of its own
/// for each file, too, and both agree.
pub const TOLD: [Row; 10] = [
    ("diaghub.kernel.1.etl", 59, &[(2, 1035), (17, 15299), (19, 1)]),
    ("image_data_32_v0.etl", 3, &[(1, 1), (10, 26)]),
    ("image_data_32_v2.etl", 2, &[(1, 1), (10, 26)]),
    ("image_data_64_v1.etl", 3, &[(1, 1), (10, 26)]),
    (
        "net.4.5.2.x64.etl",
        360,
        &[(1, 2), (2, 3189), (10, 27), (17, 100157), (18, 33378), (19, 34765), (20, 7956)],
    ),
    ("powershell.etl", 26, &[(2, 2), (19, 112)]),
    ("process_data_32_v1.etl", 2, &[(1, 1), (10, 2)]),
    ("process_data_64_v3.etl", 2, &[(1, 1), (10, 8)]),
    ("smallEtlFile.etl", 2, &[(1, 1), (18, 1)]),
    (
        "win7-net45-x86.etl.zip",
        405,
        &[(1, 2), (2, 8294), (17, 43421), (18, 122193), (19, 95), (20, 11956)],
    ),
];

/// Where the real logs are.
pub fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/etl")
}

/// A real log, unpacked where it lies in a zip.
pub fn load(name: &str) -> Option<Vec<u8>> {
    let file = fs::read(directory().join(name)).ok()?;
    if !name.ends_with(".zip") {
        return Some(file);
    }
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(file)).unwrap();
    let mut log = Vec::new();
    zip.by_name("PerfViewData.etl").unwrap().read_to_end(&mut log).unwrap();
    Some(log)
}

macro_rules! load {
    ($name:expr) => {
        match load($name) {
            Some(bytes) => bytes,
            None => support::skip!("{} is not there", directory().join($name).display()),
        }
    };
}

#[test]
fn every_real_log_is_read_to_its_last_record() {
    for (name, buffers, expected) in TOLD {
        let bytes = load!(name);
        for told in [streamed(&bytes), sought(&bytes)] {
            assert_eq!(told.faults, [""; 0], "{name}");
            assert_eq!(told.counts.buffers, buffers, "{name}");
            assert_eq!(kinds(&told.counts), expected, "{name}");
            assert_eq!(told.records.len() as u64, told.counts.records(), "{name}");
            assert_eq!((told.counts.unread, told.counts.late), (0, 0), "{name}");
            assert!(told.records.is_sorted_by_key(|record| record.time), "{name}");
        }
    }
}

#[test]
fn both_ways_of_reading_give_the_same_records_in_the_same_order() {
    for (name, ..) in TOLD {
        let bytes = load!(name);
        assert!(streamed(&bytes) == sought(&bytes), "{name}");
    }
}

#[test]
fn what_a_real_log_says_of_itself() {
    let bytes = load!("smallEtlFile.etl");
    let log = Log::new(&bytes[..]).unwrap();
    let about = log.about();
    assert_eq!((about.width, about.clock), (Width::Bits32, Clock::Qpc));
    assert_eq!((about.version, about.build), ((10, 0), 10586));
    assert_eq!(
        (about.session.as_str(), about.file.as_str()),
        ("PerfWatsonGCHeapETLSession688", "ReloggedFile.ETL")
    );
    assert_eq!((about.processors, about.buffers_written), (4, 2));
    assert_eq!((about.events_lost, about.buffers_lost), (0, 0));
    // 2016-08-17 09:50:22 UTC.
    assert_eq!(about.unix_ns(about.first) / 1_000_000_000, 1_471_476_622);
    let bytes = load!("win7-net45-x86.etl.zip");
    let log = Log::new(&bytes[..]).unwrap();
    assert_eq!(log.about().width, Width::Bits64);
    assert_eq!(log.about().version, (6, 1));
}

/// The last records were logged up to 2.5 s after what the log says is its end: it is said before the last buffers are
/// written.
#[test]
fn the_last_record_of_a_real_log_is_about_when_it_ended() {
    for (name, ..) in TOLD {
        let bytes = load!(name);
        let mut log = Log::new(&bytes[..]).unwrap();
        let mut last = Ticks(0);
        while let Some(record) = log.next().unwrap() {
            last = record.time;
        }
        let about = log.about();
        let ended = (about.ended.unwrap().0 as i64 - 116_444_736_000_000_000) * 100;
        let after = about.unix_ns(last) - ended;
        assert!((-3_000_000_000..3_000_000_000).contains(&after), "{name}: {after} ns");
    }
}
