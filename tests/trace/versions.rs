//! Traces of later versions, and traces that claim too much.

use unfreed::event::*;
use unfreed::read::ReadError;
use unfreed::read::trace::Reader;
use xxhash_rust::xxh3::xxh3_64;

use crate::synth::encode::{chunk, file_header};
use crate::{example, read, written};

/// A trace of one chunk with these records, and an end chunk.
fn trace(records: &[u8], count: usize) -> Vec<u8> {
    let chunk = [chunk(1, records, count, 4, 0, 0), chunk(2, &[], 0, 4, count, 0)].concat();
    [file_header("agent"), chunk].concat()
}

fn check(records: &[u8], count: usize, expected: &[What], fault: &str) {
    let (events, faults) = read(&trace(records, count));
    let whats: Vec<What> = events.into_iter().map(|event| event.what).collect();
    assert_eq!(whats, expected);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].contains(fault), "{faults:?}");
}

#[test]
fn a_later_version_is_refused_with_what_to_do() {
    let (header, events) = example();
    let mut bytes = written(&header, &events);
    bytes[8] = 3;
    let sum = xxh3_64(&bytes[..16]);
    bytes[16..24].copy_from_slice(&sum.to_le_bytes());
    let error = Reader::new(&bytes[..]).err().unwrap();
    assert!(matches!(error, ReadError::TooNew { found: 3 }));
    assert!(error.to_string().contains("use the version that recorded it"));
}

/// A whole trace of version 1: what its writer wrote of the example.
#[test]
fn a_trace_of_version_1_reads_unchanged() {
    let bytes = include_bytes!("../../fuzz/seeds/trace/version-1");
    assert_eq!(bytes[8], 1);
    let (header, events) = example();
    assert_eq!(read(bytes), (events, Vec::new()));
    assert_eq!(Reader::new(&bytes[..]).unwrap().header(), &header);
}

/// Version 1 knew of no sampling: its record of a process ends before that.
#[test]
fn an_earlier_version_reads_as_it_was() {
    let mut bytes = trace(&[5, 0, 7, 7, 1, 1, b'm', 1, 0, 1], 1);
    bytes[8] = 1;
    let sum = xxh3_64(&bytes[..16]);
    bytes[16..24].copy_from_slice(&sum.to_le_bytes());
    let (events, faults) = read(&bytes);
    let (name, command) = ("m".into(), vec![String::new()]);
    let process = Process { pid: 7, parent: 1, name, command, from_start: true, sampled: None };
    assert_eq!((&events[0].what, faults.len()), (&What::Process(Box::new(process.clone())), 0));

    let (events, _) = read(&trace(&[5, 0, 10, 7, 1, 1, b'm', 1, 0, 1, 0x80, 0x80, 0x20], 1));
    let sampled = Process { sampled: Some(Bytes(512 << 10)), ..process };
    assert_eq!(events[0].what, What::Process(Box::new(sampled)));
}

#[test]
fn unknown_records_are_passed_over_and_counted() {
    // Kind 63 with three bytes, then an epoch.
    check(&[0x3f, 5, 3, 1, 2, 3, 0x11, 0, 0], 2, &[What::Epoch], "kinds that this version");
    // A metric that is not known yet.
    check(&[15, 0, 2, 99, 1, 0x11, 0, 0], 2, &[What::Epoch], "kinds that this version");
}

/// What is said of an earlier free stands in a record of its own, so that a reader that does not know it
/// reads the free that follows.
#[test]
fn a_free_is_read_by_who_does_not_know_of_the_one_before() {
    let heap = HeapId::DEFAULT;
    let (address, stack) = (Address(0x7000), StackId::NOT_TAKEN);
    let free = What::Free(Free { address, stack, function: Function::Free, heap });
    let before = FreedBefore { address, site: stack, stack, freed: Time(3) };
    let event = |what| Event { time: Time(5), process: ProcessId(0), thread: Tid(0), what };
    let told = [event(What::FreedBefore(Box::new(before))), event(free.clone())];
    let mut records = crate::synth::encode::records(&told);
    let (events, faults) = read(&trace(&records, 2));
    assert_eq!((events[0].what.clone(), events.len(), faults.len()), (told[0].what.clone(), 2, 0));
    // As an earlier version sees it: a kind that was never defined.
    assert_eq!(records[0], 19);
    records[0] = 0x3f;
    check(&records, 2, &[free], "kinds that this version");
}

#[test]
fn unknown_codes_read_as_unknown() {
    let exit = What::ProcessExit(Exit::Unknown);
    check(&[6, 0, 2, 200, 0], 1, &[exit], "codes that this version");
    let loss = What::Loss(Loss { what: Lost::Events, count: 7 });
    check(&[11, 0, 2, 77, 7], 1, &[loss], "codes that this version");
}

#[test]
fn a_longer_body_is_read_as_far_as_it_is_known() {
    let (events, faults) = read(&trace(&[10, 0, 3, 42, 9, 9, 0x11, 0, 0], 2));
    assert_eq!(events[0].what, What::HeapDestroy(HeapId(42)));
    assert_eq!((events[1].what.clone(), faults.len()), (What::Epoch, 0));
}

#[test]
fn an_unknown_chunk_is_passed_over() {
    let (_, events) = example();
    let mut bytes = file_header("agent");
    let records = crate::synth::encode::records(&events);
    bytes.extend(chunk(77, &[1; 3000], 5, 9, 12, 0));
    bytes.extend(chunk(1, &records, events.len(), 4, 0, events[0].time.0));
    bytes.extend(chunk(2, &[], 0, 5, events.len(), 0));
    let (back, faults) = read(&bytes);
    assert_eq!(back, events);
    assert!(faults.len() == 1 && faults[0].contains("a kind that this version"), "{faults:?}");
}

#[test]
fn a_body_that_lies_costs_its_record_only() {
    // A mark whose text is longer than its body, then an epoch.
    let lost = What::Loss(Loss { what: Lost::Events, count: 1 });
    check(&[12, 0, 2, 100, 65, 0x11, 0, 0], 2, &[What::Epoch, lost], "do not follow the format");
}

#[test]
fn a_record_that_lies_costs_the_rest_of_its_chunk() {
    let lost = What::Loss(Loss { what: Lost::Events, count: 2 });
    let records = [0x11, 0, 0, 0x11, 0, 0x7f, 0x11, 0, 0];
    check(&records, 3, &[What::Epoch, lost], "do not follow the format");
}

#[test]
fn undefined_stacks_read_as_lost() {
    let (address, size, heap) = (Address(16), Bytes(8), HeapId::DEFAULT);
    let (stack, function) = (StackId::LOST, Function::Malloc);
    let alloc = What::Alloc(Alloc { address, size, stack, function, heap });
    check(&[0x90, 0, 2, 8, 4], 1, &[alloc], "not defined before");
}

#[test]
fn claims_of_too_much_are_not_believed() {
    // Each is a chunk header that is whole but for what it claims.
    let claim = |at: usize, value: u32| {
        let mut bytes = file_header("agent");
        let from = bytes.len();
        bytes.extend(chunk(1, &[0x11, 0, 0], 1, 4, 0, 0));
        bytes[from + at..from + at + 4].copy_from_slice(&value.to_le_bytes());
        let sum = xxh3_64(&bytes[from..from + 48]);
        bytes[from + 48..from + 56].copy_from_slice(&sum.to_le_bytes());
        bytes.extend(chunk(2, &[], 0, 4, 1, 0));
        bytes
    };
    let check = |at, value, lost| {
        let (events, faults) = read(&claim(at, value));
        let told = |event: &Event| event.what == What::Loss(Loss { what: Lost::Events, count: 1 });
        assert_eq!(events.iter().any(told), lost, "{events:?} {faults:?}");
        assert!(!faults.is_empty());
    };
    check(8, u32::MAX, true); // stored length
    check(12, u32::MAX, true); // uncompressed length
    check(16, u32::MAX, true); // number of records
    check(12, 100, true); // another length than what was stored
    check(20, 3, true); // a stack id below the first
}

#[test]
fn a_bomb_is_not_unpacked() {
    let plain = vec![0x11; 64 << 20];
    let bomb = zstd::bulk::compress(&plain, 1).unwrap();
    let mut bytes = file_header("agent");
    let from = bytes.len();
    bytes.extend(chunk(1, &bomb, 1, 4, 0, 0));
    bytes[from + 5] = 1;
    bytes[from + 12..from + 16].copy_from_slice(&1_000_000_u32.to_le_bytes());
    let sum = xxh3_64(&bytes[from..from + 48]);
    bytes[from + 48..from + 56].copy_from_slice(&sum.to_le_bytes());
    let (_, faults) = read(&bytes);
    assert!(faults[0].contains("cannot be decompressed"), "{faults:?}");
}
