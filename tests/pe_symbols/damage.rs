//! Damaged PEs and PDBs: cut off, with bits flipped, with whole pages of noise. They may give fewer names;
//! they never panic, never hang and never take memory out of proportion.

use std::fs;
use std::sync::LazyLock;

use proptest::prelude::*;
use unfreed_symbols::{
    Flow, ModuleIdentity, ModuleOffset, PdbFacts, PdbId, PeFile, Symbols, UnwindRows, entries,
    image_size,
};

use super::{BOTH, Shelf, mixed, windows};
use crate::support;

/// A DLL and its PDB, for x86 and x64; none where the tools are missing.
static FILES: LazyLock<Vec<(Vec<u8>, Vec<u8>)>> = LazyLock::new(|| {
    if let Some(tool) = windows::TOOLS.iter().find(|tool| support::skip::tool(tool).is_none()) {
        support::skip::announce(&format!("{tool} is not installed"), file!(), line!());
        return Vec::new();
    }
    let built = BOTH.map(mixed);
    built.iter().map(|b| (fs::read(&b.dll).unwrap(), fs::read(&b.pdb).unwrap())).collect()
});

/// Asks what who attaches to a process asks.
fn ask_for_code(dll: &[u8]) {
    if let Ok(UnwindRows(rows)) = UnwindRows::read(dll) {
        assert!(rows.is_sorted_by_key(|row| row.from));
    }
    let _ = image_size(dll);
    for entry in entries(dll, &["List"]).unwrap_or_default() {
        assert!(entry.code.len() <= 64);
    }
    if let Ok(flow) = Flow::read(dll) {
        for address in (0x0ff0..0x1180).chain([0, u64::MAX]) {
            let _ = (flow.code(address), flow.offset(address));
        }
    }
}

/// Asks everything there is to ask.
fn ask(dll: &[u8], pdb: &[u8]) {
    ask_for_code(dll);
    let file = PeFile::read(dll);
    assert_eq!(file, PeFile::read_from(std::io::Cursor::new(dll)), "both ways of reading agree");
    let facts = PdbFacts::read(pdb.to_vec());
    for with_pdb in [true, false] {
        let mut module = ModuleIdentity::of_path(r"C:\mixed.dll");
        // The PDB is the wanted one, whatever it says.
        module.pdb = facts.as_ref().ok().map(|facts| {
            let (guid, age) = (facts.guid.clone(), facts.age);
            PdbId { guid, age, name: "mixed.pdb".to_owned() }
        });
        let mut shelf = Shelf::default();
        if with_pdb {
            shelf.pdbs.push(("mixed.pdb".to_owned(), pdb.to_vec()));
        } else {
            module.pdb = None;
            shelf.images.push(("mixed.dll".to_owned(), dll.to_vec()));
        }
        let symbols = Symbols::load_pe(&module, &mut shelf).symbols;
        for offset in (0x0ff0..0x1180).chain([0, 0x4000, 0xffff_fffe, 0xffff_ffff, u64::MAX]) {
            let frames = symbols.frames(ModuleOffset(offset));
            assert!(frames.iter().rev().skip(1).all(|frame| frame.inlined));
            assert!(frames.last().is_none_or(|frame| !frame.inlined));
            if let Some(extent) = symbols.extent(ModuleOffset(offset)) {
                assert!(extent.start.0 <= offset && offset - extent.start.0 < extent.size);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn flipped_bits_are_survived(
        which in any::<prop::sample::Index>(),
        near in any::<prop::sample::Index>(),
        flips in prop::collection::vec((0..4096_usize, 0..8_u32), 1..24),
    ) {
        if FILES.is_empty() { return Ok(()); }
        let (mut dll, mut pdb) = which.get(&FILES).clone();
        for bytes in [&mut dll, &mut pdb] {
            let page = near.index(bytes.len()) & !0xfff;
            for (at, bit) in &flips {
                let at = (page + at) % bytes.len();
                bytes[at] ^= 1 << bit;
            }
        }
        ask(&dll, &pdb);
    }

    #[test]
    fn words_that_claim_much_are_survived(
        which in any::<prop::sample::Index>(),
        places in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(vec![0_u32, 1, 0xff, 0xffff, 0x7fff_ffff, 0xffff_fff0, u32::MAX])), 1..8),
    ) {
        if FILES.is_empty() { return Ok(()); }
        let (mut dll, mut pdb) = which.get(&FILES).clone();
        for bytes in [&mut dll, &mut pdb] {
            for (place, word) in &places {
                let at = place.index(bytes.len() - 4) & !3;
                bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
            }
        }
        ask(&dll, &pdb);
    }

    #[test]
    fn truncation_is_survived(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>()) {
        if FILES.is_empty() { return Ok(()); }
        let (dll, pdb) = which.get(&FILES);
        ask(&dll[..at.index(dll.len())], &pdb[..at.index(pdb.len())]);
    }

    #[test]
    fn noise_after_a_magic_number_is_survived(noise in prop::collection::vec(any::<u8>(), 0..9000)) {
        let pdb = [b"Microsoft C/C++ MSF 7.00\r\n\x1aDS\0\0\0", &noise[..]].concat();
        let dll = [b"MZ", &noise[..]].concat();
        ask(&dll, &pdb);
    }
}
