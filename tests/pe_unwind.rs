//! Unwind rules made of `.pdata` against an independent reader of it, framehop, at every return address of every
//! function: of stand-ins that are built here, and of Wine's own modules, where gcc made the frames.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;
mod windows;

use std::ops::Range;
use std::path::Path;

use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
use framehop::{FrameAddress, Module, ModuleSectionInfo, Unwinder};
use unfreed_symbols::{CallerFrame, FrameBase, SavedBase, UnwindRow, UnwindRows};
use windows::{Machine, Spec, TOOLS, dll};

const BASE: u64 = 0x1_8000_0000;

/// A part of an image: its name, its addresses, and where it lies in the file.
struct Section {
    name: Vec<u8>,
    rva: Range<u32>,
    file: Range<usize>,
}

/// By the table behind the header that the word at 0x3c leads to.
fn sections(bytes: &[u8]) -> Vec<Section> {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let half = |at: usize| u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap());
    let nt = word(0x3c) as usize;
    let table = nt + 24 + usize::from(half(nt + 20));
    let entries = (0..usize::from(half(nt + 6))).map(|index| table + 40 * index);
    entries
        .map(|at| {
            let (size, rva, length, from) =
                (word(at + 8), word(at + 12), word(at + 16) as usize, word(at + 20) as usize);
            let name = bytes[at..at + 8].split(|byte| *byte == 0).next().unwrap().to_vec();
            Section { name, rva: rva..rva + size, file: from..from + length.min(size as usize) }
        })
        .collect()
}

struct Image<'a> {
    bytes: &'a [u8],
    sections: &'a [Section],
}

impl Image<'_> {
    fn section(&self, name: &[u8]) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }
}

impl ModuleSectionInfo<Vec<u8>> for Image<'_> {
    fn base_svma(&self) -> u64 {
        BASE
    }

    fn section_svma_range(&mut self, name: &[u8]) -> Option<Range<u64>> {
        let rva = &self.section(name)?.rva;
        Some(BASE + u64::from(rva.start)..BASE + u64::from(rva.end))
    }

    fn section_data(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        Some(self.bytes[self.section(name)?.file.clone()].to_vec())
    }
}

/// Behind each near call in a function that `.pdata` knows whose target begins another: return addresses that stacks hold.
fn returns(image: &Image<'_>) -> Vec<u32> {
    let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
    let pdata = &image.bytes[image.section(b".pdata").unwrap().file.clone()];
    let entries = pdata.chunks_exact(12).map(|entry| (word(&entry[..4]), word(&entry[4..8])));
    let mut known: Vec<(u32, u32)> = entries.filter(|(begin, end)| begin < end).collect();
    known.sort_unstable();
    let is_known = |at: u32| {
        let after = known.partition_point(|(begin, _)| *begin <= at);
        after > 0 && at < known[after - 1].1
    };
    let text = image.section(b".text").unwrap();
    let code = &image.bytes[text.file.clone()];
    let calls = code.windows(5).enumerate().filter_map(|(at, bytes)| {
        let back = text.rva.start + at as u32 + 5;
        let target = back.wrapping_add(word(&bytes[1..]));
        let begins = known.binary_search_by_key(&target, |(begin, _)| *begin).is_ok();
        (bytes[0] == 0xe8 && begins && is_known(back - 1)).then_some(back)
    });
    calls.collect()
}

/// What is on the stack: anything, the same each time.
fn on_stack(address: u64) -> u64 {
    address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20 | 1
}

/// Where a row leads: return address, stack pointer and rbp of the caller.
fn caller(row: &UnwindRow, sp: u64, bp: u64) -> Option<(u64, u64, u64)> {
    if let CallerFrame::Machine { offset, saved_offset } = row.caller {
        let frame = sp.wrapping_add_signed(offset.into());
        let saved =
            saved_offset.map_or(bp, |offset| on_stack(frame.wrapping_add_signed(offset.into())));
        return Some((on_stack(frame), on_stack(frame + 24), saved));
    }
    let CallerFrame::At { base, offset, saved, saved_offset } = row.caller else { return None };
    let base = if base == FrameBase::Rsp { sp } else { bp };
    let frame = base.wrapping_add_signed(offset.into());
    let saved = match saved {
        SavedBase::Unchanged => bp,
        SavedBase::AtFrame => on_stack(frame.wrapping_add_signed(saved_offset.into())),
        SavedBase::AtRbp => panic!("{row:?}"),
    };
    Some((on_stack(frame - 8), frame, saved))
}

/// How many return addresses lead to the same frame by both, and of how many we know no rule.
fn agreement(bytes: &[u8]) -> (u32, u32) {
    let sections = sections(bytes);
    let image = Image { bytes, sections: &sections };
    let returns = returns(&image);
    let size = u64::from(sections.iter().map(|section| section.rva.end).max().unwrap());
    let mut unwinder: UnwinderX86_64<Vec<u8>> = UnwinderX86_64::new();
    unwinder.add_module(Module::new("image".to_owned(), BASE..BASE + size, BASE, image));
    let mut cache = CacheX86_64::<_>::new();
    let UnwindRows(rows) = UnwindRows::read(bytes).unwrap();
    assert!(rows.is_sorted_by_key(|row| row.from));
    let (mut same, mut unknown) = (0, 0);
    for back in returns {
        let (sp, bp) = (0x7fff_0000_1000, 0x7fff_0000_4000);
        let address = FrameAddress::from_return_address(BASE + u64::from(back)).unwrap();
        let mut registers = UnwindRegsX86_64::new(BASE + u64::from(back), sp, bp);
        let mut read = |address| Ok(on_stack(address));
        let pc = unwinder.unwind_frame(address, &mut registers, &mut cache, &mut read);
        let after = rows.partition_point(|row| row.from < u64::from(back));
        let row = after.checked_sub(1).map(|at| rows[at]);
        let Some(ours) = row.and_then(|row| caller(&row, sp, bp)) else {
            unknown += 1;
            continue;
        };
        let theirs = (pc.unwrap().unwrap(), registers.sp(), registers.bp());
        assert_eq!(ours, theirs, "{back:#x}: {row:?}");
        same += 1;
    }
    (same, unknown)
}

#[test]
fn rules_of_stand_ins_agree() {
    for tool in TOOLS {
        let _ = support::require!(tool);
    }
    let functions = ["CSession::Logon", "CSession::Logoff", "MAPILogonEx", ".create_heap"];
    let spec = Spec {
        name: "Mapi32.dll",
        version: "6.5.7226.0",
        machine: Machine::X64,
        functions: &functions,
    };
    let (same, unknown) = agreement(&std::fs::read(dll(spec).dll).unwrap());
    // Each calls one.
    assert!(same >= 4, "{same}");
    assert_eq!(unknown, 0);
}

#[test]
fn rules_of_wine_s_own_modules_agree() {
    let Some(home) = support::wine::modules() else { support::skip!("Wine is not installed") };
    for name in ["ntdll.dll", "kernelbase.dll", "kernel32.dll", "msvcrt.dll", "ole32.dll"] {
        let (same, unknown) = agreement(&std::fs::read(Path::new(&home).join(name)).unwrap());
        println!("{name}: {same} the same, {unknown} without a rule");
        assert!(same >= 500 && unknown == 0, "{name}: {same} and {unknown}");
    }
}
