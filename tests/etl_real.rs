//! Real logs of Windows as events. None has a heap in it, which is what must be said of them; their stacks, images,
//! processes and symbols are what a heap's log has, too.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::process::Command;

use unfreed::read::Source;
use unfreed::read::etl::image::Image;
use unfreed::read::etl::kind::Kind;
use unfreed::read::etl::process::ProcessRecord;
use unfreed::read::etl::record::{Record, Ticks, Width};
use unfreed::read::etl::stackwalk::StackRecord;
use unfreed::read::etl::symbols::SymbolRecord;
use unfreed::read::etl::virtual_alloc::Range;
use unfreed::read::etl::{Log, Reader, Seekable};

const ALL: [&str; 10] = [
    "diaghub.kernel.1.etl",
    "image_data_32_v0.etl",
    "image_data_32_v2.etl",
    "image_data_64_v1.etl",
    "net.4.5.2.x64.etl",
    "powershell.etl",
    "process_data_32_v1.etl",
    "process_data_64_v3.etl",
    "smallEtlFile.etl",
    "win7-net45-x86.etl.zip",
];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/etl")
}

fn load(name: &str) -> Option<Vec<u8>> {
    let file = fs::read(directory().join(name)).ok()?;
    if !name.ends_with(".zip") {
        return Some(file);
    }
    let mut zip = zip::ZipArchive::new(Cursor::new(file)).unwrap();
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

fn each(bytes: &[u8], mut see: impl FnMut(&Record<'_>)) {
    let mut log = Log::new(bytes).unwrap();
    while let Some(record) = log.next().unwrap() {
        see(&record);
    }
}

/// How many stacks there are as frames, as keys in the kernel and in user mode, and how many of all of them are of no record
/// of their time and thread.
fn walks(bytes: &[u8]) -> [u64; 4] {
    let mut logged: HashMap<Ticks, HashSet<Option<u32>>> = HashMap::new();
    each(bytes, |record| {
        if Kind::of(record) != Kind::StackWalk {
            logged.entry(record.time).or_default().insert(record.thread);
        }
    });
    let [mut frames, mut kernel, mut user, mut strays] = [0; 4];
    each(bytes, |record| {
        if Kind::of(record) != Kind::StackWalk {
            return;
        }
        let of = match StackRecord::read(record).unwrap() {
            StackRecord::Walk { of, .. } => {
                frames += 1;
                of
            }
            StackRecord::KernelKey { of } => {
                kernel += 1;
                of
            }
            StackRecord::UserKey { of, .. } => {
                user += 1;
                of
            }
            StackRecord::Definition { .. } => return,
        };
        let there = logged
            .get(&of.time)
            .is_some_and(|threads| threads.contains(&None) || threads.contains(&Some(of.tid)));
        strays += u64::from(!there);
    });
    [frames, kernel, user, strays]
}

/// The stacks of the logs that have some, as `tests/etl/byhand.py` counts them.
const WALKS: [(&str, [u64; 4]); 2] =
    [("net.4.5.2.x64.etl", [252, 2061, 7046, 0]), ("win7-net45-x86.etl.zip", [18_532, 0, 0, 0])];

#[test]
fn every_stack_is_of_a_record() {
    // 27,891 in all.
    for (name, expected) in WALKS {
        assert_eq!(walks(&load!(name)), expected, "{name}");
    }
}

#[test]
fn every_key_stands_for_frames() {
    let bytes = load!("net.4.5.2.x64.etl");
    let mut last = BTreeMap::new();
    each(&bytes, |record| {
        if Kind::of(record) == Kind::StackWalk
            && let Some(StackRecord::Definition { key, frames }) = StackRecord::read(record)
        {
            assert!(frames.iter().len() > 0);
            last.insert(key, record.time);
        }
    });
    let (mut known, mut unknown) = (0, 0);
    each(&bytes, |record| {
        if Kind::of(record) == Kind::StackWalk
            && let Some(StackRecord::UserKey { of, key }) = StackRecord::read(record)
        {
            match last.get(&key).is_some_and(|time| *time >= of.time) {
                true => known += 1,
                false => unknown += 1,
            }
        }
    });
    assert_eq!((known, unknown), (7046, 0));
}

/// Records by name, opcode and version; those that cannot be read have a question mark.
fn said(bytes: &[u8]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    each(bytes, |record| {
        let (name, read) = match Kind::of(record) {
            Kind::ImageMapped | Kind::ImageUnmapped => ("image", Image::read(record).is_some()),
            Kind::ProcessStart | Kind::ProcessEnd | Kind::ProcessFound => {
                ("process", ProcessRecord::read(record).is_some())
            }
            Kind::Symbols => ("symbols", SymbolRecord::read(record).is_some()),
            Kind::VirtualAlloc | Kind::VirtualFree => ("range", Range::read(record).is_some()),
            Kind::Heap => ("heap", true),
            _ => return,
        };
        let doubt = if read { "" } else { "?" };
        let key = format!("{name}{doubt} {} v{}", record.opcode, record.version);
        *counts.entry(key).or_default() += 1;
    });
    counts
}

/// The counts are those of `tests/etl/byhand.py`, which finds the records by their headers alone; that their payloads can be
/// read is our reader's word. Two files have payloads of 64 bits behind headers that say 32, in a log that says 32: those are
/// not read. No Windows wrote them so: a 32-bit program did, for tests of Google's Sawbuck, which is told of each file how wide
/// its pointers are ("artificially created test logs", its `KernelLogConsumerTest` says).
const SAID: [(&str, &[(&str, u64)]); 10] = [
    (
        "diaghub.kernel.1.etl",
        &[
            ("image 10 v3", 87),
            ("image 2 v3", 143),
            ("image 3 v3", 187),
            ("image 4 v3", 15_017),
            ("process 1 v4", 18),
            ("process 2 v4", 3),
            ("process 3 v4", 223),
            ("process 4 v4", 223),
        ],
    ),
    ("image_data_32_v0.etl", &[("image 10 v0", 1), ("image 2 v0", 1), ("image 3 v0", 24)]),
    ("image_data_32_v2.etl", &[("image 10 v2", 1), ("image 2 v2", 1), ("image 3 v2", 24)]),
    ("image_data_64_v1.etl", &[("image? 10 v1", 1), ("image? 2 v1", 1), ("image? 3 v1", 24)]),
    (
        "net.4.5.2.x64.etl",
        &[
            ("image 10 v2", 35),
            ("image 2 v2", 32),
            ("image 3 v2", 1763),
            ("image 4 v2", 1766),
            ("process 1 v4", 1),
            ("process 2 v4", 1),
            ("process 3 v4", 32),
            ("process 4 v4", 32),
            ("symbols 0 v2", 3590),
            ("symbols 32 v2", 12),
            ("symbols 36 v2", 3534),
            ("symbols 37 v2", 44),
            ("symbols 64 v0", 705),
        ],
    ),
    ("powershell.etl", &[]),
    ("process_data_32_v1.etl", &[("process 1 v1", 1), ("process 2 v1", 1)]),
    (
        "process_data_64_v3.etl",
        &[("process? 1 v3", 1), ("process? 2 v3", 1), ("process? 3 v3", 3), ("process? 4 v3", 3)],
    ),
    ("smallEtlFile.etl", &[]),
    (
        "win7-net45-x86.etl.zip",
        &[
            ("image 10 v2", 111),
            ("image 2 v2", 109),
            ("image 3 v2", 2688),
            ("image 4 v2", 2696),
            ("process 1 v3", 2),
            ("process 2 v3", 2),
            ("process 3 v3", 46),
            ("process 4 v3", 46),
            ("symbols 0 v2", 5598),
            ("symbols 32 v2", 32),
            ("symbols 36 v2", 5544),
            ("symbols 37 v2", 44),
            ("symbols 64 v0", 721),
        ],
    ),
];

#[test]
fn images_processes_and_symbols_are_read() {
    for (name, expected) in SAID {
        let said = said(&load!(name));
        let said: Vec<_> = said.iter().map(|(key, count)| (key.as_str(), *count)).collect();
        assert_eq!(said, expected, "{name}");
    }
}

/// Told the width that their headers do not have, as their own tests do, both are read to the last.
#[test]
fn payloads_of_64_bits_have_the_layout_that_is_read() {
    let (mut images, mut processes) = (Vec::new(), Vec::new());
    for name in ["image_data_64_v1.etl", "process_data_64_v3.etl"] {
        each(&load!(name), |record| {
            assert_eq!(record.width, Width::Bits32);
            let record = Record { width: Width::Bits64, ..*record };
            match Kind::of(&record) {
                Kind::ImageMapped | Kind::ImageUnmapped => {
                    images.push(Image::read(&record).unwrap());
                }
                Kind::ProcessStart | Kind::ProcessEnd | Kind::ProcessFound => {
                    processes.push(ProcessRecord::read(&record).unwrap());
                }
                _ => {}
            }
        });
    }
    assert_eq!((images.len(), processes.len()), (26, 8));
    let ntdll = images.iter().find(|image| image.path.ends_with(r"\ntdll.dll")).unwrap();
    assert_eq!((ntdll.base.0, ntdll.size.0, ntdll.pid), (0x76e1_0000, 0x0012_7000, Some(7644)));
    assert!(images.iter().all(|image| image.path.starts_with(r"C:\") && image.pid == Some(7644)));
    let names: Vec<_> = processes.iter().map(|process| (process.pid, &*process.name)).collect();
    assert_eq!(names.get(..3).unwrap(), [(0, "Idle"), (4, "System"), (264, "smss.exe")]);
}

#[cfg(target_os = "linux")]
#[test]
fn the_counts_are_those_of_a_count_by_hand() {
    if !directory().exists() {
        support::skip!("{} is not there", directory().display());
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/etl/byhand.py");
    let files = ALL.map(|name| directory().join(name));
    let output = match Command::new("python3").arg(script).args(files).output() {
        Ok(output) => output,
        Err(why) => support::skip!("python3 does not run: {why}"),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let counted = String::from_utf8(output.stdout).unwrap();
    let mut expected = String::new();
    for (name, said) in SAID {
        let mut said: Vec<_> = said
            .iter()
            .map(|(key, count)| format!(" {}:{count}", key.replace('?', "").replace(' ', "_")))
            .collect();
        said.sort();
        let walks = WALKS.iter().find(|(of, _)| *of == name).map_or([0; 4], |(_, walks)| *walks);
        let walks = walks.map(|count| format!(" {count}")).concat();
        expected += &format!("{name} said{}\n{name} walks{walks}\n", said.concat());
    }
    assert_eq!(counted, expected);
}

#[test]
fn a_real_image_process_and_file() {
    let bytes = load!("process_data_32_v1.etl");
    each(&bytes, |record| {
        if Kind::of(record) == Kind::ProcessStart {
            let process = ProcessRecord::read(record).unwrap();
            assert_eq!(
                (process.pid, process.parent, process.name.as_str()),
                (1776, 988, "notepad.exe")
            );
        }
    });
    let bytes = load!("net.4.5.2.x64.etl");
    let (mut ntdll, mut versions) = (None, BTreeMap::new());
    let mut pdbs = 0;
    each(&bytes, |record| match Kind::of(record) {
        Kind::ImageMapped => {
            let image = Image::read(record).unwrap();
            if image.path.ends_with(r"\System32\ntdll.dll") {
                ntdll = Some(image);
            }
        }
        Kind::Symbols => match SymbolRecord::read(record).unwrap() {
            SymbolRecord::Version { stamp, version } => drop(versions.insert(stamp, version)),
            SymbolRecord::Pdb { pdb, .. } => pdbs += u64::from(pdb.name.ends_with(".pdb")),
            _ => {}
        },
        _ => {}
    });
    let ntdll = ntdll.unwrap();
    assert!(ntdll.path.starts_with(r"\Device\HarddiskVolume"));
    let version =
        versions.values().find(|v| v.original_name.eq_ignore_ascii_case("ntdll.dll")).unwrap();
    assert!(version.file_version.as_deref().unwrap().starts_with("6.2.9200"), "{version:?}");
    assert_eq!(version.company.as_deref(), Some("Microsoft Corporation"));
    assert!(pdbs > 3000);
}

/// Real logs of which no heap was traced: that is what is said, never that nothing leaks.
#[test]
fn a_log_without_heaps_is_no_clean_bill() {
    for name in ALL {
        let bytes = load!(name);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        fs::write(&path, &bytes).unwrap();
        let run =
            Command::new(env!("CARGO_BIN_EXE_unfreed")).arg("analyze").arg(&path).output().unwrap();
        let (out, err) =
            (String::from_utf8(run.stdout).unwrap(), String::from_utf8(run.stderr).unwrap());
        assert_eq!(run.status.code(), Some(0), "{name}: {out}{err}");
        let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains("No verdict.") && words.contains("no heap events in this log"),
            "{name}: {out}"
        );
        assert!(!words.contains("No suspect"), "{name}: {out}");
    }
}

#[test]
fn real_logs_become_events_twice_the_same() {
    for name in ALL {
        let bytes = load!(name);
        let read = |reader: &mut dyn Source| {
            let (mut all, mut batch) = (Vec::new(), Vec::new());
            while reader.next_batch(&mut batch).unwrap() {
                all.append(&mut batch);
            }
            assert!(all.is_sorted_by_key(|event| event.time), "{name}");
            (all, reader.faults().to_vec())
        };
        let again = Box::new(|| Ok(Box::new(Cursor::new(&bytes)) as Box<dyn Seekable>));
        assert_eq!(
            read(&mut Reader::new(&bytes[..]).unwrap()),
            read(&mut Reader::file(again).unwrap())
        );
    }
}
