//! What was not read, or came too late, may have been frees: it is a loss, at the place where it was lost. And stacks are
//! those of the time of their record.

use unfreed::event::{Lost, ProcessId, What};

use super::synth_etl::encode::{BUFFER, Body, FIRST, HERTZ, perf};
use super::{Bits, File, HEAP, Read, STACK, SynthEtl, Walks};

/// A log of blocks that all are freed, on so many processors.
fn freed(processors: u32) -> Vec<u8> {
    let mut t = SynthEtl::new(Bits::B64);
    t.about.processors = processors;
    let p = t.process("store.exe", 0.1);
    // A block is freed on another processor than it was allocated on.
    t.churn(p, &STACK, 32, 3000, 1.0..10.0, 0.0013);
    t.build()
}

/// The losses of every process, and whether an event comes behind them.
fn losses(read: &Read) -> Vec<(Lost, bool)> {
    let events = read.events.iter().enumerate();
    let losses = events.filter_map(|(at, event)| match &event.what {
        What::Loss(loss) if event.process == ProcessId::EVERY => {
            let after = &read.events[at..];
            Some((loss.what, after.iter().any(|event| !matches!(event.what, What::Loss(_)))))
        }
        _ => None,
    });
    losses.collect()
}

#[test]
fn a_log_of_one_processor_that_was_cut_is_whole_up_to_there() {
    let bytes = freed(1);
    let read = Read::of(&bytes[..bytes.len() - 2 * BUFFER], true);
    assert!(losses(&read).iter().all(|(_, hole)| !hole), "{:?}", losses(&read));
    assert!(read.image(super::Pid(1000)).live_blocks() <= 2);
}

/// The buffers behind the cut may hold frees from before the last record that is there.
#[test]
fn a_log_of_several_processors_that_was_cut_has_a_hole() {
    let bytes = freed(4);
    for twice in [true, false] {
        // Between two buffers, and in zeros.
        let cut = bytes.len() - 3 * BUFFER;
        let mut zeroed = bytes.clone();
        zeroed[cut..].fill(0);
        for bytes in [&bytes[..cut], &zeroed] {
            let read = Read::of(bytes, twice);
            let live = read.image(super::Pid(1000)).live_blocks();
            assert!(live > 10, "{live} blocks look like a leak");
            assert!(losses(&read).iter().any(|(_, hole)| *hole), "{:?}", losses(&read));
        }
    }
}

#[test]
fn records_behind_the_end_that_a_buffer_claims_are_lost() {
    let mut bytes = freed(1);
    let end = u32::from_le_bytes(*bytes[BUFFER + 0x30..].first_chunk().unwrap());
    // A multiple of no record's length but 8: cut where a record begins.
    let mut at = BUFFER + 0x48;
    while at < BUFFER + 0x8000 {
        at += usize::from(u16::from_le_bytes([bytes[at + 4], bytes[at + 5]])).next_multiple_of(8);
    }
    let new = (at - BUFFER) as u32;
    bytes[BUFFER + 0x30..BUFFER + 0x34].copy_from_slice(&new.to_le_bytes());
    let read = Read::of(&bytes, true);
    assert_eq!(read.faults.len(), 1);
    let lost = read.ledger.lost_in(read.image(super::Pid(1000))).bytes;
    assert!(lost >= u64::from(end - new), "{lost} of {}", end - new);
}

/// What is handed on after later records may be an allocation behind its own free.
#[test]
fn records_that_come_late_are_a_loss() {
    let mut bytes = freed(2);
    // A buffer is read when its first record's time has come: half a second too late.
    let record = 4 * BUFFER + 0x48;
    let at = record + if bytes[record + 2] == 17 { 8 } else { 16 };
    let time = u64::from_le_bytes(*bytes[at..].first_chunk().unwrap());
    bytes[at..at + 8].copy_from_slice(&(time + HERTZ / 2).to_le_bytes());
    let read = Read::of(&bytes, true);
    assert!(read.faults.iter().any(|fault| fault.contains("came late")), "{:?}", read.faults);
    assert!(losses(&read).iter().any(|(what, hole)| *what == Lost::Events && *hole));
}

/// A stack whose key is told later is of the images of its own time.
#[test]
fn a_late_stack_is_of_what_was_mapped_then() {
    let mut t = SynthEtl::new(Bits::B64);
    t.walks = Walks::Keys;
    let p = t.process("store.exe", 0.1);
    t.next_base(p, 0x6000_0000);
    t.load(1.0, p, File::new("first.dll"));
    t.leak(p, &["first.dll+0x10"], 16, 1, 2.0..3.0);
    t.unload(4.0, p, "first.dll");
    t.next_base(p, 0x6000_0000);
    t.load(7.0, p, File::new("second.dll"));
    t.leak(p, &["second.dll+0x10"], 16, 1, 8.0..9.0);
    let bytes = t.build();
    // In one pass the first image is forgotten when the second takes its place, but it is not taken for it.
    for (twice, first) in [(true, "first.dll+0x10"), (false, "@0x60000010")] {
        let read = Read::of(&bytes, twice);
        let frames: Vec<_> = read.live().into_iter().skip(1).map(|(frames, ..)| frames).collect();
        assert_eq!(frames, [[first], ["second.dll+0x10"]]);
    }
}

/// A clock that ticks rarely: many records of one thread have the same time, and each stack follows its record.
#[test]
fn of_records_of_one_time_a_stack_is_of_the_last() {
    let mut t = SynthEtl::new(Bits::B64);
    t.walks = Walks::None;
    let p = t.process("store.exe", 0.1);
    let at = FIRST + HERTZ;
    let frame = t.address(p, "store.exe+0x1200");
    for n in 0..10 {
        let alloc = Body::new(Bits::B64).ptr(HEAP).ptr(8).ptr(0x5000 + n * 16).u32(3);
        t.record(at, 0x1021, 2, p, &alloc.bytes);
        // What other processors log in between, of other threads.
        for other in 0..5 {
            let alloc =
                Body::new(Bits::B64).ptr(HEAP).ptr(8).ptr(0x9000 + n * 128 + other * 16).u32(3);
            let head = super::synth_etl::encode::Head { ticks: at, pid: p.0, tid: 7 };
            t.raw(at, super::synth_etl::encode::system(Bits::B64, 0x1021, 2, head, &alloc.bytes));
        }
        let walk = Body::new(Bits::B64).u64(at).u32(p.0).u32(p.0 + 1).ptr(frame + n);
        t.raw(at, perf(Bits::B64, 0x1820, 2, at, &walk.bytes));
    }
    let read = Read::of(&t.build(), false);
    let stacks = read.events.iter().filter_map(|event| match &event.what {
        What::Alloc(alloc) if alloc.address.0 < 0x9000 => Some(read.frames(alloc.stack).join(" ")),
        _ => None,
    });
    let expected: Vec<_> = (0..10).map(|n| format!("store.exe+{:#x}", 0x1200 + n)).collect();
    assert_eq!(stacks.collect::<Vec<_>>(), expected);
}
