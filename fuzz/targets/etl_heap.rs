//! Heap logs of Windows: any bytes as the records of a buffer behind a first buffer that is whole. Besides not panicking, the
//! reader keeps its word: times never go backwards, and no stack is named before it was defined.
#![no_main]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

#[path = "../../tests/synth_etl/encode.rs"]
#[allow(dead_code, reason = "the target needs only buffers")]
mod encode;

use encode::{About, Bits, Buffer, logfile};
use libfuzzer_sys::fuzz_target;
use unfreed::event::{StackId, Time, What};
use unfreed::read::Source;
use unfreed::read::etl::Reader;

fuzz_target!(|data: &[u8]| {
    for bits in [Bits::B32, Bits::B64] {
        let mut first = Buffer::new(0);
        first.put(&logfile(bits, About { buffers: 2, processors: 1, ..About::default() }));
        let mut second = Buffer::new(0);
        second.put(&data[..data.len().min(0xf000)]);
        check(&[first.close(0, 4), second.close(1, 0)].concat());
    }
});

fn check(log: &[u8]) {
    let Ok(mut reader) = Reader::new(log) else { return };
    let (mut batch, mut last, mut next) = (Vec::new(), Time(0), StackId::FIRST.0);
    while reader.next_batch(&mut batch).unwrap() {
        for event in &batch {
            assert!(event.time >= last);
            last = event.time;
            match &event.what {
                What::Stack(node) => {
                    assert!(node.caller.0 < next);
                    next += 1;
                }
                What::Alloc(alloc) => assert!(alloc.stack.0 < next),
                What::Free(free) => assert!(free.stack.0 < next),
                _ => {}
            }
        }
    }
}
