//! Signals under the real agent: handlers that allocate, on whatever stack, and handlers that jump out, of
//! whatever they interrupted. `tests/programs/README.md` has the counts.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;
mod traced;

use support::programs;
use traced::{Traced, as_bare, of};
use unfreed::event::{Lost, StackId};

#[test]
fn jumps_out_of_the_allocator_leave_nothing_set() {
    for then in ["above", "below"] {
        let traced = of(&programs::c("sigjump"), &[then]);
        assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
        assert_eq!(traced.live_of_size(0, 72), 200, "then {then}");
    }
}

#[test]
fn jumps_out_of_a_signal_handler_leave_nothing_set() {
    let traced = of(&programs::c("alarm_jump"), &[]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    for (size, count) in [(40, 50), (41, 50), (16_000, 50)] {
        assert_eq!(traced.live_of_size(0, size), count, "size {size}");
    }
}

#[test]
fn alternate_signal_stacks_are_walked() {
    let traced = of(&programs::c("altstack"), &[]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    traced.assert_whole();
    assert_eq!((traced.live_of_size(0, 100), traced.live_of_size(0, 60)), (50, 50));
    for alloc in traced.replay(0).live.values().filter(|alloc| alloc.size.0 == 100) {
        let (frames, root) = traced.frames(alloc.stack);
        assert_eq!(root, StackId::COMPLETE, "cut after {} frames", frames.len());
    }
}

/// How far apart the instructions are at which the handler acts: odd, so that in the end it meets any.
const STRIDE: &str = "101";

/// Runs `step`; gives how often the handler acted.
#[track_caller]
fn step(action: &str, stack: &str) -> (Traced, usize) {
    let traced = of(&programs::jump_safe("step"), &[action, stack, STRIDE]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    let rounds = traced.finished.count("rounds") as usize;
    assert!(rounds > 4, "the agent was not stepped through: {rounds}");
    assert_eq!(traced.faults, 0);
    assert_eq!(traced.lost_of(Lost::Bytes), 0, "the handler spoiled what it interrupted");
    (traced, rounds)
}

/// Whatever a handler does, what comes later is recorded, and what is not is counted.
#[track_caller]
fn assert_jumped(action: &str, stack: &str) {
    let (traced, rounds) = step(action, stack);
    assert_eq!(traced.live_of_size(0, 72), rounds, "jumped, lost {:?}", traced.lost());
    assert_eq!(traced.live_of_size(0, 73), 1);
    assert!(traced.live_of_size(0, 40) + traced.live_of_size(0, 300) <= rounds);
    assert!(judge_silent(&traced));
}

/// Nobody frees twice in these programs.
fn judge_silent(traced: &Traced) -> bool {
    unfreed::verdict::judge(&traced.ledger()).over_releases.is_empty()
}

#[test]
fn a_jump_out_of_any_instruction_leaves_nothing_set_further_out() {
    assert_jumped("above", "own");
}

#[test]

fn a_jump_out_of_any_instruction_leaves_nothing_set_further_in() {
    assert_jumped("below", "own");
}

#[test]
fn a_jump_from_an_alternate_stack_leaves_nothing_set() {
    assert_jumped("above", "low");
    assert_jumped("above", "high");
}

/// The handler allocates while anything may be half done: its own block may be missed, which is then
/// counted; what it interrupted is not.
#[track_caller]
fn assert_allocated(stack: &str) {
    let (traced, rounds) = step("allocate", stack);
    let lost = traced.lost_of(Lost::Allocations) as usize;
    let handler_s = traced.live_of_size(0, 555);
    assert!(handler_s <= rounds && handler_s + lost >= rounds, "{handler_s}, {lost} lost");
    assert_eq!(traced.live_of_size(0, 72), rounds, "lost {:?}", traced.lost());
    assert_eq!(traced.live_of_size(0, 73), 1);
    // What the handler freed, and what it interrupted, are freed, or are counted as lost.
    let left = [556, 40, 300].map(|size| traced.live_of_size(0, size));
    assert!(left.iter().sum::<usize>() <= traced.lost_of(Lost::Frees) as usize, "{left:?}");
    assert!(judge_silent(&traced));
}

#[test]
fn a_handler_may_allocate_at_any_instruction() {
    assert_allocated("own");
}

#[test]
fn a_handler_may_allocate_at_any_instruction_on_a_stack_below() {
    assert_allocated("low");
}

#[test]

fn a_handler_may_allocate_at_any_instruction_on_a_stack_above() {
    assert_allocated("high");
}

#[test]
fn thousands_of_jumps_out_of_a_timer_s_handler_leave_nothing_set() {
    let traced = as_bare(&programs::jump_safe("timer_jumps"), &[]);
    assert_eq!(traced.faults, 0);
    // As many blocks as the tracer's buffers may drop where it is not let run are counted.
    let lost = traced.lost_of(Lost::Allocations) as usize;
    for (size, count) in [(72, 3000), (73, 200), (74, 400)] {
        let live = traced.live_of_size(0, size);
        assert!(live <= count && live + lost >= count, "size {size}: {live}, {lost} lost");
    }
    assert!(lost < 300, "something is stuck: {lost} allocations lost");
    assert!(judge_silent(&traced));
}

#[test]
fn handlers_allocate_on_stacks_below_and_above_their_thread_s() {
    let traced = as_bare(&programs::c("altstacks"), &[]);
    traced.assert_whole();
    for (size, count) in [(100, 200), (110, 200), (120, 400), (60, 400)] {
        assert_eq!(traced.live_of_size(0, size), count, "size {size}");
    }
    for alloc in
        traced.replay(0).live.values().filter(|alloc| alloc.size.0 >= 100 && alloc.size.0 <= 120)
    {
        let (frames, root) = traced.frames(alloc.stack);
        assert_eq!(root, StackId::COMPLETE, "cut after {} frames", frames.len());
    }
    traced.assert_accuses_nobody();
}
