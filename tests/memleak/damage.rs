//! Output that was cut, changed or never was any.

use proptest::prelude::*;

use super::output::{FORMS, Form, write};
use super::read;
use unfreed::event::{StackId, Time, What};
use unfreed::ledger::Ledger;

/// What holds whatever the bytes: stacks are defined before they are used, callers first, and time goes on.
fn check(bytes: &[u8]) -> Vec<(u32, u64, u64, u64)> {
    let output = read(bytes);
    let (mut next, mut now) = (StackId::FIRST, Time(0));
    for event in &output.events {
        assert!(event.time >= now);
        now = event.time;
        match &event.what {
            What::Stack(node) => {
                assert!(node.caller < next);
                next.0 += 1;
            }
            What::Snapshot(of) => assert!(of.stack < next),
            _ => {}
        }
    }
    assert!(matches!(output.events[0].what, What::Process(_)));
    assert!(matches!(output.events.last().unwrap().what, What::Epoch));
    let mut ledger = Ledger::default();
    output.events.iter().for_each(|event| ledger.apply(event));
    unfreed::verdict::judge(&ledger);
    output.listed()
}

#[test]
fn output_cut_anywhere_gives_what_was_before() {
    for form in FORMS {
        let text = write(&[(100, 1600), (220, 3520)], form);
        let whole = check(text.as_bytes());
        for cut in 0..text.len() {
            let before = check(&text.as_bytes()[..cut]);
            assert!(before.iter().all(|entry| whole.contains(entry)), "{form:?} {cut}: {before:?}");
        }
    }
}

#[test]
fn what_cannot_be_made_sense_of_is_told() {
    let text = write(&[(100, 1600)], Form::Bcc);
    for (from, to, fault) in [
        ("1600 bytes in 100", "16x0 bytes in 100", "neither a heading"),
        ("1600 bytes in 100", "1600 bytes in 99999999999999999999", "neither a heading"),
        ("\tmain+0x6d [mailer]", "\tmain", ""),
        ("allocations from stack\n", "allocations from\n", "belongs to no entry"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        check(changed.as_bytes());
        let faults = read(changed.as_bytes()).faults;
        assert!(fault.is_empty() || faults.iter().any(|of| of.contains(fault)), "{to}: {faults:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check(&bytes);
    }

    #[test]
    fn a_flipped_bit_changes_no_more_than_it_must(at in 0usize..4000, bit in 0u32..8, form in 0usize..3) {
        let mut bytes = write(&[(100, 1600), (220, 3520)], FORMS[form]).into_bytes();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        check(&bytes);
    }

    #[test]
    fn lines_in_any_order_are_read(order in prop::collection::vec(0usize..40, 0..80), form in 0usize..3) {
        let text = write(&[(100, 1600), (220, 3520)], FORMS[form]);
        let lines: Vec<&str> = text.lines().collect();
        let mixed: Vec<&str> = order.iter().filter_map(|at| lines.get(*at).copied()).collect();
        check(mixed.join("\n").as_bytes());
    }
}
