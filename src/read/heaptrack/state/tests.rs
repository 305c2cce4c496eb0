//! What a file that defines without end comes to.

use super::*;
use crate::read::{Faults, Offset};

/// Reads lines with room for so many bytes; says what was passed over, and what was told.
fn read(room: usize, lines: &[String]) -> (Faults, Vec<Event>) {
    let mut state = State { room: Room::of(room), ..State::new(0, 3) };
    let (mut faults, mut events) = (Faults::default(), Vec::new());
    for line in lines {
        if let Err(what) = state.line(line.as_bytes(), &mut events) {
            faults.add(Offset(0), what);
        }
    }
    (faults, events)
}

fn passed_over(faults: &Faults) -> u64 {
    faults.as_slice().iter().filter(|fault| fault.what == FULL).map(|fault| fault.count).sum()
}

#[test]
fn definitions_without_end_are_passed_over_and_told() {
    for line in ["s 4 text", "i 1 0 1", "t 1 0", "a 8 1", "m 6 module# 1000 0 10"] {
        let lines: Vec<_> = ["s 1 a".to_owned(), "i 1 0 1".to_owned(), "t 1 0".to_owned()]
            .into_iter()
            .chain((0..1000).map(|n| line.replace("module#", &format!("m{n:05}"))))
            .collect();
        let (faults, events) = read(10_000, &lines);
        assert!((300..1000).contains(&passed_over(&faults)), "{line}: {faults:?}");
        assert!(events.len() < 300, "{line}: {}", events.len());
    }
}

#[test]
fn a_text_that_a_line_repeats_takes_no_more_than_the_room() {
    let text = format!("s 3e8 {}", "x".repeat(1000));
    let frame = format!("i 1 0{}", " 1 0 0".repeat(1000));
    let (faults, events) = read(100_000, &[text, frame]);
    assert_eq!(passed_over(&faults), 1);
    assert!(!events.iter().any(|event| matches!(event.what, What::Name(_))));
}

#[test]
fn blocks_of_a_stack_that_was_passed_over_are_told() {
    let lines = ["m 1 a 1000 0 10", "t 1004 0", "t 1008 0", "+ 8 1 10", "+ 8 2 20"];
    let (faults, events) = read(3 * 65 + NODE + Counts::TRACE, &lines.map(str::to_owned));
    assert_eq!(passed_over(&faults), 1);
    let stacks = events.iter().filter_map(|event| match &event.what {
        What::Alloc(alloc) => Some(alloc.stack),
        _ => None,
    });
    assert_eq!(stacks.collect::<Vec<_>>(), [StackId::FIRST, StackId::LOST]);
}
