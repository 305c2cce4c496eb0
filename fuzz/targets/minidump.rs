//! Minidumps: any bytes. Besides not panicking, what becomes of them keeps the promises of every source.
#![no_main]
#![allow(clippy::unwrap_used, reason = "a test")]

use libfuzzer_sys::fuzz_target;
use unfreed::event::{StackId, What};
use unfreed::ledger::Ledger;
use unfreed::read::Source;
use unfreed::read::minidump::Reader;

fuzz_target!(|data: &[u8]| {
    let Ok(mut reader) = Reader::new(data) else { return };
    let (mut ledger, mut batch, mut next) = (Ledger::default(), Vec::new(), StackId::FIRST);
    while reader.next_batch(&mut batch).unwrap() {
        for event in &batch {
            match &event.what {
                What::Stack(node) => {
                    assert!(node.caller < next);
                    next.0 += 1;
                }
                What::Exception(exception) => assert!(exception.stack < next),
                _ => {}
            }
            ledger.apply(event);
        }
    }
});
