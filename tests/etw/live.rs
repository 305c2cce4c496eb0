//! Live and from a file: one decoder.

use unfreed::collect::etw::delivered::{Delivered, HEADER};
use unfreed::event::{Lost, Metric, ProcessId, What};
use unfreed::ledger::Ledger;

use super::synth_etl::{Bits, SynthEtl};
use super::*;

#[test]
fn a_log_says_what_its_session_did() {
    for bits in [Bits::B32, Bits::B64] {
        let records = session(bits);
        let (from_live, live) = live(&records);
        let (from_log, faults) = read(&written(&records, (0, 0)));
        assert_eq!(faults, [""; 0]);
        assert_eq!(live.faults(), []);
        assert!(from_live.len() > 2000, "{}", from_live.len());
        for (one, other) in from_live.iter().zip(&from_log) {
            assert_eq!(one, other);
        }
        assert_eq!(from_live.len(), from_log.len());
    }
}

#[test]
fn what_the_collector_says_itself_arrives() {
    let (events, _) = live(&session(Bits::B64));
    let whats: Vec<&What> = events.iter().map(|event| &event.what).collect();
    assert!(whats.contains(&&What::Fact(Box::new(setting()))));
    assert!(whats.contains(&&What::Mark(Box::new(sent()))));
    let samples = whats.iter().filter(
        |what| matches!(what, What::Sample(sample) if sample.metric == Metric::PrivateBytes),
    );
    assert_eq!(samples.count(), 19);
    // Epochs are where the records' times put them, with or without records of heaps.
    let epochs = whats.iter().filter(|what| ***what == What::Epoch).count();
    assert!((20..=22).contains(&epochs), "{epochs}");
}

#[test]
fn a_module_described_before_it_is_mapped_has_its_version_at_once() {
    let mut t = SynthEtl::new(Bits::B64);
    let p = t.running_process("store.exe");
    t.leak(p, &["ntdll.dll+0x2100", "store.exe+0x99"], 32, 5, 1.0..2.0);
    let mut records: Records = Vec::new();
    // As the collector does: what the file is, then the image.
    let mut identity = unfreed_symbols::ModuleIdentity::of_path(r"C:\Windows\System32\ntdll.dll");
    let file = File::new("ntdll.dll");
    identity.file_version = Some("10.0.20348.1".to_owned());
    let guid = "00112233445566778899AABBCCDDEEFF".to_owned();
    identity.pdb = Some(unfreed_symbols::PdbId { guid, age: 2, name: "ntdll.pdb".to_owned() });
    identity.pe = Some(unfreed_symbols::PeFacts {
        timestamp: file.timestamp,
        image_size: file.size,
        product_version: Some("10.0".to_owned()),
        company: Some("Microsoft Corporation".to_owned()),
    });
    let mut bytes = Vec::new();
    own::module(own::Stamp { pid: p.0, time: FIRST + 1 }, 0x1000_0000, &identity, &mut bytes);
    // Three records in one piece, as a batch of the collector's has them.
    while !bytes.is_empty() {
        let size = usize::from(u16::from_le_bytes([bytes[0], bytes[1]])).next_multiple_of(8);
        let rest = bytes.split_off(size);
        records.push((FIRST + 1, 0, std::mem::replace(&mut bytes, rest)));
    }
    assert_eq!(records.len(), 3);
    records.extend(t.records().into_iter().map(|(at, bytes)| (at, 0, bytes)));
    let (events, _) = live(&records);
    let first = events.iter().find_map(|event| match &event.what {
        What::Module(module) if module.identity.name == "ntdll.dll" => {
            Some(module.identity.clone())
        }
        _ => None,
    });
    let first = first.unwrap();
    assert_eq!((first.file_version, first.pdb), (identity.file_version, identity.pdb));
    assert_eq!(first.pe, identity.pe);
}

/// An `EVENT_HEADER`, as Windows lays it out in memory.
fn header(class: [u8; 16], opcode: u8, time: u64, pid: u32, narrow: bool) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[4..6].copy_from_slice(&(if narrow { 0x120u16 } else { 0x140 }).to_le_bytes());
    header[8..12].copy_from_slice(&(pid + 1).to_le_bytes());
    header[12..16].copy_from_slice(&pid.to_le_bytes());
    header[16..24].copy_from_slice(&time.to_le_bytes());
    header[24..40].copy_from_slice(&class);
    header[0x2a] = 2;
    header[0x2d] = opcode;
    header
}

const HEAP: [u8; 16] = unfreed::collect::etw::properties::HEAP;

fn delivered(header: &[u8; HEADER], payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    assert!(Delivered { header, processor: 2, payload }.write(&mut bytes));
    bytes
}

#[test]
fn what_is_delivered_is_what_a_file_would_have() {
    let mut t = SynthEtl::new(Bits::B64);
    let p = t.running_process("store.exe");
    t.alloc(1.0, p, 0x2_0000, 0x5000, 260, &STACK);
    for (time, bytes) in t.records() {
        // Heap records and stacks: the payload goes the way of a delivery and must come out the same.
        let (class, opcode, at) = match (bytes[2], bytes[7]) {
            (2, 0x10) => (HEAP, bytes[6], 32),
            (17, 0x18) => {
                let guid = 0xe30c_0de2_7ff5_94bd_4b80_7bd6_def2_fe46u128.to_le_bytes();
                (guid, bytes[6], 16)
            }
            _ => continue,
        };
        let size = usize::from(u16::from_le_bytes([bytes[4], bytes[5]]));
        let header = header(class, opcode, time, p.0, false);
        let again = delivered(&header, &bytes[at..size]);
        assert_eq!(again[..size], bytes[..size]);
    }
}

#[test]
fn a_payload_that_does_not_fit_its_width_is_a_counted_fault() {
    // What a 32-bit process on a 64-bit system might log: narrow pointers under a header that says wide, or the other way.
    for (narrow, len) in [(false, 16), (true, 28), (false, 20), (true, 24)] {
        let bytes = delivered(&header(HEAP, 33, FIRST + 9, 4711, narrow), &vec![1; len]);
        let (events, live) = live(&vec![(FIRST + 9, 0, bytes)]);
        assert_eq!(live.faults().len(), 1, "{narrow} {len}");
        assert!(!events.iter().any(|event| matches!(event.what, What::Alloc(_))));
        let lost = events.iter().any(|event| {
            matches!(event.what, What::Loss(loss) if loss.what == Lost::Events && loss.count == 1)
        });
        assert!(lost, "{narrow} {len}");
    }
}

#[test]
fn a_narrow_process_under_a_narrow_header_is_read() {
    let payload: Vec<u8> =
        [0x2_0000u32, 260, 0x5000, 3].iter().flat_map(|n| n.to_le_bytes()).collect();
    let bytes = delivered(&header(HEAP, 33, FIRST + 9, 4711, true), &payload);
    let (events, live) = live(&vec![(FIRST + 9, 0, bytes)]);
    assert_eq!(live.faults(), []);
    let alloc = events.iter().find_map(|event| match event.what {
        What::Alloc(alloc) => Some((alloc.address.0, alloc.size.0)),
        _ => None,
    });
    assert_eq!(alloc, Some((0x5000, 260)));
}

#[test]
fn losses_of_the_session_reach_every_process() {
    let records = session(Bits::B64);
    let mut live = Live::new(Ticks(FIRST), HERTZ);
    let mut events = Vec::new();
    for (n, (_, processor, bytes)) in records.iter().enumerate() {
        if n == records.len() / 2 {
            live.lost(7);
        }
        live.record(*processor, bytes, &mut events);
    }
    live.end(&mut events);
    let (from_log, _) = read(&written(&records, (5, 2)));
    for events in [&events, &from_log] {
        let mut ledger = Ledger::default();
        events.iter().for_each(|event| ledger.apply(event));
        let losses = events.iter().filter_map(|event| match event.what {
            What::Loss(loss) if event.process == ProcessId::EVERY => Some(loss.count),
            _ => None,
        });
        assert_eq!(losses.sum::<u64>(), 7);
    }
}

#[test]
fn one_that_comes_late_is_counted() {
    let mut records = session(Bits::B64);
    let last = records.len() - 1;
    records.swap(0, last);
    let (events, live) = live(&records);
    let late: u64 = live.faults().iter().map(|fault| fault.count).sum();
    let earlier = records.iter().filter(|(time, ..)| *time < records[0].0);
    assert_eq!(late, earlier.count() as u64);
    assert!(events.windows(2).all(|two| two[0].time <= two[1].time));
}

#[test]
fn what_is_no_record_is_lost_and_said() {
    for bytes in [&[][..], &[1], &[0; 64], &[0xff; 64], &[60, 0, 20, 0xc0, 1, 0, 0, 0]] {
        let (events, live) = live(&vec![(FIRST, 0, bytes.to_vec())]);
        assert_eq!(live.faults().len(), 1, "{bytes:?}");
        assert!(events.iter().any(|event| matches!(event.what, What::Loss(_))));
    }
}
