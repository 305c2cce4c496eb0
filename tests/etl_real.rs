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
use unfreed::read::etl::record::{Record, Ticks};
use unfreed::read::etl::stackwalk::StackRecord;
use unfreed::read::etl::symbols::SymbolRecord;
use unfreed::read::etl::virtual_alloc::Range;
use unfreed::read::etl::{Log, Reader};

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

/// How many stacks there are as frames and as keys, and how many of them are of no record of their time and thread.
fn walks(bytes: &[u8]) -> (u64, u64, u64) {
    let mut logged: HashMap<Ticks, HashSet<Option<u32>>> = HashMap::new();
    each(bytes, |record| {
        if Kind::of(record) != Kind::StackWalk {
            logged.entry(record.time).or_default().insert(record.thread);
        }
    });
    let (mut frames, mut keys, mut strays) = (0, 0, 0);
    each(bytes, |record| {
        if Kind::of(record) != Kind::StackWalk {
            return;
        }
        let of = match StackRecord::read(record).unwrap() {
            StackRecord::Walk { of, .. } => {
                frames += 1;
                of
            }
            StackRecord::UserKey { of, .. } | StackRecord::KernelKey { of } => {
                keys += 1;
                of
            }
            StackRecord::Definition { .. } => return,
        };
        let there = logged
            .get(&of.time)
            .is_some_and(|threads| threads.contains(&None) || threads.contains(&Some(of.tid)));
        strays += u64::from(!there);
    });
    (frames, keys, strays)
}

#[test]
fn every_stack_is_of_a_record() {
    assert_eq!(walks(&load!("win7-net45-x86.etl.zip")), (0, 0, 0));
    assert_eq!(walks(&load!("net.4.5.2.x64.etl")), (0, 0, 0));
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
    assert_eq!((known, unknown), (0, 0));
}

#[test]
fn what_the_other_records_say() {
    for name in ALL {
        let bytes = load!(name);
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        each(&bytes, |record| {
            let kind = Kind::of(record);
            let said = match kind {
                Kind::ImageMapped | Kind::ImageUnmapped => {
                    Image::read(record).map(|i| i.path.len())
                }
                Kind::ProcessStart | Kind::ProcessEnd | Kind::ProcessFound => {
                    ProcessRecord::read(record).map(|p| {
                        if name.starts_with("process") {
                            println!("{p:?}")
                        };
                        p.name.len()
                    })
                }
                Kind::Symbols => SymbolRecord::read(record).map(|_| 1),
                Kind::VirtualAlloc | Kind::VirtualFree => Range::read(record).map(|_| 1),
                _ => return,
            };
            *counts
                .entry(format!(
                    "{kind:?} {} v{} {:?}",
                    record.opcode,
                    record.version,
                    said.is_some()
                ))
                .or_default() += 1;
        });
        println!("{name} {counts:#?}");
    }
}
