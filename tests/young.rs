//! Blocks that die young, and those that do not, under the real agent: every number exact.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;
mod traced;

use std::collections::HashMap;

use support::programs;
use traced::{Traced, of};
use unfreed::event::{Tally, What};

fn young(arguments: &[&str]) -> Traced {
    let traced = of(&programs::c("young"), arguments);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    assert_eq!((traced.faults, traced.lost()), (0, HashMap::new()));
    traced
}

fn tallies(traced: &Traced) -> Vec<&Tally> {
    let tallies = traced.events.iter().filter_map(|event| match &event.what {
        What::Tally(tally) => Some(tally.as_ref()),
        _ => None,
    });
    tallies.collect()
}

/// Allocations, frees, and blocks that live, without the C library's own buffer for output.
fn totals(traced: &Traced) -> (u64, u64, u64) {
    let totals = traced.ledger().totals();
    (totals.allocations - 1, totals.frees, totals.live_blocks - 1)
}

#[test]
fn pairs_are_counted_to_the_last_one() {
    let traced = young(&["pairs", "300000"]);
    assert_eq!(totals(&traced), (300_000, 300_000, 0));
    let tallies = tallies(&traced);
    assert_eq!(tallies.iter().map(|tally| tally.allocated).sum::<u64>(), 300_000);
    assert_eq!(tallies.iter().map(|tally| tally.freed_bytes.0).sum::<u64>(), 300_000 * 72);
    for tally in &tallies {
        assert_eq!((tally.allocated, tally.allocated_bytes), (tally.freed, tally.freed_bytes));
        assert_eq!(tally.sizes.map(|(least, most)| (least.0, most.0)), Some((72, 72)));
        assert!(tally.resolution.0 >= 8_000_000, "the clock is coarse, and that is said");
    }
    assert!(traced.events.len() < 10_000, "{} events of 300,000 pairs", traced.events.len());
}

#[test]
fn what_another_thread_frees_is_a_pair_too() {
    let traced = young(&["mixed", "100000"]);
    let totals = traced.ledger().totals();
    assert_eq!((totals.frees_unmatched, totals.frees_unseen), (0, 0));
    assert_eq!(traced.live_of_size(0, 601), 7);
    let sizes = (73..=200).map(|size| traced.live_of_size(0, size)).sum::<usize>();
    assert_eq!(sizes, 0, "all others were freed");
    assert!(totals.frees >= 100_000);
    let counted: u64 = tallies(&traced).iter().map(|tally| tally.freed).sum();
    assert!(counted >= 50_000, "{counted} of 100,000 were paired");
}

#[test]
fn a_block_freed_unseen_is_closed_when_its_address_is_given_out_again() {
    let traced = young(&["unseen", "1000"]);
    let again = traced.finished.count("again");
    let totals = traced.ledger().totals();
    assert!(again > 0, "the case was not reached");
    assert_eq!((totals.frees_unseen, totals.frees_unmatched), (1, 0));
    assert_eq!(traced.live_of_size(0, 333), 0);
}

#[test]
fn a_young_block_freed_unseen_is_closed_by_the_next_at_its_address() {
    let traced = young(&["hidden", "200"]);
    let again = traced.finished.count("again");
    let totals = traced.ledger().totals();
    assert!(again > 0, "the case was not reached");
    assert_eq!((totals.frees_unseen, totals.frees_unmatched), (again, 0));
    assert_eq!(traced.live_of_size(0, 334) as u64, 200 - again);
}

#[test]
fn what_a_sleeping_thread_and_a_dead_one_hold_is_seen() {
    let traced = young(&["idle"]);
    assert_eq!((traced.live_of_size(0, 444), traced.live_of_size(0, 445)), (5, 3));
}

#[test]
fn a_block_that_grows_is_another_each_time() {
    let traced = young(&["resize", "5000"]);
    let (allocations, frees, live) = totals(&traced);
    // Born with 90 bytes, then 91, 5,000 and 70,000.
    assert_eq!((allocations, frees, live), (4 * 5_001, 4 * 5_001 - 1, 1));
    assert_eq!(traced.live_of_size(0, 70_000), 1);
}
