//! Every way a block can come about under the real agent: allocators other than the C library's, `operator
//! new` with all its exits, and the C library's own allocations.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;
mod traced;

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use support::compile::Language;
use support::process::{LIMIT, Running};
use support::programs::{self, Allocator, Archiver};
use traced::{UNFREED, as_bare, of};
use unfreed::event::FactKind;

#[test]
fn exceptions_pass_through_new_and_leave_nothing_set() {
    let traced = of(&programs::cxx("throwing_new"), &[]);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    assert_eq!(traced.live_of_size(0, 48), 300);
    assert_eq!(traced.replay(0).unmatched, 0);
    traced.assert_whole();
}

#[test]
fn every_exit_of_new_leaves_nothing_set() {
    support::require!("c++");
    let traced = as_bare(&programs::cxx("new_handlers"), &[]);
    traced.assert_whole();
    assert_eq!(traced.finished.out(), "right=1000 found=100 kept=1200\n");
    assert_eq!(traced.live_of_size(0, 176), 1_000);
    assert_eq!((traced.live_of_size(0, 112), traced.live_of_size(0, 64 << 20)), (0, 0));
    assert_eq!(traced.replay(0).unmatched, 0);
    traced.assert_accuses_nobody();
}

#[test]

fn what_a_new_handler_allocates_is_seen() {
    support::require!("c++");
    let traced = of(&programs::cxx("new_handlers"), &[]);
    assert_eq!(traced.live_of_size(0, 144), 200);
}

/// The allocators that are here; without one of them the test cannot be whole.
fn installed() -> Option<[Allocator; 3]> {
    Allocator::ALL.iter().all(|one| one.is_installed()).then_some(Allocator::ALL)
}

/// Whether a program asks the loader for a library whose file name begins like this.
fn needs(program: &Path, library: &str) -> bool {
    let file = std::fs::read(program).unwrap();
    file.windows(library.len()).any(|window| window == library.as_bytes())
}

/// A program, and how many blocks of which size it keeps.
type Case = (Language, &'static str, &'static [(u64, usize)]);

#[test]
fn programs_linked_with_another_allocator_are_recorded_exactly() {
    support::require!("c++");
    let Some(allocators) = installed() else {
        support::skip!("jemalloc, tcmalloc and mimalloc are not all installed");
    };
    for allocator in allocators {
        let cases: [Case; 4] = [
            (Language::C, "handoff", &[]),
            (Language::C, "realloc_threads", &[(4700, 1)]),
            (Language::Cxx, "functions_new", &[(101, 1), (102, 1), (104, 1), (106, 1), (108, 1)]),
            (Language::Cxx, "throwing_new", &[(48, 300)]),
        ];
        for (language, name, sizes) in cases {
            // Debian's is compiled as C: where there is no memory it ends the program.
            if (allocator, name) == (Allocator::Mimalloc, "throwing_new") {
                continue;
            }
            let program = allocator.link(language, name);
            assert!(needs(&program, &allocator.file()), "{program:?} is not linked with it");
            let traced = of(&program, &[]);
            let case = format!("{name} with {allocator:?}");
            assert_eq!(traced.finished.code(), Some(0), "{case}: {}", traced.finished.err());
            traced.assert_whole();
            assert_eq!(traced.replay(0).unmatched, 0, "{case}");
            for &(size, count) in sizes {
                assert_eq!(traced.live_of_size(0, size), count, "{case}, size {size}");
            }
            if name == "handoff" {
                let live = traced.replay(0).live.len();
                assert!((100..130).contains(&live), "{case}: {live} live");
            }
            traced.assert_accuses_nobody();
        }
    }
}

#[test]
fn leaks_of_programs_linked_with_another_allocator_are_found() {
    support::require!("c++");
    let Some(allocators) = installed() else {
        support::skip!("jemalloc, tcmalloc and mimalloc are not all installed");
    };
    const MESSAGES: u64 = 8_000;
    let directory = tempfile::tempdir().unwrap();
    let report = |allocator| directory.path().join(format!("{allocator:?}.json"));
    // Each lasts for four seconds: all at once.
    let running = allocators.map(|allocator| {
        let server = programs::server_with(allocator, Archiver::Leaking, MESSAGES, 2);
        let mut run = Command::new(UNFREED);
        run.args(["run", "--json", "--output"]).arg(report(allocator)).arg("--");
        run.arg(server.get_program()).args(server.get_args()).args(["--rate", "2000"]);
        (allocator, Running::start(&mut run))
    });
    for (allocator, running) in running {
        let finished = running.finish(LIMIT).expect_code(1);
        assert_eq!(finished.count("stored"), MESSAGES);
        let text = std::fs::read(report(allocator)).unwrap();
        let report: Value = serde_json::from_slice(&text).unwrap();
        let suspects = report["suspects"].as_array().unwrap();
        assert_eq!(suspects.len(), 1, "{allocator:?}: {suspects:#?}");
        assert_eq!(suspects[0]["module"]["name"], json!("libarchiver.so"), "{allocator:?}");
        assert_eq!(suspects[0]["live_blocks"], json!(MESSAGES), "{allocator:?}");
        assert_eq!(suspects[0]["allocations"], json!(MESSAGES), "{allocator:?}");
        let function = suspects[0]["function"].as_str().unwrap();
        assert!(function.starts_with("archiver::Archive::remember_sender"), "{function}");
    }
}

#[test]
fn blocks_of_the_c_library_are_blocks_like_any() {
    let live = |rounds: &str| {
        let traced = as_bare(&programs::c("libc_blocks"), &[rounds]);
        traced.assert_whole();
        assert_eq!(traced.replay(0).unmatched, 0);
        traced.assert_accuses_nobody();
        (traced.live_of_size(0, 42), traced.replay(0).live.len())
    };
    let (few, with_few) = live("20");
    let (more, with_more) = live("220");
    assert_eq!((few, more), (20, 220));
    // What the C library keeps for itself is there from the first round on.
    assert_eq!(with_more - with_few, 200);
}

/// Blocks that come or go by an allocator's own names, with all allocators at once: each lasts for four seconds.
fn by_own_names(what: &str) {
    let Some(allocators) = installed() else {
        support::skip!("jemalloc, tcmalloc and mimalloc are not all installed");
    };
    std::thread::scope(|scope| {
        for allocator in allocators {
            scope.spawn(move || {
                let [allocate, free] = allocator.own_names();
                let program = allocator.link(Language::C, "own_names");
                let traced = of(&program, &[allocate, free, what, "400", "10000"]);
                assert_eq!(traced.finished.out(), "rounds=400\n", "{}", traced.finished.err());
                assert_eq!((traced.faults, traced.lost().len()), (0, 0));
                traced.assert_accuses_nobody();
            });
        }
    });
}

#[test]
fn blocks_that_are_freed_by_an_allocator_s_own_names_are_nobody_s_leak() {
    by_own_names("freed");
}

#[test]
fn who_frees_by_an_allocator_s_own_name_is_told() {
    let Some(allocators) = installed() else {
        support::skip!("jemalloc, tcmalloc and mimalloc are not all installed");
    };
    std::thread::scope(|scope| {
        for allocator in allocators {
            scope.spawn(move || {
                let [_, free] = allocator.own_names();
                let traced = of(&allocator.link_own_name(), &["300", "10000"]);
                assert_eq!(traced.finished.out(), "rounds=300\n", "{}", traced.finished.err());
                let told = traced.unseen();
                assert_eq!(told.len(), 1, "{told:?}");
                assert_eq!(told[0].kind, FactKind::FreesUnseen);
                let why = told[0].value.as_deref().unwrap_or_default();
                let begins = format!("its calls of {free} go to {}", allocator.file());
                assert!(why.starts_with(&begins), "{why}");
                assert!(told[0].subject.contains("/own_name_linked_"), "{}", told[0].subject);
                traced.assert_accuses_nobody();
            });
        }
    });
}

#[test]
fn blocks_that_are_allocated_by_an_allocator_s_own_names_may_be_freed() {
    by_own_names("allocated");
}
