//! Case bundles: any bytes as an archive. What is in one is a trace, whose reader has a target of its own.
#![no_main]
#![allow(clippy::unwrap_used, reason = "a test")]

use libfuzzer_sys::fuzz_target;
use unfreed::ledger::Ledger;
use unfreed::read::{About, FileKind, open};

fuzz_target!(|data: &[u8]| {
    let Ok(Some(mut source)) = open(FileKind::Case, data, &About::default(), None) else { return };
    let (mut ledger, mut batch) = (Ledger::default(), Vec::new());
    while source.next_batch(&mut batch).unwrap() {
        batch.iter().for_each(|event| ledger.apply(event));
    }
});
