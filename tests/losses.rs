//! What was lost accuses nobody and acquits nobody: losses told late, losses of nobody knows which
//! process, and files that end early.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::ops::Range;

use unfreed::event::{
    Address, Alloc, Bytes, Event, Exit, Frame, Free, Function, HeapId, Loss, Lost, Process,
    ProcessId, StackId, StackNode, Tid, Time, Trust, What,
};
use unfreed::ledger::Ledger;
use unfreed::read::trace::{Header, Reader, Writer};
use unfreed::verdict::{DEFAULT_MIN_CONFIDENCE, Unmeasured, Verdict, judge};

const CHURN: StackId = StackId(StackId::FIRST.0);
const LEAK: StackId = StackId(StackId::FIRST.0 + 1);

fn event(time: u64, process: u32, what: What) -> Event {
    Event { time: Time(time), process: ProcessId(process), thread: Tid(1), what }
}

fn alloc(address: u64, stack: StackId, size: u64) -> What {
    What::Alloc(Alloc {
        address: Address(address),
        size: Bytes(size),
        stack,
        function: Function::Malloc,
        heap: HeapId::DEFAULT,
    })
}

fn free(address: u64) -> What {
    What::Free(Free {
        address: Address(address),
        stack: StackId::NOT_TAKEN,
        function: Function::Free,
        heap: HeapId::DEFAULT,
    })
}

fn lost(what: Lost, count: u64) -> What {
    What::Loss(Loss { what, count })
}

/// Two processes that were seen from their start, and two stacks.
fn beginning() -> Vec<Event> {
    let started = || What::Process(Box::new(Process { from_start: true, ..Process::default() }));
    let node = |offset| {
        let frame = Frame { module: None, offset, trust: Trust::Table };
        What::Stack(StackNode { caller: StackId::COMPLETE, frame })
    };
    vec![event(0, 0, started()), event(0, 1, started()), event(0, 0, node(1)), event(0, 0, node(2))]
}

fn fold(events: &[Event]) -> Ledger {
    let mut ledger = Ledger::default();
    events.iter().for_each(|event| ledger.apply(event));
    ledger
}

/// A block of process 1 that is freed twice.
fn freed_twice() -> Vec<Event> {
    let mut events = beginning();
    events.push(event(1, 1, alloc(0x1000, CHURN, 32)));
    events.push(event(2, 1, free(0x1000)));
    events.push(event(3, 1, free(0x1000)));
    events
}

#[test]
fn a_loss_that_is_told_late_clears_an_over_release_and_shows_it() {
    let mut events = freed_twice();
    let assessment = judge(&fold(&events));
    assert_eq!((assessment.over_releases.len(), assessment.over_releases_unjudged.sum()), (1, 0));
    events.push(event(4, 1, lost(Lost::Allocations, 1)));
    let assessment = judge(&fold(&events));
    assert_eq!((assessment.over_releases.len(), assessment.over_releases_unjudged.sum()), (0, 1));
}

#[test]
fn a_loss_of_every_process_clears_each_and_is_counted_once() {
    for before in [true, false] {
        let mut events = freed_twice();
        let loss = Event { process: ProcessId::EVERY, ..event(2, 0, lost(Lost::Events, 7)) };
        let at = if before { events.len() - 1 } else { events.len() };
        events.insert(at, loss);
        events.push(event(4, 2, alloc(0x2000, CHURN, 32)));
        let ledger = fold(&events);
        let assessment = judge(&ledger);
        assert_eq!(
            (assessment.over_releases.len(), assessment.over_releases_unjudged.sum()),
            (0, 1)
        );
        assert_eq!(ledger.lost().events, 7);
        assert_eq!(ledger.images().len(), 3);
        // The third began after it, as far as is known.
        assert!(ledger.images().iter().all(|image| ledger.lost_in(image).events == 7));
    }
}

#[test]
fn a_loss_of_every_process_with_nothing_behind_it_leaves_no_hole() {
    let mut events = freed_twice();
    for what in [Lost::Bytes, Lost::Events] {
        events.push(Event { process: ProcessId::EVERY, ..event(3, 0, lost(what, 9)) });
    }
    let ledger = fold(&events);
    assert_eq!(judge(&ledger).over_releases.len(), 1);
    assert_eq!((ledger.lost().events, ledger.lost().bytes), (9, 9));
    assert!(ledger.images().iter().all(|image| ledger.lost_in(image) == Default::default()));
    // Events alone may have been anywhere in the chunk before.
    let mut events = freed_twice();
    events.push(Event { process: ProcessId::EVERY, ..event(3, 0, lost(Lost::Events, 9)) });
    assert_eq!(judge(&fold(&events)).over_releases.len(), 0);
}

/// A trace of 40 seconds: process 0 does little, process 1 works, and leaks if asked to. Gives
/// the file and the place of each chunk (one a second).
fn recorded(leaks: bool) -> (Vec<u8>, Vec<Range<usize>>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.unfreed");
    let mut writer = Writer::create(&path, &Header::default()).unwrap();
    let size = |path| std::fs::metadata(path).unwrap().len() as usize;
    let mut events = beginning().into_iter();
    let mut chunks = Vec::new();
    writer.flush().unwrap();
    let mut start = size(&path);
    for n in 0..4000u64 {
        let time = n * 10_000_000;
        let mut now: Vec<Event> = events.by_ref().collect();
        // A queue of three, at a place each.
        let place = 0x1000 + (n % 4) * 0x40;
        now.push(event(time, 1, alloc(place, CHURN, 100)));
        if n >= 3 {
            now.push(event(time + 1, 1, free(0x1000 + ((n - 3) % 4) * 0x40)));
        }
        if leaks {
            now.push(event(time + 2, 1, alloc(0x10_0000 + n * 0x40, LEAK, 48)));
        }
        now.push(event(time + 3, 0, alloc(0x90, LEAK, 8)));
        now.push(event(time + 4, 0, free(0x90)));
        now.iter().for_each(|event| writer.write(event).unwrap());
        if n % 100 == 99 {
            writer.write(&event(time + 5, 0, What::Epoch)).unwrap();
            writer.flush().unwrap();
            let end = size(&path);
            chunks.push(start..end);
            start = end;
        }
    }
    writer.finish().unwrap();
    (std::fs::read(&path).unwrap(), chunks)
}

fn read(bytes: &[u8]) -> Ledger {
    let mut reader = Reader::new(bytes).unwrap();
    let mut ledger = Ledger::default();
    let mut events = Vec::new();
    while reader.next_chunk(&mut events).unwrap() {
        events.iter().for_each(|event| ledger.apply(event));
    }
    ledger
}

#[test]
fn a_damaged_chunk_concerns_every_process() {
    let (mut bytes, chunks) = recorded(false);
    let middle = &chunks[20];
    bytes[(middle.start + middle.end) / 2] ^= 0xff;
    let ledger = read(&bytes);
    assert!(ledger.lost().events > 0);
    for image in ledger.images() {
        assert_eq!(ledger.lost_in(image), ledger.lost(), "process {:?}", image.id);
    }
    let assessment = judge(&ledger);
    assert_eq!(
        assessment.suspects(DEFAULT_MIN_CONFIDENCE),
        Vec::<&unfreed::verdict::Judged>::new()
    );
    assert_eq!(assessment.over_releases, []);
}

#[test]
fn a_cut_file_shortens_the_observation_and_hides_no_leak() {
    let (bytes, chunks) = recorded(true);
    let whole = judge(&read(&bytes));
    for cut in [chunks[38].start + 20, chunks[38].end - 5] {
        let ledger = read(&bytes[..cut]);
        assert!(ledger.lost().bytes > 0);
        let assessment = judge(&ledger);
        let leak = assessment.sites.iter().find(|s| s.stack == LEAK && s.process.0 == 1).unwrap();
        assert_eq!(leak.verdict, Verdict::Growth);
        let same = whole.sites.iter().find(|s| s.site == leak.site).unwrap();
        assert!((leak.confidence - same.confidence).abs() < 0.01, "{leak:#?}");
        assert!(assessment.smallest_detectable_bytes_per_s.is_some());
    }
}

/// What is claimed of leaks that were not found, for 60 seconds of a process that works as told:
/// until when, and how many allocations are lost for each that is seen.
fn claimed(works_s: u64, lost_per_seen: u64) -> (Option<f64>, Option<Unmeasured>) {
    let mut events = beginning();
    for n in 0..works_s * 100 {
        let time = n * 10_000_000;
        events.push(event(time, 0, alloc(0x90, CHURN, 16)));
        events.push(event(time + 1, 0, free(0x90)));
        events.push(event(time + 2, 0, lost(Lost::Allocations, lost_per_seen)));
    }
    events.push(event(60_000_000_000, 0, What::Epoch));
    let assessment = judge(&fold(&events));
    (assessment.smallest_detectable_bytes_per_s, assessment.unmeasured)
}

#[test]
fn nothing_is_claimed_of_what_could_not_be_seen() {
    let (whole, _) = claimed(60, 0);
    let (half, _) = claimed(60, 1);
    assert!((half.unwrap() / whole.unwrap() - 2.0).abs() < 0.01, "{half:?} {whole:?}");
    assert_eq!(claimed(60, 1000), (None, Some(Unmeasured::Lost)));
    assert_eq!(claimed(12, 0), (None, Some(Unmeasured::LoadStopped)));
    assert_eq!(claimed(2, 0), (None, Some(Unmeasured::LoadStopped)));
    assert_eq!(claimed(0, 0), (None, Some(Unmeasured::NothingAllocated)));
}

#[test]
fn processes_that_were_too_short_are_counted_and_speak_for_the_trace_where_they_did_the_work() {
    let trace = |workers: u32, size: u64| {
        let mut events = beginning();
        for n in 0..6000u64 {
            let time = n * 10_000_000;
            events.push(event(time, 0, alloc(0x90, CHURN, 1000)));
            events.push(event(time + 1, 0, free(0x90)));
            let worker = 2 + u32::try_from(n / 200).unwrap();
            if worker < 2 + workers {
                events.push(event(time + 2, worker, alloc(0x1000 + n * 64, LEAK, size)));
                if n % 200 == 199 {
                    events.push(event(time + 3, worker, What::ProcessExit(Exit::Status(0))));
                }
            }
        }
        events.push(event(60_000_000_000, 0, What::Epoch));
        let assessment = judge(&fold(&events));
        let claimed = assessment.smallest_detectable_bytes_per_s.is_some();
        (claimed, assessment.unmeasured, assessment.processes_unmeasured)
    };
    assert_eq!(trace(0, 0), (true, None, 0));
    assert_eq!(trace(3, 16), (true, None, 3));
    assert_eq!(trace(30, 10_000), (false, Some(Unmeasured::Short), 30));
}
