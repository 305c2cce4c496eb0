//! Threads under the real agent: blocks that change hands, and more threads than a session has room for.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;
mod traced;

use std::ffi::OsString;

use support::programs;
use traced::{as_bare, of, record};
use unfreed::event::Lost;

#[test]
fn a_block_freed_on_another_thread_is_freed() {
    let traced = of(&programs::c("handoff"), &[]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    traced.assert_whole();
    let replay = traced.replay(0);
    assert_eq!(replay.unmatched, 0);
    // The program's own 100, its output's buffer, and what the C library keeps for threads.
    assert!((100..120).contains(&replay.live.len()), "{} live", replay.live.len());
}

#[test]
fn a_process_is_traced_after_its_first_thread_has_left() {
    // Not as the program that we started, whose end the system tells us, but below it.
    let program = programs::c("leaderless");
    let command = ["/bin/sh", "-c", "\"$0\"; exit 0", program.to_str().unwrap()];
    let traced = record(&command.map(OsString::from));
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    traced.assert_whole();
    let processes = traced.processes();
    let (id, _) = processes.iter().find(|(_, process)| process.name == "leaderless").unwrap();
    assert_eq!(traced.live_of_size(id.0, 48), 200);
}

#[test]
fn ten_thousand_threads_one_after_another_are_seen() {
    let traced = as_bare(&programs::c("many_threads"), &["batches"]);
    assert_eq!(traced.faults, 0);
    let live = traced.live_of_size(0, 120) as u64;
    let lost = traced.lost_of(Lost::Allocations);
    assert!(live <= 10_000 && live + lost >= 10_000, "{live} and {lost} lost: some in silence");
    // Those that ended make room: nothing, or next to nothing, is lost.
    assert!(live >= 5_000, "{live} of 10,000 seen");
    let left = (traced.live_of_size(0, 30) + traced.live_of_size(0, 50)) as u64;
    assert!(left <= traced.lost_of(Lost::Frees), "{left} live that were freed");
    traced.assert_accuses_nobody();
}

#[test]
fn ten_thousand_threads_at_once_are_seen_or_counted() {
    let traced = of(&programs::c("many_threads"), &["at-once"]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    let threads = traced.finished.count("threads");
    assert!(threads > 1_000, "the machine gives only {threads} threads");
    assert_eq!(traced.faults, 0);
    let live = traced.live_of_size(0, 120) as u64;
    let (allocations, frees) = (traced.lost_of(Lost::Allocations), traced.lost_of(Lost::Frees));
    assert!(live > 0 && live <= threads, "{live}");
    assert!(
        live + allocations >= threads,
        "{live} and {allocations} lost of {threads}: in silence"
    );
    let left = (traced.live_of_size(0, 30) + traced.live_of_size(0, 50)) as u64;
    assert!(left <= frees, "{left} live that were freed, {frees} lost");
    let assessment = unfreed::verdict::judge(&traced.ledger());
    assert_eq!(assessment.over_releases, []);
    assert!(assessment.suspects(unfreed::verdict::DEFAULT_MIN_CONFIDENCE).is_empty());
}
