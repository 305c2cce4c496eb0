//! Leaks that no single site shows, and a queue of which no block stays: one suspect each, that says
//! what it was judged by.

use std::collections::VecDeque;

use unfreed::event::StackId;
use unfreed::ledger::Ledger;
use unfreed::verdict::{DEFAULT_MIN_CONFIDENCE, Judged, judge};

use crate::behaviours::World;

fn only_suspect(ledger: &Ledger) -> Judged {
    let assessment = judge(ledger);
    let suspects = assessment.suspects(DEFAULT_MIN_CONFIDENCE);
    assert_eq!(suspects.len(), 1, "{suspects:#?}");
    suspects[0].clone()
}

#[test]
fn a_leak_over_a_recursion_is_one_suspect() {
    let mut world = World::new(1, 60, true);
    let (mut caller, mut stacks) = (StackId::COMPLETE, Vec::new());
    for _ in 0..40 {
        caller = world.stack(caller, 0x2010);
        stacks.push(world.stack(caller, 0x2020));
    }
    let mut leaked = 0;
    world.serve(|world, _| {
        let stack = stacks[world.random(40) as usize];
        if world.random(6) == 0 {
            world.keep_at(stack, 64);
            leaked += 1;
        } else {
            world.lend_at(stack, 64, 0.01);
        }
    });
    let suspect = only_suspect(&world.finish());
    let group = suspect.group.unwrap();
    assert_eq!((group.sites, group.processes), (40, 1));
    assert!(group.live_blocks >= leaked && group.live_blocks < leaked + 5, "{group:?}");
    assert!(suspect.explanation.to_string().contains("recursion"), "{}", suspect.explanation);
}

#[test]
fn a_leak_in_sibling_processes_is_one_suspect() {
    let mut world = World::new(1, 60, true);
    world.start_up();
    let children: Vec<u32> = (0..16).map(|_| world.fork()).collect();
    world.enter(0);
    world.serve_until(60.0, |world, _| {
        let child = children[world.random(16) as usize];
        world.enter(child);
        if world.random(4) == 0 {
            world.keep(64);
        } else {
            world.lend(64, 0.01);
        }
        world.enter(0);
    });
    let suspect = only_suspect(&world.finish());
    let group = suspect.group.unwrap();
    assert_eq!((group.sites, group.processes), (16, 16));
    assert!(suspect.explanation.to_string().contains("16 processes"), "{}", suspect.explanation);
}

#[test]
fn a_queue_that_grows_is_a_suspect_though_each_block_is_freed() {
    let mut world = World::new(1, 60, true);
    let mut queue = VecDeque::new();
    world.serve(|world, _| {
        queue.push_back(world.keep(64));
        if world.random(4) != 0 {
            queue.pop_front().into_iter().for_each(|block| world.free(block));
        }
    });
    let suspect = only_suspect(&world.finish());
    let of = |name: &str| suspect.evidence.iter().find(|e| e.fact == name).unwrap().value;
    assert!((of("backlog-per-call") - 0.25).abs() < 0.05, "{suspect:#?}");
    assert!(of("backlog-curve") > of("backlog-curve-filling"));
    assert!(
        suspect.explanation.to_string().contains("more came than went"),
        "{}",
        suspect.explanation
    );
    let expected = 60.0 * 0.25 * 64.0;
    assert!((suspect.growth_bytes_per_s / expected - 1.0).abs() < 0.15, "{suspect:#?}");
}
