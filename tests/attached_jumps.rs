//! Programs that leave their allocator by an exception or by a jump, and programs that come back to it on other stacks,
//! go on as they would while they are attached to: a probe on a return must never stand in their way.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod attached;
mod support;
mod traced;

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use attached::{Gated, require_attach};
use support::compile::{Compile, Language};
use support::process::{LIMIT, run};
use support::programs::{self, Allocator};
use traced::Traced;
use unfreed::event::Lost;

/// Runs a program bare, then attached to; it must end and say the same.
#[track_caller]
fn same(program: &Path, arguments: &[&str]) -> Traced {
    let bare = run(Command::new(program).args(arguments), LIMIT);
    let mut command = vec![OsString::from(program)];
    command.extend(arguments.iter().map(OsString::from));
    let traced = Gated::start(&command, &[], &[]).record();
    let name = program.display();
    let attached = &traced.finished;
    assert_eq!(attached.status, bare.status, "{name}: {} {}", attached.out(), attached.err());
    assert!(attached.out() == bare.out(), "{name}: {} is not {}", attached.out(), bare.out());
    traced
}

/// A C++ program with the C++ library, or all libraries, inside.
fn cxx(name: &str, output: &str, flags: &[&str]) -> PathBuf {
    let mut sources = vec![format!("tests/programs/{name}.cpp")];
    if flags.contains(&"-static") {
        sources.push(programs::GATE.to_owned());
    }
    let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
    Compile::new(Language::Cxx, output, &sources).flags(&["-pthread"]).flags(flags).build()
}

/// What is thrown at all, by all ways out of `operator new`; and how many blocks of 48, 176 and 144 bytes are kept.
const THROWING: [(&str, [usize; 3]); 2] =
    [("throwing_new", [300, 0, 0]), ("new_handlers", [0, 1000, 200])];

#[test]
fn new_throws_through_the_c_library_s_malloc() {
    support::require!("c++");
    require_attach!();
    for (name, expected) in THROWING {
        for (ending, flags) in [
            ("", &[][..]),
            ("_static_cxx", &["-static-libstdc++", "-static-libgcc"]),
            ("_static", &["-static"]),
        ] {
            let traced = same(&cxx(name, &format!("{name}{ending}"), flags), &[]);
            let kept = [48, 176, 144].map(|size| traced.live_of_size(0, size));
            assert_eq!(kept, expected, "{name}{ending}");
            assert_eq!(traced.lost(), HashMap::new(), "{name}{ending}");
        }
    }
}

#[test]
fn new_throws_through_allocators_that_bring_their_own() {
    support::require!("c++");
    require_attach!();
    for allocator in Allocator::ALL {
        if !allocator.is_installed() {
            support::skip!("{} is not installed", allocator.file());
        }
        for (name, expected) in THROWING {
            let program = allocator.link(Language::Cxx, name);
            let traced = same(&program, &[]);
            // mimalloc gives up where there is no memory, traced or not.
            if name == "throwing_new" && allocator != Allocator::Mimalloc {
                assert_eq!(traced.live_of_size(0, 48), expected[0], "{allocator:?}");
                // A call that was left by an exception was seen to begin and not to end.
                assert!(
                    traced.lost_of(Lost::Allocations) <= 200,
                    "{allocator:?} {:?}",
                    traced.lost()
                );
            }
        }
    }
}

/// The same blocks, by size, as the agent sees: so nothing is missed where a function returns. (An `operator new[]` that only
/// jumps to `operator new` is that.)
#[test]
fn what_new_gives_is_seen_of_every_allocator() {
    support::require!("c++");
    require_attach!();
    for allocator in Allocator::ALL {
        if !allocator.is_installed() {
            support::skip!("{} is not installed", allocator.file());
        }
        let program = allocator.link(Language::Cxx, "functions_new");
        let attached = same(&program, &[]);
        let agent = traced::of(&program, &[]);
        let live = |traced: &Traced| -> BTreeMap<u64, usize> {
            let mut live = BTreeMap::new();
            for alloc in traced.replay(0).live.values().filter(|alloc| alloc.size.0 < 4096) {
                *live.entry(alloc.size.0).or_default() += 1;
            }
            live
        };
        assert_eq!(live(&attached), live(&agent), "{allocator:?}");
        assert_eq!(attached.lost(), HashMap::new(), "{allocator:?}");
    }
}

#[test]
fn jumps_out_of_the_allocator_leave_nothing() {
    require_attach!();
    for arguments in [["above"], ["below"]] {
        same(&programs::c("sigjump"), &arguments);
    }
    same(&programs::c("alarm_jump"), &[]);
}

#[test]
fn other_stacks_are_as_good() {
    require_attach!();
    same(&programs::jump_safe("timer_jumps"), &[]);
    for name in ["altstack", "altstacks", "coroutine", "coroutines"] {
        same(&programs::c(name), &[]);
    }
}
