//! Stacks unlike a plain thread's under the real agent: deep ones, coroutines', and ones whose frames lie.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;
mod traced;

use std::collections::HashMap;

use support::programs;
use traced::{as_bare, of};
use unfreed::event::StackId;

#[test]
fn a_deep_stack_is_cut_and_says_so() {
    let traced = of(&programs::c("deep"), &[]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    traced.assert_whole();
    let kept: Vec<_> =
        traced.replay(0).live.values().filter(|alloc| alloc.size.0 == 24).copied().collect();
    assert_eq!(kept.len(), 30);
    assert!(kept.iter().any(|alloc| traced.frames(alloc.stack).1 == StackId::TRUNCATED));
}

#[test]
fn a_coroutine_s_stack_is_not_read_past_its_end() {
    let traced = of(&programs::c("coroutine"), &[]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    traced.assert_whole();
    assert_eq!(traced.live_of_size(0, 50), 1);
}

#[test]
fn a_hundred_thousand_frames_are_cut() {
    let traced = as_bare(&programs::c("deeper"), &[]);
    traced.assert_whole();
    let replay = traced.replay(0);
    let kept: Vec<_> = replay.live.values().filter(|alloc| alloc.size.0 == 33).collect();
    assert_eq!(kept.len(), 200);
    for alloc in kept {
        let (frames, root) = traced.frames(alloc.stack);
        assert!(frames.len() > 100, "{} frames", frames.len());
        assert_eq!(root, StackId::TRUNCATED);
    }
    traced.assert_accuses_nobody();
}

#[test]
fn coroutines_of_both_kinds_are_followed() {
    let traced = as_bare(&programs::c("coroutines"), &[]);
    traced.assert_whole();
    assert_eq!((traced.live_of_size(0, 130), traced.live_of_size(0, 140)), (2_000, 2_000));
    // Whoever runs a coroutine, what it allocates has the stack of the coroutine alone.
    let mut stacks: HashMap<u64, Vec<_>> = HashMap::new();
    for alloc in traced.replay(0).live.values().filter(|alloc| matches!(alloc.size.0, 130 | 140)) {
        let (frames, _) = traced.frames(alloc.stack);
        let offsets: Vec<u64> = frames.iter().map(|frame| frame.offset).collect();
        let known = stacks.entry(alloc.size.0).or_default();
        if !known.contains(&offsets) {
            known.push(offsets);
        }
    }
    for (size, known) in stacks {
        assert_eq!(known.len(), 1, "size {size}: {known:x?}");
        assert!((2..=4).contains(&known[0].len()), "size {size}: {known:x?}");
    }
    traced.assert_accuses_nobody();
}

#[test]

fn a_frame_without_a_table_faults_nobody() {
    let traced = as_bare(&programs::c("bad_frame"), &[]);
    traced.assert_whole();
    assert_eq!(traced.live_of_size(0, 70), 16);
}
