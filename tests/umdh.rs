//! Logs of UMDH: every form, real ones, damaged ones, and what comes out at the end.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "umdh/articles.rs"]
mod articles;
#[path = "umdh/damage.rs"]
mod damage;
#[path = "evidence/mod.rs"]
mod evidence;
#[path = "umdh/real.rs"]
mod real;
#[path = "umdh/wrappers.rs"]
mod wrappers;

#[path = "support/skip.rs"]
mod skip;

use std::collections::BTreeMap;

use evidence::umdh::{Form, USUAL, difference, snapshot};
use evidence::{Case, kb896064, q265514};
use unfreed::event::{Event, Fact, FactKind, StackId, Time, Trust, What};
use unfreed::ledger::Ledger;
use unfreed::read::umdh::Reader;
use unfreed::read::{About, FileKind, Source, sniff};

/// What was read of a log.
struct Log {
    events: Vec<Event>,
    faults: Vec<String>,
}

fn read(bytes: &[u8]) -> Log {
    let about = About { name: String::new(), modified_unix_ns: Some(1_700_000_000_000_000_000) };
    let mut reader = Reader::new(bytes, &about);
    let (mut events, mut batch) = (Vec::new(), Vec::new());
    while reader.next_batch(&mut batch).unwrap() {
        events.append(&mut batch);
    }
    assert_eq!(reader.header().source, "umdh");
    assert_eq!(reader.header().started_unix_ns, 1_700_000_000_000_000_000);
    assert_eq!(reader.header().clock.name, "file time");
    let faults = reader.faults().iter().map(|fault| fault.what.to_string()).collect();
    Log { events, faults }
}

impl Log {
    /// Blocks and bytes by stack, of one snapshot.
    fn live(&self, number: u32) -> BTreeMap<StackId, (u64, u64)> {
        let mut live = BTreeMap::new();
        for event in &self.events {
            if let What::Snapshot(of) = &event.what
                && of.number == number
            {
                assert!(
                    live.insert(of.stack, (of.blocks, of.bytes.0)).is_none(),
                    "one for each stack"
                );
            }
        }
        live
    }

    fn fact(&self, subject: &str) -> Option<&Fact> {
        self.events.iter().find_map(|event| match &event.what {
            What::Fact(fact) if fact.subject == subject => Some(fact.as_ref()),
            _ => None,
        })
    }

    fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::default();
        self.events.iter().for_each(|event| ledger.apply(event));
        ledger
    }
}

/// Blocks and bytes of a case's stacks, sorted; what has neither is left out.
fn expected(case: &Case, which: usize) -> Vec<(u64, u64)> {
    let mut all: Vec<(u64, u64)> = case
        .stacks
        .iter()
        .map(|stack| (u64::from(stack.blocks[which]), u64::from(stack.size)))
        .map(|(blocks, size)| (blocks, blocks * size))
        .collect();
    all.sort_unstable();
    all
}

fn sorted(live: &BTreeMap<StackId, (u64, u64)>) -> Vec<(u64, u64)> {
    let mut all: Vec<_> = live.values().copied().collect();
    all.sort_unstable();
    all
}

#[test]
fn a_snapshot_is_summed_by_stack_and_its_addresses_are_places_in_modules() {
    let case = kb896064("6.0.6603.1");
    let log = read(snapshot(&case, 1).as_bytes());
    assert_eq!(log.faults, [""; 0]);
    assert_eq!(sorted(&log.live(0)), expected(&case, 1));
    assert!(log.live(1).is_empty());
    let What::Process(process) = &log.events[0].what else { panic!("{:?}", log.events[0]) };
    assert_eq!((process.name.as_str(), process.pid), ("mailboxes.exe", 0));
    assert!(matches!(log.events.last().unwrap().what, What::Epoch));
    assert!(log.events.iter().all(|event| event.time == Time(0)));
    // The leaking stack, frame by frame.
    let ledger = log.ledger();
    let (stack, _) = log.live(0).into_iter().find(|(_, live)| live.0 == 3120).unwrap();
    let frames: Vec<_> = ledger.stacks().frames(stack).collect();
    assert_eq!(frames.len(), case.stacks[0].frames.len());
    for (frame, told) in frames.iter().zip(&case.stacks[0].frames) {
        let module = ledger.modules().identity(frame.module.unwrap()).unwrap();
        assert_eq!(module.path, case.modules[told.0].path);
        assert_eq!(frame.offset, u64::from(case.address(*told) - case.modules[told.0].base));
        assert_eq!(frame.trust, Trust::Recorded);
    }
}

#[test]
fn a_difference_is_two_snapshots_at_an_unknown_distance() {
    let case = q265514();
    let mut changed = case.clone();
    changed.stacks.retain(|stack| stack.blocks[0] != stack.blocks[1]);
    for form in [USUAL, Form { decimal: true, ..USUAL }, Form { old: true, ..USUAL }] {
        let log = read(difference(&case, form).as_bytes());
        assert_eq!(sorted(&log.live(0)), expected(&changed, 0), "{form:?}");
        assert_eq!(sorted(&log.live(1)), expected(&changed, 1), "{form:?}");
        let base = if form.decimal { "decimal" } else { "hexadecimal" };
        let fact = log.fact("numbers of the UMDH log").unwrap();
        assert_eq!(fact.value.as_deref(), Some(base), "{form:?}");
        let unknown = log.fact("time between the two snapshots").unwrap();
        assert_eq!((unknown.kind, &unknown.value), (FactKind::Capture, &None));
        let proportional = log.faults.iter().any(|fault| fault.contains("in proportion"));
        assert_eq!(proportional, form.old);
        assert_eq!(log.faults.len(), usize::from(form.old), "{:?}", log.faults);
        // Frames by name alone.
        let ledger = log.ledger();
        let (stack, _) = log.live(1).into_iter().find(|(_, live)| live.0 == 3120).unwrap();
        let named = ledger.stacks().frames(stack).map(|frame| {
            assert_eq!(frame.trust, Trust::Named);
            let module = frame.module.unwrap();
            let name = &ledger.modules().identity(module).unwrap().name;
            (name.clone(), ledger.modules().functions(module, frame.offset)[0].function.clone())
        });
        let told = case.stacks[0].frames.iter();
        let told = told.map(|f| (case.module_name(f.0).to_owned(), f.1.unwrap().to_owned()));
        assert!(named.eq(told));
    }
}

#[test]
fn a_total_that_is_not_the_sum_is_a_fault() {
    let case = q265514();
    let wrong = read(difference(&case, Form { off: 16, ..USUAL }).as_bytes());
    assert!(wrong.faults.iter().any(|fault| fault.contains("add up to")), "{:?}", wrong.faults);
    let text = difference(&case, USUAL);
    let cut = &text[..text.find("Total").unwrap()];
    assert!(read(cut.as_bytes()).faults.iter().any(|fault| fault.contains("without a total")));
}

#[test]
fn numbers_that_tell_no_base_are_said_to_be_ambiguous() {
    let text = "+ 520 ( 780 - 260) 3 allocs\tBackTrace46F3C\n+ 2 ( 3 - 1)\tBackTrace46F3C\tallocations\n\n\ta!b+1\n";
    let log = read(text.as_bytes());
    assert!(log.faults.iter().any(|fault| fault.contains("taken for hexadecimal")));
    assert_eq!(sorted(&log.live(1)), [(3, 0x780)]);
    let told = log.fact("numbers of the UMDH log").unwrap().value.as_deref();
    assert_eq!(told, Some("ambiguous, taken for hexadecimal"));
}

#[test]
fn equal_stacks_are_one_whatever_number_they_have() {
    let text = "10 bytes + 18 at 1000 by BackTrace1\n\t7000\n\t7100\n\n\
                2a bytes + 18 at 2000 by BackTrace2\n\t7000\n\t7100\n\n\
                10 bytes + 18 at 3000 by BackTrace1\n10 bytes + 18 at 4000 by BackTrace9\n";
    let log = read(text.as_bytes());
    let live = log.live(0);
    assert_eq!(live.len(), 2, "{live:?}");
    assert_eq!(live[&StackId::NOT_TAKEN], (1, 16), "a number whose frames are nowhere");
    assert!(live.values().any(|of| *of == (3, 16 + 42 + 16)));
}

#[test]
fn the_oldest_form_lists_stacks_with_names() {
    let text = "    *- - - Start of data for heap @ 140000 - - -\n    *- - - Heap 00140000 Hogs - - -\n\n\
                5320 bytes in 0x14 allocations (@ 0x428 + 0x18) by: BackTrace00053\n\
                \tntdll!RtlAllocateHeap+0x00000808\n\tMyApp!LeakyFunc+0x0000001E\n\
                \tKERNEL32!BaseProcessStart+0x0000003D\n";
    let log = read(text.as_bytes());
    assert_eq!(log.faults, [""; 0]);
    assert_eq!(sorted(&log.live(0)), [(0x14, 0x5320)]);
}

#[test]
fn every_encoding_reads_the_same() {
    let text = difference(&q265514(), USUAL).replace('\n', "\r\n");
    let plain = read(text.as_bytes());
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let wide = [&[0xff, 0xfe][..], &units].concat();
    assert_eq!(sniff(&wide), Some(FileKind::Umdh));
    assert_eq!(read(&wide).events, plain.events);
}

#[test]
fn a_log_is_told_from_ordinary_text() {
    let case = q265514();
    for text in [snapshot(&case, 0), difference(&case, USUAL)] {
        assert_eq!(sniff(text.as_bytes()), Some(FileKind::Umdh));
        let listing = text.lines().filter(|line| !line.starts_with("//")).collect::<Vec<_>>();
        assert_eq!(sniff(listing.join("\n").as_bytes()), Some(FileKind::Umdh), "an excerpt");
    }
    for text in [
        "We ran umdh, and BackTrace00053 had 3a allocs.\n",
        "// a comment (new - old) of some program\nint main() { return 0; }\n",
        "Total increase: 5 bytes in 3 allocations\n",
    ] {
        assert_eq!(sniff(text.as_bytes()), None, "{text}");
    }
}
