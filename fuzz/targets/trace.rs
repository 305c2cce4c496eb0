//! The native trace: any bytes as a file, and as the records of a chunk whose checksums are
//! right (mutation alone would never pass them). Besides not panicking, the reader keeps its
//! word: no stack is named before it was defined, and what it yields can be written and read
//! again.
#![no_main]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

#[path = "../../tests/synth/encode.rs"]
#[allow(dead_code, reason = "the target needs only the frame around the records")]
mod encode;

use libfuzzer_sys::fuzz_target;
use unfreed::event::{Event, StackId, What};
use unfreed::read::trace::{Header, Reader, Writer};

fuzz_target!(|data: &[u8]| {
    check(data);
    let count = data.len() / 3 + 1;
    check(&[encode::file_header("fuzz"), encode::chunk(1, data, count, 4, 0, 0)].concat());
});

fn check(file: &[u8]) {
    let Ok(mut reader) = Reader::new(file) else { return };
    let events = all(&mut reader);
    let mut next = StackId::FIRST;
    for event in &events {
        assert!(stack_of(&event.what).is_none_or(|stack| stack < next));
        next.0 += u32::from(matches!(event.what, What::Stack(_)));
    }
    let mut again = Vec::new();
    let mut writer = Writer::new(&mut again, &Header::default()).unwrap();
    for event in &events {
        writer.write(event).unwrap();
    }
    if writer.finish().unwrap().cut == 0 {
        let mut reader = Reader::new(&again[..]).unwrap();
        assert_eq!(all(&mut reader), events);
        assert_eq!(reader.faults(), []);
    }
}

fn all(reader: &mut Reader<&[u8]>) -> Vec<Event> {
    let (mut all, mut chunk) = (Vec::new(), Vec::new());
    while reader.next_chunk(&mut chunk).unwrap() {
        all.append(&mut chunk);
    }
    all
}

fn stack_of(what: &What) -> Option<StackId> {
    match what {
        What::Alloc(alloc) => Some(alloc.stack),
        What::Free(free) => Some(free.stack),
        What::Realloc(realloc) => Some(realloc.stack),
        What::FreedBefore(before) => Some(before.site.max(before.stack)),
        What::Stack(node) => Some(node.caller),
        What::HeapCreate(create) => Some(create.stack),
        What::Tally(tally) => Some(tally.stack),
        What::Snapshot(snapshot) => Some(snapshot.stack),
        What::Reach(reach) => Some(reach.stack),
        _ => None,
    }
}
