//! Logs that were cut, changed or never were any.

use proptest::prelude::*;

use super::evidence::q265514;
use super::evidence::umdh::{USUAL, difference, snapshot};
use super::{read, sorted};
use unfreed::event::{StackId, What};

/// What holds whatever the bytes: stacks are defined before they are used, callers first.
fn check(bytes: &[u8]) {
    let log = read(bytes);
    let mut next = StackId::FIRST;
    for event in &log.events {
        match &event.what {
            What::Stack(node) => {
                assert!(node.caller < next);
                next.0 += 1;
            }
            What::Snapshot(of) => assert!(of.stack < next),
            _ => {}
        }
    }
    assert!(matches!(log.events.last().unwrap().what, What::Epoch));
    log.ledger();
}

#[test]
fn a_log_cut_anywhere_gives_what_was_before() {
    let mut small = q265514();
    small.stacks.iter_mut().for_each(|stack| stack.blocks = stack.blocks.map(|n| n.min(4)));
    for text in [snapshot(&small, 1), difference(&small, USUAL)] {
        for cut in 0..text.len() {
            check(&text.as_bytes()[..cut]);
        }
    }
}

#[test]
fn a_line_of_megabytes_is_passed_over() {
    let text = format!("{}\n10 bytes + 18 at 1000 by BackTrace1\n\t7000\n", "x".repeat(5_000_000));
    let log = read(text.as_bytes());
    assert_eq!(sorted(&log.live(0)), [(1, 16)]);
    assert!(log.faults.iter().any(|fault| fault.contains("too long")));
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check(&bytes);
    }

    #[test]
    fn a_flipped_bit_changes_no_more_than_it_must(at in 0usize..4000, bit in 0u32..8) {
        let mut bytes = difference(&q265514(), USUAL).into_bytes();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        check(&bytes);
    }

    #[test]
    fn lines_in_any_order_are_read(order in prop::collection::vec(0usize..60, 0..80)) {
        let text = difference(&q265514(), USUAL) + &snapshot(&q265514(), 0);
        let lines: Vec<&str> = text.lines().take(60).collect();
        let mixed: Vec<&str> = order.iter().filter_map(|at| lines.get(*at).copied()).collect();
        check(mixed.join("\n").as_bytes());
    }
}
