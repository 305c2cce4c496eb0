//! Attaching and the kernel: what it keeps for us and gives up, what it may lack, and how many processes it takes.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod attached;
mod support;
mod traced;

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Instant;

use attached::{Gated, attach, require_attach, until};
use aya::maps::loaded_maps;
use aya::programs::{loaded_links, loaded_programs};
use serde_json::Value;
use support::process::{LIMIT, Running, run};
use support::programs;
use support::signal::Signal;
use traced::UNFREED;

/// What a process has in the kernel, by the kernel's own numbers.
#[derive(Debug, Default, PartialEq, Eq)]
struct Kept {
    programs: BTreeSet<u32>,
    maps: BTreeSet<u32>,
    links: BTreeSet<u32>,
}

impl Kept {
    /// By whose descriptors it is.
    fn of(pid: u32) -> Kept {
        let mut kept = Kept::default();
        for entry in std::fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap().flatten() {
            let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
            for line in text.lines() {
                let Some((name, number)) = line.split_once(':') else { continue };
                let into = match name {
                    "prog_id" => &mut kept.programs,
                    "map_id" => &mut kept.maps,
                    "link_id" => &mut kept.links,
                    _ => continue,
                };
                into.extend(number.trim().parse::<u32>());
            }
        }
        kept
    }

    /// What of it is still there, whoever holds it.
    fn left(&self) -> Kept {
        let programs = loaded_programs().flatten().map(|program| program.id());
        let maps = loaded_maps().flatten().map(|map| map.id());
        let links = loaded_links().flatten().map(|link| link.id());
        Kept {
            programs: programs.filter(|id| self.programs.contains(id)).collect(),
            maps: maps.filter(|id| self.maps.contains(id)).collect(),
            links: links.filter(|id| self.links.contains(id)).collect(),
        }
    }
}

/// Something to attach to, running.
fn target() -> Running {
    let target = Running::start(&mut Command::new(programs::c("linger_attached")));
    target.wait_for("up\n", LIMIT);
    target
}

#[test]
fn nothing_is_left_in_the_kernel_however_it_ends() {
    require_attach!();
    let target = target();
    for signal in [Signal::Interrupt, Signal::Kill] {
        let unfreed = attach(&["attach", &target.pid().to_string()]);
        let kept = Kept::of(unfreed.pid());
        assert!(kept.programs.len() >= 5 && kept.maps.len() >= 5, "{kept:?}");
        assert!(kept.links.len() >= 3, "{kept:?}");
        assert_eq!(kept.left(), kept);
        unfreed.signal(signal);
        unfreed.finish(LIMIT);
        // The kernel lets go of maps once nobody can be reading them.
        until("nothing is left", || kept.left() == Kept::default());
    }
    let named = std::fs::read_to_string("/sys/kernel/tracing/uprobe_events").unwrap();
    assert!(!named.contains("libc.so.6"), "{named}");
}

#[test]
fn a_kernel_without_types_will_do() {
    require_attach!();
    let unshare = support::require!("unshare");
    let target = target();
    let script = "test ! -e /sys/kernel/btf || mount -t tmpfs none /sys/kernel/btf; exec \"$@\"";
    let mut command = Command::new(unshare);
    command.args(["--mount", "/bin/sh", "-c", script, "sh", UNFREED, "attach", "--duration", "1s"]);
    let finished = run(command.arg(target.pid().to_string()), LIMIT).expect_code(0);
    assert!(finished.out().contains("Nothing was lost"), "{}", finished.out());
}

#[test]
fn a_machine_without_tracefs_is_told() {
    require_attach!();
    let unshare = support::require!("unshare");
    let target = target();
    let script = "mount -t tmpfs none /sys/kernel/tracing; exec \"$@\"";
    let mut command = Command::new(unshare);
    command.args(["--mount", "/bin/sh", "-c", script, "sh", UNFREED, "attach"]);
    let finished = run(command.arg(target.pid().to_string()), LIMIT).expect_code(2);
    assert!(finished.err().contains("/sys/kernel/tracing"), "{}", finished.err());
}

/// One that may do nothing but read, write and return, and that is attached to before it says so.
#[test]
fn the_strictest_filter_is_not_struck() {
    require_attach!();
    let program = programs::c("strict");
    let traced = Gated::start(&[program.into()], &[], &[]).record();
    assert_eq!(
        traced.finished.code(),
        Some(0),
        "{:?} {}",
        traced.finished.status,
        traced.finished.err()
    );
    assert_eq!(traced.finished.out(), "kept=10\n");
    assert_eq!(traced.live_of_size(0, 100), 10);
}

/// The kernel takes a while for each.
#[test]
#[ignore = "takes minutes, and most of both processors"]
fn five_hundred_processes_are_attached_to_at_once() {
    const MANY: usize = 500;
    require_attach!();
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("one-of-many");
    std::fs::copy(programs::c("linger_attached"), &program).unwrap();
    let report = directory.path().join("report.json");
    // 5,000 pairs a second together, which leave the processors for attaching.
    let start = |_| Running::start(Command::new(&program).arg("100000"));
    let processes: Vec<Running> = (0..MANY).map(start).collect();
    processes.iter().for_each(|process| process.wait_for("up\n", LIMIT));
    let arguments = ["attach", "--json", "--output", report.to_str().unwrap(), "one-of-many"];
    let began = Instant::now();
    let unfreed = Running::start(Command::new(UNFREED).args(arguments));
    unfreed.wait_for_told("Attached to more.", 5 * LIMIT);
    // Those on releases, on returns and on entries.
    until("all are attached to", || Kept::of(unfreed.pid()).links.len() >= 3 * MANY);
    let attached = began.elapsed();
    let kept = Kept::of(unfreed.pid());
    unfreed.signal(Signal::Interrupt);
    let finished = unfreed.finish(5 * LIMIT).expect_code(0);
    println!("{} links, attached after {attached:?}, all {:?}", kept.links.len(), finished.elapsed);
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert_eq!(report["target"].as_array().unwrap().len(), MANY);
    assert_eq!(report["losses"]["frees"], 0, "{:#}", report["losses"]);
    until("nothing is left", || kept.left() == Kept::default());
}
