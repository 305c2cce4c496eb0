//! heaptrack's data files: real ones recorded by Debian's heaptrack and held against what it says of them itself, made
//! ones in every version of the format, and damaged ones.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "heaptrack/damage.rs"]
mod damage;
#[path = "heaptrack/made.rs"]
mod made;
#[cfg(target_os = "linux")]
#[path = "heaptrack/recorded.rs"]
mod recorded;
#[path = "heaptrack/seeds.rs"]
mod seeds;
#[cfg(target_os = "linux")]
mod support;

use unfreed::event::*;
use unfreed::ledger::Ledger;
use unfreed::read::{About, Fault, ReadError, open, sniff};

/// What a file says, read as `analyze` reads it.
struct Told {
    events: Vec<Event>,
    ledger: Ledger,
    faults: Vec<Fault>,
}

fn try_read(file: &[u8]) -> Result<Option<Told>, ReadError> {
    let Some(kind) = sniff(file) else { return Ok(None) };
    let Some(mut source) = open(kind, file, &About::default(), None)? else { return Ok(None) };
    let (mut events, mut batch, mut ledger) = (Vec::new(), Vec::new(), Ledger::default());
    while source.next_batch(&mut batch)? {
        batch.iter().for_each(|event| ledger.apply(event));
        events.append(&mut batch);
    }
    keeps_its_word(&events);
    let faults = source.faults().to_vec();
    Ok(Some(Told { events, ledger, faults }))
}

fn read(file: &[u8]) -> Told {
    try_read(file).unwrap().expect("a recording")
}

/// What holds for the events of any source, whatever the file.
fn keeps_its_word(events: &[Event]) {
    let mut time = Time(0);
    let mut next = StackId::FIRST;
    for event in events {
        assert!(event.time >= time, "times go backwards: {event:?}");
        time = event.time;
        match &event.what {
            What::Stack(node) => {
                assert!(node.caller < next);
                next.0 += 1;
            }
            What::Alloc(alloc) => assert!(alloc.stack < next),
            What::Tally(tally) => {
                assert!(tally.stack < next);
                assert!(tally.since <= event.time);
            }
            _ => {}
        }
    }
    let is_process = |event: &Event| matches!(event.what, What::Process(_));
    assert_eq!(events.iter().position(is_process), Some(0));
    assert_eq!(events.last().map(|event| &event.what), Some(&What::Epoch));
}

/// Names of the functions at a frame, innermost first.
fn functions(ledger: &Ledger, frame: &Frame) -> Vec<String> {
    let functions = frame.module.map(|id| ledger.modules().functions(id, frame.offset));
    functions.unwrap_or_default().iter().map(|of| of.function.clone()).collect()
}

/// Names of a stack's functions, innermost first.
fn names(ledger: &Ledger, stack: StackId) -> Vec<String> {
    ledger.stacks().frames(stack).flat_map(|frame| functions(ledger, frame)).collect()
}
