//! Logs that are text: the first byte says which (0 UMDH, 1 LeakDiag, 2 counters, 3 a debugger's output, 4
//! memleak's), the rest is the file. Besides not panicking, each reader keeps its word: a process first, an
//! epoch last, times that never go back, no stack named before it was defined, and no more events than
//! the bytes can account for.
#![no_main]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use libfuzzer_sys::fuzz_target;
use unfreed::event::{Event, StackId, Time, What};
use unfreed::ledger::Ledger;
use unfreed::read::{About, FileKind, open, sniff};

const KINDS: [FileKind; 5] = [
    FileKind::Umdh,
    FileKind::LeakDiag,
    FileKind::Counters,
    FileKind::Debugger,
    FileKind::Memleak,
];

fuzz_target!(|data: &[u8]| {
    let Some((first, file)) = data.split_first() else { return };
    sniff(file);
    let kind = KINDS[usize::from(*first) % KINDS.len()];
    let mut source = open(kind, file, &About::default(), None).unwrap().expect("a kind that is read");
    let (mut events, mut batch) = (Vec::new(), Vec::new());
    while source.next_batch(&mut batch).unwrap() {
        events.append(&mut batch);
    }
    assert!(events.len() <= 16 * file.len() + 16);
    check(kind, &events);
    let mut ledger = Ledger::default();
    events.iter().for_each(|event| ledger.apply(event));
    unfreed::verdict::judge(&ledger);
});

fn check(kind: FileKind, events: &[Event]) {
    let (mut next, mut now) = (StackId::FIRST, Time(0));
    for event in events {
        assert!(event.time >= now);
        now = event.time;
        match &event.what {
            What::Stack(node) => {
                assert!(node.caller < next);
                next.0 += 1;
            }
            What::Snapshot(snapshot) => assert!(snapshot.stack < next),
            _ => {}
        }
    }
    assert!(matches!(events.last().unwrap().what, What::Epoch));
    if kind != FileKind::Counters {
        assert!(matches!(events[0].what, What::Process(_)));
    }
}
