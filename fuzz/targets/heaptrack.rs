//! heaptrack's data files, as they are and compressed: any bytes. Besides not panicking, the reader keeps the promises of
//! every source: times never go backwards, no stack is named before it was defined, the ledger takes all of it.
#![no_main]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use libfuzzer_sys::fuzz_target;
use unfreed::event::{StackId, Time, What};
use unfreed::ledger::Ledger;
use unfreed::read::{About, FileKind, open};

fuzz_target!(|data: &[u8]| {
    check(FileKind::Heaptrack, data);
    check(FileKind::Heaptrack, &[b"v 10400 3\nx 1 a\nX a\n", data].concat());
    check(FileKind::Heaptrack, &[b"v 10400 3\nX a\nI 1000 1\n", data].concat());
    check(FileKind::Compressed, data);
});

fn check(kind: FileKind, file: &[u8]) {
    let Ok(Some(mut source)) = open(kind, file, &About::default(), None) else { return };
    let (mut ledger, mut batch) = (Ledger::default(), Vec::new());
    let (mut time, mut next) = (Time(0), StackId::FIRST);
    while source.next_batch(&mut batch).unwrap() {
        for event in &batch {
            assert!(event.time >= time);
            time = event.time;
            match &event.what {
                What::Stack(node) => {
                    assert!(node.caller < next);
                    next.0 += 1;
                }
                What::Alloc(alloc) => assert!(alloc.stack < next),
                What::Tally(tally) => assert!(tally.stack < next),
                _ => {}
            }
            ledger.apply(event);
        }
    }
}
