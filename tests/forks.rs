//! Children under the real agent: each is a process of its own, whose inherited blocks are older than its trace.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;
mod traced;

use support::programs;
use traced::of;
use unfreed::event::{Exit, Lost};

#[test]
fn forked_children_are_processes_of_their_own() {
    let traced = of(&programs::c("fork"), &[]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    traced.assert_whole();
    assert_eq!(traced.processes().len(), 3);
    assert_eq!((traced.live_of_size(0, 100), traced.live_of_size(0, 200)), (10, 10));
    for child in [1, 2] {
        let (_, process) = traced.processes()[child as usize];
        assert!(!process.from_start, "a child's inherited blocks are older than its trace");
        // It frees ten blocks that it inherited.
        assert!(traced.replay(child).unmatched >= 10);
    }
}

#[test]
fn a_vforked_child_does_not_disturb_its_parent() {
    let traced = of(&programs::c("vfork_exec"), &[]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    traced.assert_whole();
    assert_eq!((traced.live_of_size(0, 100), traced.live_of_size(0, 200)), (8, 8));
    let (executed, _) = *traced.processes().last().unwrap();
    assert_eq!(traced.live_of_size(executed.0, 500), 7);
}

#[test]
fn a_thousand_children_are_a_thousand_processes() {
    let traced = of(&programs::c("many_forks"), &[]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    assert_eq!(traced.finished.count("children"), 1000);
    assert_eq!(traced.faults, 0);
    let ledger = traced.ledger();
    assert_eq!(ledger.images().len(), 1001);
    let (parent, children) = ledger.images().split_first().unwrap();
    assert_eq!(parent.exit, Some(Exit::Status(0)));
    // Every block of every child is seen, or counted as lost: of 300 bytes, 2 of 10.
    let seen: u64 = children.iter().map(|child| child.allocations).sum();
    let lost = ledger.lost();
    assert!(seen + lost.allocations >= 10_000, "{seen} seen, {lost:?}");
    let left: u64 = traced.live_anywhere(300);
    assert!(left <= 2_000 + lost.frees && left + lost.allocations >= 2_000, "{left}, {lost:?}");
    assert!(seen >= 9_000, "{seen} of 10,000, {lost:?}");
    for child in children {
        assert!(child.process.as_ref().is_some_and(|process| !process.from_start));
    }
    if traced.lost_of(Lost::Allocations) + traced.lost_of(Lost::Frees) == 0 {
        assert_eq!(traced.live_of_size(0, 40) as u64, traced.finished.count("kept"));
        assert_eq!((traced.live_of_size(0, 90), left), (5, 2_000));
        // Each freed 5 blocks that it had inherited.
        let unmatched: u64 = children.iter().map(|child| child.frees_unmatched).sum();
        assert!(unmatched >= 5_000, "{unmatched}");
    }
    traced.assert_accuses_nobody();
}
