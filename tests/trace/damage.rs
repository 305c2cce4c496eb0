//! Damaged traces: every chunk that is whole comes back, the rest is counted, nothing panics.

use std::collections::HashMap;
use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use unfreed::event::*;
use unfreed::read::ReadError;
use unfreed::read::trace::Reader;

use crate::{arbitrary, example, read};

/// The places of the header and of each chunk, and each chunk's number of events.
fn places(bytes: &[u8]) -> (usize, Vec<(Range<usize>, usize)>) {
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let header = 24 + u32_at(12) + 8;
    let (mut chunks, mut at) = (Vec::new(), header);
    while at < bytes.len() {
        let end = at + 56 + u32_at(at + 8);
        chunks.push((at..end, u32_at(at + 16)));
        at = end;
    }
    (header, chunks)
}

/// The events of the chunks kept, as a reader is to yield them: stacks that were defined in
/// other chunks are lost, the rest is renumbered.
fn kept(events: &[Event], counts: &[usize], keep: &[bool]) -> Vec<Event> {
    let (mut ids, mut next) = (HashMap::new(), StackId::FIRST);
    let mut defined = StackId::FIRST.0;
    let mut expected = Vec::new();
    let mut rest = events;
    for (count, keep) in counts.iter().zip(keep) {
        let (chunk, behind) = rest.split_at(*count);
        rest = behind;
        for event in chunk {
            let mut event = event.clone();
            if let Some(stack) = arbitrary::stack_of(&mut event.what).filter(|s| !s.is_root()) {
                *stack = ids[stack];
            }
            if matches!(event.what, What::Stack(_)) {
                ids.insert(StackId(defined), if *keep { next } else { StackId::LOST });
                next.0 += u32::from(*keep);
                defined += 1;
            }
            if *keep {
                expected.push(event);
            }
        }
    }
    expected
}

/// Events apart from losses, and how many events are told as lost.
fn without_losses(events: Vec<Event>) -> (Vec<Event>, u64) {
    let (losses, events): (Vec<_>, Vec<_>) =
        events.into_iter().partition(|event| matches!(event.what, What::Loss(_)));
    let lost = losses.iter().map(|event| match event.what {
        What::Loss(Loss { what: Lost::Events, count }) => count,
        _ => 0,
    });
    (events, lost.sum())
}

fn no_losses(mut events: Vec<Event>) -> Vec<Event> {
    events.retain(|event| !matches!(event.what, What::Loss(_)));
    events
}

#[test]
fn cut_at_any_byte_all_whole_chunks_come_back() {
    let (_, events) = example();
    let bytes = arbitrary::chunked(&events, 1);
    let (header, chunks) = places(&bytes);
    for cut in 0..bytes.len() {
        let part = &bytes[..cut];
        if cut < 8 {
            assert!(matches!(Reader::new(part), Err(ReadError::NotATrace)), "cut at {cut}");
            continue;
        }
        let whole = chunks.iter().filter(|(place, _)| place.end <= cut).count();
        let (back, faults) = read(part);
        let (back, lost) = without_losses(back);
        assert_eq!(back, events[..whole], "cut at {cut}");
        let end = if whole == 0 { header } else { chunks[whole - 1].0.end };
        let told = format!("the last whole chunk ends at offset {end}");
        assert!(cut < header || faults.iter().any(|fault| fault.ends_with(&told)), "{faults:?}");
        // A chunk that was begun says how many events it has.
        let begun = chunks.iter().any(|(place, _)| place.start + 56 <= cut && cut < place.end);
        assert_eq!(lost, u64::from(begun), "cut at {cut}");
    }
    assert_eq!(read(&bytes), (events, Vec::new()));
}

#[test]
fn any_flipped_bit_costs_one_chunk_at_most() {
    let (_, events) = example();
    let bytes = arbitrary::chunked(&events, 2);
    let (header, chunks) = places(&bytes);
    let counts: Vec<usize> = chunks.iter().map(|(_, count)| *count).collect();
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if bit / 8 < 8 {
            assert!(matches!(Reader::new(&bytes[..]), Err(ReadError::NotATrace)));
            continue;
        }
        let keep: Vec<bool> = chunks.iter().map(|(at, _)| !at.contains(&(bit / 8))).collect();
        let (back, faults) = read(&bytes);
        let (back, lost) = without_losses(back);
        assert_eq!(back, kept(&events, &counts, &keep), "bit {bit}");
        assert_eq!(lost as usize, events.len() - back.len(), "bit {bit}");
        assert!(!faults.is_empty(), "bit {bit}");
        assert!(bit / 8 >= header || faults[0].contains("file header"), "{faults:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Bits flipped at any places: chunks without one come back, the others' events are lost.
    #[test]
    fn chunks_without_a_flipped_bit_come_back(
        events in arbitrary::events(1..300).prop_map(no_losses),
        chunk in 1_usize..60,
        flips in vec((any::<proptest::sample::Index>(), 0_u8..8), 1..12),
    ) {
        let mut bytes = arbitrary::chunked(&events, chunk);
        let (header, chunks) = places(&bytes);
        let mut keep = vec![true; chunks.len()];
        let places: std::collections::HashSet<_> = flips
            .iter()
            .map(|(index, bit)| (header + index.index(bytes.len() - header), *bit))
            .collect();
        for (at, bit) in places {
            bytes[at] ^= 1 << bit;
            for (keep, (place, _)) in keep.iter_mut().zip(&chunks) {
                *keep &= !place.contains(&at);
            }
        }
        check(&events, &bytes, &chunks, &keep)?;
    }

    /// A piece taken out, or other bytes put in: chunks that were not touched come back.
    #[test]
    fn chunks_around_a_missing_piece_come_back(
        events in arbitrary::events(1..300).prop_map(no_losses),
        chunk in 1_usize..60,
        from: proptest::sample::Index,
        len in 0_usize..2000,
        instead in vec(any::<u8>(), 0..200),
    ) {
        let mut bytes = arbitrary::chunked(&events, chunk);
        let (header, chunks) = places(&bytes);
        let from = header + from.index(bytes.len() - header);
        let to = (from + len).min(bytes.len());
        let whole = bytes.clone();
        bytes.splice(from..to, instead);
        // Which were touched, the bytes say: what is put in may be what was there.
        let same = |(one, other): &(&u8, &u8)| one == other;
        let before = whole.iter().zip(&bytes).take_while(same).count();
        let rest = whole.len().min(bytes.len()) - before;
        let ends = whole.iter().rev().zip(bytes.iter().rev()).take(rest);
        let behind = whole.len() - ends.take_while(same).count();
        let keep: Vec<bool> =
            chunks.iter().map(|(at, _)| at.end <= before || at.start >= behind).collect();
        check(&events, &bytes, &chunks, &keep)?;
    }

    /// Anything at all.
    #[test]
    fn nothing_panics(bytes: Vec<u8>, begins: bool) {
        let header = if begins { crate::synth::encode::file_header("agent") } else { Vec::new() };
        let file = [header, bytes].concat();
        if let Ok(mut reader) = Reader::new(&file[..]) {
            let mut events = Vec::new();
            while reader.next_chunk(&mut events).unwrap() {}
            prop_assert!(!reader.faults().is_empty());
        }
    }

    /// Records that are anything, in a chunk that is whole.
    #[test]
    fn no_records_panic(body: Vec<u8>, count in 0_usize..100, stack: u16, base: u64) {
        let mut file = crate::synth::encode::file_header("agent");
        file.extend(crate::synth::encode::chunk(1, &body, count, stack.into(), 0, base));
        let (events, _) = read(&file);
        let mut next = StackId::FIRST;
        for mut event in events {
            if let Some(stack) = arbitrary::stack_of(&mut event.what) {
                prop_assert!(*stack < next);
            }
            next.0 += u32::from(matches!(event.what, What::Stack(_)));
        }
    }
}

fn check(
    events: &[Event],
    bytes: &[u8],
    chunks: &[(Range<usize>, usize)],
    keep: &[bool],
) -> Result<(), TestCaseError> {
    let counts: Vec<usize> = chunks.iter().map(|(_, count)| *count).collect();
    let (back, faults) = read(bytes);
    let (back, lost) = without_losses(back);
    let expected = kept(events, &counts, keep);
    let missing = (events.len() - expected.len()) as u64;
    prop_assert_eq!(back, expected);
    if keep.last() == Some(&true) {
        prop_assert_eq!(lost, missing);
    } else {
        prop_assert!(lost <= missing);
    }
    prop_assert!(keep.iter().all(|keep| *keep) || !faults.is_empty());
    Ok(())
}
