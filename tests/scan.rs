//! Reachability: what a scan of real programs says, against what they did by construction.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "scan/scanned.rs"]
mod scanned;
mod support;
mod traced;

use scanned::{Scanned, scanned};
use support::programs;
use unfreed::event::RootKind;

/// How many of a function's blocks may be taken for referenced because an old value was left somewhere.
const LEFT: u64 = 1;

#[track_caller]
fn assert_lost(scanned: &Scanned, function: &str, blocks: u64) {
    let lost = scanned.of(function, None);
    assert_eq!(scanned.all(function), blocks, "{function}: {scanned:#?}");
    assert!(lost + LEFT >= blocks, "{function}: {lost} of {blocks} lost\n{scanned:#?}");
}

#[track_caller]
fn assert_held(scanned: &Scanned, function: &str, blocks: u64, by: RootKind) {
    assert_eq!(scanned.all(function), blocks, "{function}: {scanned:#?}");
    assert_eq!(scanned.of(function, Some(by)), blocks, "{function}: {scanned:#?}");
}

#[test]
fn every_way_to_hold_a_block_is_seen_and_a_lost_block_is_lost() {
    let plugin = programs::plug_in("reach_plugin", "reach_plugin");
    let program = programs::c("reach");
    let processes = scanned(&program, &[plugin.to_str().unwrap()], &[]);
    let [parent, child] = processes.as_slice() else { panic!("{processes:#?}") };
    assert_eq!((&parent.failed, parent.whole), (&None, true), "{processes:#?}");
    assert_lost(parent, "lost_alone", 100);
    assert_lost(parent, "lost_pair", 200);
    assert_lost(parent, "lost_large", 10);
    assert_lost(parent, "lost_behind_lost", 100);
    assert_lost(parent, "lost_in_arena", 20);
    assert_held(parent, "held_by_global", 101, RootKind::Global);
    assert_held(parent, "held_large", 1, RootKind::Global);
    assert_held(parent, "held_by_large", 100, RootKind::Global);
    assert_held(parent, "held_inside", 100, RootKind::Global);
    assert_eq!(parent.interior("held_inside"), 100);
    assert_eq!(parent.interior("held_by_global"), 0);
    assert_held(parent, "held_by_stack", 10, RootKind::Stack);
    assert_held(parent, "held_by_thread", 20, RootKind::Stack);
    assert_held(parent, "held_thread_local", 30, RootKind::ThreadLocal);
    assert_held(parent, "held_by_register", 1, RootKind::Register);
    assert_held(parent, "held_by_mapping", 10, RootKind::Mapping);
    assert_held(parent, "held_by_plugin", 10, RootKind::Global);
    assert_eq!(parent.modules("held_by_plugin"), ["libreach_plugin.so"]);
    assert_eq!(parent.modules("held_by_global"), ["reach"]);
    // A limit: who disguises pointers seems to have lost them.
    assert_lost(parent, "hidden", 100);

    // What it inherited is not known block by block, and all of it counts.
    assert_eq!((&child.failed, child.whole), (&None, false));
    assert_held(child, "held_by_child", 10, RootKind::Untold);
    assert_lost(child, "lost_by_child", 10);
}
