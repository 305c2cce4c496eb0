//! The probe's stacks against framehop's in the same run. The program records its registers and its stack at each
//! allocation; framehop walks the copy by the files' own `.eh_frame`. Every frame of every stack must be the same.
//!
//! `cargo test --test attached_framehop -- --ignored --nocapture` compares more than 100,000.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod attached;
mod support;
mod traced;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;

use attached::{require_attach, stacks};
use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
use framehop::{ExplicitModuleSectionInfo, FrameAddress, Module, Unwinder};
use object::{Object, ObjectSection};
use support::oracle::{self, Agreement, Allocation, Copied};
use traced::Traced;

/// Frames at most: more than both sides take.
const DEPTH: usize = 256;

/// A file's unwind tables, as framehop wants them.
fn sections(bytes: &[u8]) -> ExplicitModuleSectionInfo<Vec<u8>> {
    let file = object::File::parse(bytes).unwrap();
    let range = |name| {
        let section = file.section_by_name(name)?;
        Some(section.address()..section.address() + section.size())
    };
    let data = |name| Some(file.section_by_name(name)?.data().ok()?.to_vec());
    ExplicitModuleSectionInfo {
        base_svma: 0,
        text_svma: range(".text"),
        text: data(".text"),
        got_svma: range(".got"),
        eh_frame_svma: range(".eh_frame"),
        eh_frame: data(".eh_frame"),
        eh_frame_hdr_svma: range(".eh_frame_hdr"),
        eh_frame_hdr: data(".eh_frame_hdr"),
        ..Default::default()
    }
}

fn unwinder(traced: &Traced) -> UnwinderX86_64<Vec<u8>> {
    let mut unwinder = UnwinderX86_64::new();
    for (load_bias, path) in stacks::loaded(traced).into_values() {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let file = object::File::parse(&*bytes).unwrap();
        let ends = file.sections().map(|section| section.address() + section.size());
        let end = ends.max().unwrap_or_default();
        let name = path.to_string_lossy().into_owned();
        let range = load_bias..load_bias + end;
        unwinder.add_module(Module::new(name, range, load_bias, sections(&bytes)));
    }
    unwinder
}

/// The frames of a copied stack, and whether they are all.
fn walk(
    unwinder: &UnwinderX86_64<Vec<u8>>,
    cache: &mut CacheX86_64,
    caller: u64,
    copied: &Copied,
) -> (Vec<u64>, bool) {
    let mut read = |address: u64| {
        let at = address.checked_sub(copied.sp).ok_or(())? / 8;
        copied.words.get(at as usize).copied().ok_or(())
    };
    let mut registers = UnwindRegsX86_64::new(caller, copied.sp, copied.bp);
    let mut frames = vec![caller];
    while frames.len() < DEPTH {
        let pc = frames[frames.len() - 1];
        let address = FrameAddress::from_return_address(pc).unwrap();
        match unwinder.unwind_frame(address, &mut registers, cache, &mut read) {
            Ok(Some(pc)) => frames.push(pc),
            Ok(None) => return (frames, true),
            Err(_) => break,
        }
    }
    (frames, false)
}

#[track_caller]
fn check(command: &[OsString], most: u64, least: u64) -> Agreement {
    let (run, traced) = stacks::both(command, most, &[(oracle::COPIES, "1".into())]);
    let unwinder = unwinder(&traced);
    let mut cache = CacheX86_64::new();
    let theirs: Vec<Allocation> = run
        .allocations
        .iter()
        .zip(&run.copies)
        .filter_map(|(allocation, copied)| {
            let (caller, copied) = (*allocation.frames.first()?, copied.as_ref()?);
            let (frames, complete) = walk(&unwinder, &mut cache, caller, copied);
            Some(Allocation { frames, complete, ..allocation.clone() })
        })
        .collect();
    let ours = stacks::allocations(&traced);
    let agreement = oracle::compare(&theirs, &ours, std::slice::from_ref(&run.own))
        .unwrap_or_else(|difference| panic!("{difference}"));
    println!("{}: {agreement:?}", Path::new(&command[0]).display());
    assert!(agreement.whole >= least, "too few to prove anything: {agreement:?}");
    assert!(agreement.partial * 100 <= agreement.whole, "cut short: {agreement:?}");
    agreement
}

/// Each of the four programs, at most so many of each and at least so many the same in all.
#[track_caller]
fn check_all(most: u64, least: u64) {
    let rustc = support::require!("rustc");
    let python = support::require!("python3");
    support::require!("c++");
    require_attach!();
    let directory = tempfile::tempdir().unwrap();
    let commands = [
        ("C", stacks::c()),
        ("C++", stacks::cxx()),
        ("Rust", stacks::rust(rustc.as_ref(), directory.path())),
        ("Python", stacks::python(python.as_ref())),
    ];
    let of =
        |(name, command): &(&'static str, Vec<OsString>)| (*name, check(command, most, most / 2));
    let agreed: HashMap<&str, Agreement> = commands.iter().map(of).collect();
    let whole: u64 = agreed.values().map(|agreement| agreement.whole).sum();
    println!("{whole} stacks are framehop's from end to end");
    assert!(whole >= least, "{agreed:?}");
}

#[test]
fn stacks_agree_with_framehop_s() {
    check_all(3_000, 10_000);
}

#[test]
#[ignore = "writes a gigabyte of copied stacks"]
fn more_than_a_hundred_thousand_stacks_agree_with_framehop_s() {
    check_all(40_000, 100_000);
}
