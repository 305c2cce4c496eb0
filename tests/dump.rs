//! Core dumps, made up byte by byte as the kernel lays them out: what is found in them, what they leave out, and
//! damage of every kind. `tests/scan.rs` has real ones.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::io::Write;

use proptest::prelude::*;
use unfreed::dump::{DumpError, scan};
use unfreed::event::*;
use unfreed::ledger::Ledger;

const PID: u32 = 4711;
const PROGRAM: u64 = 0x5555_0000_0000;
const DATA: u64 = PROGRAM + 0x4000;
const HEAP: u64 = PROGRAM + 0x10_0000;
const MAPPED: u64 = 0x7f00_0000_0000;
const STACK: u64 = 0x7ffd_0000_0000;
const PAGE: usize = 4096;

/// A part of a core's memory: so much of `bytes` is in the file, of so many pages.
#[derive(Clone)]
struct Part {
    at: u64,
    pages: usize,
    flags: u32,
    bytes: Vec<u8>,
}

fn part(at: u64, flags: u32, words: &[(u64, u64)]) -> Part {
    let mut bytes = vec![0; PAGE];
    for (address, value) in words {
        let offset = (address - at) as usize;
        bytes[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
    }
    Part { at, pages: 1, flags, bytes }
}

fn little(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn note(kind: u32, content: &[u8]) -> Vec<u8> {
    let mut note = Vec::new();
    for word in [5, content.len() as u32, kind] {
        note.extend(word.to_le_bytes());
    }
    note.extend(b"CORE\0\0\0\0");
    note.extend(content);
    note.resize(note.len().next_multiple_of(4), 0);
    note
}

/// What the kernel says of a thread that it stopped.
fn status(signal: u16, stack: u64, register: u64) -> Vec<u8> {
    let mut status = vec![0; 112];
    status[12..14].copy_from_slice(&signal.to_le_bytes());
    status[32..36].copy_from_slice(&PID.to_le_bytes());
    let mut registers = [0; 27];
    (registers[0], registers[19]) = (register, stack);
    status.extend(little(&registers));
    status.extend([0; 8]);
    status
}

fn process(pid: u32) -> Vec<u8> {
    let mut process = vec![0; 136];
    process[24..28].copy_from_slice(&pid.to_le_bytes());
    process[40..46].copy_from_slice(b"broker");
    process
}

fn files(program: &str) -> Vec<u8> {
    let of = [(PROGRAM, PROGRAM + 0x1000), (DATA, DATA + 0x1000)];
    let mut files = little(&[of.len() as u64, PAGE as u64]);
    of.iter().for_each(|(start, end)| files.extend(little(&[*start, *end, 0])));
    of.iter().for_each(|_| files.extend([program.as_bytes(), b"\0"].concat()));
    files
}

/// A core of these notes and parts.
fn core(notes: &[Vec<u8>], parts: &[Part]) -> Vec<u8> {
    let notes = notes.concat();
    let mut core = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x04\0\x3e\0\x01\0\0\0".to_vec();
    core.extend(little(&[0, 64, 0]));
    for half in [0u16, 0, 64, 56, parts.len() as u16 + 1, 64, 0, 0] {
        core.extend(half.to_le_bytes());
    }
    let mut offset = (64 + 56 * (parts.len() + 1)) as u64;
    let mut header = |kind: u32, flags: u32, at: u64, length: u64, memory: u64| {
        core.extend([kind.to_le_bytes(), flags.to_le_bytes()].concat());
        core.extend(little(&[offset, at, 0, length, memory, 1]));
        offset += length;
    };
    header(4, 0, 0, notes.len() as u64, 0);
    for Part { at, pages, flags, bytes } in parts {
        header(1, *flags, *at, bytes.len() as u64, (pages * PAGE) as u64);
    }
    core.extend(notes);
    parts.iter().for_each(|part| core.extend(&part.bytes));
    core
}

/// The program's blocks are 64 bytes each and lie in its heap one by one.
fn block(n: u64) -> u64 {
    HEAP + 0x100 + 0x40 * n
}

fn usual_notes() -> Vec<Vec<u8>> {
    vec![
        note(1, &status(6, STACK + 0x800, block(3))),
        note(3, &process(PID)),
        note(6, &little(&[3, PROGRAM + 64, 25, STACK + 0xf00, 0, 0])),
        note(0x4649_4c45, &files("/usr/sbin/broker")),
    ]
}

/// Block 0 is held by a global and holds 1, 2 by the stack, 3 by a register, 4 by mapped memory, 5 by what is below the
/// stack pointer, and 6 and 7 by each other.
fn usual_parts() -> Vec<Part> {
    let heap = [(block(0) + 8, block(1)), (block(6), block(7)), (block(7), block(6) + 16)];
    vec![
        part(PROGRAM, 4, &[(PROGRAM, u64::from_le_bytes(*b"\x7fELF\x02\x01\x01\0"))]),
        part(DATA, 6, &[(DATA + 0x10, block(0))]),
        part(HEAP, 6, &heap),
        part(MAPPED, 6, &[(MAPPED + 0x20, block(4))]),
        part(STACK, 6, &[(STACK + 0x900, block(2)), (STACK + 0x100, block(5))]),
    ]
}

fn event(at: u64, what: What) -> Event {
    Event { time: Time(at), process: ProcessId(0), thread: Tid(1), what }
}

/// A trace of eight blocks, which ends by a signal or without an end.
fn ledger(blocks: &[(u64, u64)], exit: Option<Exit>) -> Ledger {
    let mut ledger = Ledger::default();
    let name = "broker".to_owned();
    let process = Process { pid: PID, name, from_start: true, ..Process::default() };
    ledger.apply(&event(0, What::Process(Box::new(process))));
    let identity = unfreed_symbols::ModuleIdentity { name: "broker".into(), ..Default::default() };
    let (base, size) = (Address(PROGRAM), Bytes(0x5000));
    let module = Module { id: ModuleId(0), identity, base, size };
    ledger.apply(&event(0, What::Module(Box::new(module))));
    for (n, (address, size)) in blocks.iter().enumerate() {
        let frame = Frame { module: None, offset: n as u64 + 1, trust: Trust::Table };
        ledger.apply(&event(1, What::Stack(StackNode { caller: StackId::COMPLETE, frame })));
        let (stack, heap) = (StackId(StackId::FIRST.0 + n as u32), HeapId::DEFAULT);
        let (address, size, function) = (Address(*address), Bytes(*size), Function::Malloc);
        ledger.apply(&event(1, What::Alloc(Alloc { address, size, stack, function, heap })));
    }
    ledger.apply(&event(2, What::Epoch));
    if let Some(exit) = exit {
        ledger.apply(&event(2, What::ProcessExit(exit)));
    }
    ledger
}

fn usual_ledger() -> Ledger {
    let blocks: Vec<(u64, u64)> = (0..8).map(|n| (block(n), 0x30)).collect();
    ledger(&blocks, Some(Exit::Signal(6)))
}

fn look(core: &[u8], ledger: &mut Ledger) -> Result<ProcessId, DumpError> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(core).unwrap();
    scan(file, ledger, None)
}

/// What leads to each block that was looked for.
fn roots(ledger: &Ledger) -> Vec<(u64, Option<Root>)> {
    let of = |reach: &Reach| (u64::from(reach.stack.0 - StackId::FIRST.0), reach.root);
    ledger.sites().flat_map(|(_, site)| site.reach()).map(of).collect()
}

fn kinds(ledger: &Ledger) -> Vec<(u64, Option<RootKind>)> {
    roots(ledger).into_iter().map(|(n, root)| (n, root.map(|root| root.kind))).collect()
}

fn found(ledger: &Ledger) -> Scan {
    ledger.images()[0].scan.clone().unwrap()
}

#[test]
fn what_refers_to_a_block_is_found_in_a_core() {
    use RootKind::{Global, Mapping, Register, Stack};
    let mut ledger = usual_ledger();
    look(&core(&usual_notes(), &usual_parts()), &mut ledger).unwrap();
    let scan = found(&ledger);
    assert!(scan.whole && scan.exact && scan.unread == Unread::default(), "{scan:?}");
    let expected =
        [Global, Global, Stack, Register, Mapping].map(Some).into_iter().chain([None; 3]);
    assert_eq!(kinds(&ledger), (0..).zip(expected).collect::<Vec<_>>());
    let global = Root { kind: Global, module: Some(ModuleId(0)), offset: 0x4010 };
    assert_eq!(roots(&ledger)[0].1, Some(global));
}

#[test]
fn what_a_core_was_written_without_is_said() {
    let mut ledger = usual_ledger();
    let mut parts = usual_parts();
    // Of the heap nothing is there, and of mapped memory nobody knows a block: it may never have been used.
    parts[2].bytes.clear();
    parts[3].bytes.clear();
    look(&core(&usual_notes(), &parts), &mut ledger).unwrap();
    let scan = found(&ledger);
    assert!(!scan.whole && scan.unread.own == Bytes(4096), "{scan:?}");
    let what = scan.unread.what.unwrap();
    assert_eq!(what, format!("the core was written without the heap at {HEAP:#x}, 4 KiB"));
}

#[test]
fn a_core_that_was_cut_says_what_it_lacks() {
    let mut ledger = usual_ledger();
    let mut parts = usual_parts();
    parts.rotate_left(3);
    let whole = core(&usual_notes(), &parts);
    look(&whole[..whole.len() - 6000], &mut ledger).unwrap();
    let scan = found(&ledger);
    assert!(!scan.whole && scan.unread.own == Bytes(6000), "{scan:?}");
    assert!(scan.unread.what.unwrap().starts_with("the core was cut short"));
    // Nor is it one if it has no stack.
    parts.rotate_left(2);
    let whole = core(&usual_notes(), &parts);
    assert!(matches!(look(&whole[..whole.len() - 4000], &mut ledger), Err(DumpError::NoStacks)));
}

#[test]
fn blocks_where_the_core_has_no_memory_are_not_called_lost() {
    let blocks = [(block(0), 0x30), (0x7000_0000_0000, 64), (STACK + 0xff8, 64), (u64::MAX, 9)];
    let mut ledger = ledger(&blocks, None);
    look(&core(&usual_notes(), &usual_parts()), &mut ledger).unwrap();
    assert_eq!(kinds(&ledger), [(0, Some(RootKind::Global))]);
    let scan = found(&ledger);
    assert!(!scan.whole && !scan.exact, "{scan:?}");
    let what = scan.unread.what.unwrap();
    assert!(what.contains("when the core was taken is not known"), "{what}");
    assert!(what.contains("3 of the blocks were not there"), "{what}");
}

#[test]
fn the_core_of_another_process_is_refused() {
    let mut notes = usual_notes();
    notes[1] = note(3, &process(1));
    let refused = look(&core(&notes, &usual_parts()), &mut usual_ledger()).unwrap_err();
    let said = "it is of process 1, which is not in the trace (there are: 4711)";
    assert_eq!(refused.to_string(), said);
    let mut notes = usual_notes();
    notes[3] = note(0x4649_4c45, &files("/usr/bin/other"));
    let refused = look(&core(&notes, &usual_parts()), &mut usual_ledger()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "it is of /usr/bin/other, but process 4711 of the trace is broker"
    );
    // Removed since it was executed, it is the same.
    notes[3] = note(0x4649_4c45, &files("/usr/sbin/broker (deleted)"));
    look(&core(&notes, &usual_parts()), &mut usual_ledger()).unwrap();
    let mut arm = core(&usual_notes(), &usual_parts());
    arm[18] = 183;
    let refused = look(&arm, &mut usual_ledger()).unwrap_err();
    assert!(matches!(refused, DumpError::OtherMachine));
}

/// Numbers that would take all memory, or all time, if they were believed.
#[test]
fn impossible_numbers_take_no_room() {
    let huge: Vec<(u64, u64)> =
        (0..2000).map(|n| (n << 35 | 1 << 20, u64::MAX >> (n % 64))).collect();
    let mut parts = usual_parts();
    parts[3] = Part { at: 1 << 44, pages: 1 << 33, ..parts[3].clone() };
    parts.sort_by_key(|part| part.at);
    let mut notes = usual_notes();
    notes[0] = note(1, &status(6, 1 << 44, u64::MAX));
    look(&core(&notes, &parts), &mut ledger(&huge, None)).unwrap();
    // As many files, segments, notes as there can be numbers.
    let mut files = files("/usr/sbin/broker");
    files[..8].fill(0xff);
    notes[3] = note(0x4649_4c45, &files);
    let mut many = core(&notes, &parts);
    many[56..58].fill(0xff);
    let _ = look(&many, &mut usual_ledger());
    // The same bytes of the file a hundred times.
    let mut repeated = core(&usual_notes(), &vec![part(MAPPED, 6, &[]); 100]);
    for n in 0..100 {
        let at = 64 + 56 * (n + 1);
        repeated[at + 8..at + 16].copy_from_slice(&0u64.to_le_bytes());
        let start = MAPPED + n as u64 * (1 << 30);
        repeated[at + 16..at + 24].copy_from_slice(&start.to_le_bytes());
        repeated[at + 32..at + 40].copy_from_slice(&300_000u64.to_le_bytes());
        repeated[at + 40..at + 48].copy_from_slice(&300_000u64.to_le_bytes());
    }
    let refused = look(&repeated, &mut usual_ledger()).unwrap_err();
    assert!(matches!(refused, DumpError::Damaged(_)), "{refused}");
}

/// The seed of the fuzz target `dump`: `UPDATE_SEEDS=1` writes it. Its parts are short, so that most of its bytes matter.
#[test]
fn the_seed_is_what_its_recipe_says() {
    let short = |part: Part| {
        let end = part.bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        Part { bytes: part.bytes[..end.next_multiple_of(8)].to_vec(), ..part }
    };
    let parts: Vec<Part> = usual_parts().into_iter().map(short).collect();
    let seed = core(&usual_notes(), &parts);
    look(&seed, &mut usual_ledger()).unwrap();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/dump/core");
    if std::env::var_os("UPDATE_SEEDS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &seed).unwrap();
    }
    assert!(std::fs::read(&path).unwrap() == seed, "UPDATE_SEEDS=1 writes {}", path.display());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is in the file: an answer or an error.
    #[test]
    fn damage_is_survived(
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![any::<u64>(), 0_u64..100, Just(u64::MAX)], 1_usize..9), 1..6),
        early in any::<bool>(), cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut core = core(&usual_notes(), &usual_parts());
        // Most bytes are memory, where nothing can go wrong.
        let most = if early { 1400 } else { core.len() };
        for (at, value, length) in changes {
            let at = at.index(most);
            let end = (at + length).min(core.len());
            core[at..end].copy_from_slice(&value.to_le_bytes()[..end - at]);
        }
        if let Some(cut) = cut {
            core.truncate(cut.index(core.len()));
        }
        let _ = look(&core, &mut usual_ledger());
    }
}
