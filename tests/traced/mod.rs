//! A program run under the agent by the real binary, and what its trace says. Used as
//! `mod traced;` beside `mod support;`.

#![allow(dead_code, reason = "each test binary uses a part of this")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Command;

use unfreed::event::{
    Address, Alloc, Event, Exit, Fact, FactKind, Frame, Function, Lost, Module, Process, ProcessId,
    StackId, StackNode, What,
};
use unfreed::ledger::Ledger;
use unfreed::read::trace::Reader;
use unfreed::verdict::{DEFAULT_MIN_CONFIDENCE, judge};

use crate::support::process::{Finished, LIMIT, run};

/// The binary under test.
pub const UNFREED: &str = env!("CARGO_BIN_EXE_unfreed");

/// A finished recording.
pub struct Traced {
    pub finished: Finished,
    pub events: Vec<Event>,
    pub faults: usize,
    pub file: PathBuf,
    nodes: Vec<StackNode>,
    _directory: tempfile::TempDir,
}

/// Records a program with these arguments.
pub fn of(program: &Path, arguments: &[&str]) -> Traced {
    let mut command = vec![OsString::from(program)];
    command.extend(arguments.iter().map(OsString::from));
    record(&command)
}

/// Runs a program bare and records it: it must do the same, and end with 0.
#[track_caller]
pub fn as_bare(program: &Path, arguments: &[&str]) -> Traced {
    let bare = run(Command::new(program).args(arguments), LIMIT).expect_code(0);
    let traced = of(program, arguments);
    assert_eq!(traced.finished.code(), Some(0), "{}", traced.finished.err());
    assert_eq!(traced.finished.out(), bare.out());
    assert_eq!(traced.finished.err(), bare.err());
    traced
}

/// Records a command to its end; the exit status is the target's.
pub fn record(command: &[OsString]) -> Traced {
    record_with(&[], command, &[])
}

/// The same with more in the environment.
pub fn record_in(command: &[OsString], environment: &[(&str, OsString)]) -> Traced {
    record_with(&[], command, environment)
}

/// Records a command to its end, every event by itself.
pub fn record_every_event(command: &[OsString]) -> Traced {
    record_with(&["--every-event"], command, &[])
}

/// The same, with more in the environment.
pub fn record_every_event_in(command: &[OsString], environment: &[(&str, OsString)]) -> Traced {
    record_with(&["--every-event"], command, environment)
}

fn record_with(options: &[&str], command: &[OsString], environment: &[(&str, OsString)]) -> Traced {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("trace.unfreed");
    let mut unfreed = Command::new(UNFREED);
    unfreed.args(["record", "--quiet", "--target-status"]).args(options);
    unfreed.arg("-o").arg(&file).arg("--");
    unfreed.args(command).envs(environment.iter().map(|(key, value)| (key, value)));
    let finished = run(&mut unfreed, LIMIT);
    Traced::from_file(finished, file, directory)
}

/// Every event of a trace, and how many faults it has.
pub fn read(file: &Path) -> (Vec<Event>, usize) {
    let opened = File::open(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut reader = Reader::new(BufReader::new(opened)).unwrap();
    let (mut all, mut chunk) = (Vec::new(), Vec::new());
    while reader.next_chunk(&mut chunk).unwrap() {
        all.append(&mut chunk);
    }
    (all, reader.faults().len())
}
/// What a replay of all events found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Blocks live at the end.
    pub live: HashMap<Address, Alloc>,
    /// Allocations at an address that was still live.
    pub free_not_seen: u64,
    /// Frees of an address that was not live.
    pub unmatched: u64,
}

impl Traced {
    /// What a recording says; the program ended like this.
    pub fn from_file(finished: Finished, file: PathBuf, directory: tempfile::TempDir) -> Traced {
        let (events, faults) = read(&file);
        let nodes = events
            .iter()
            .filter_map(|event| match event.what {
                What::Stack(node) => Some(node),
                _ => None,
            })
            .collect();
        Traced { finished, events, faults, file, nodes, _directory: directory }
    }

    /// Every process of the trace.
    pub fn processes(&self) -> Vec<(ProcessId, &Process)> {
        self.events
            .iter()
            .filter_map(|event| match &event.what {
                What::Process(process) => Some((event.process, process.as_ref())),
                _ => None,
            })
            .collect()
    }

    /// How a process ended.
    pub fn exit(&self, process: u32) -> Exit {
        self.events
            .iter()
            .find_map(|event| match event.what {
                What::ProcessExit(exit) if event.process == ProcessId(process) => Some(exit),
                _ => None,
            })
            .expect("its end is in the trace")
    }

    /// How much of each kind was lost.
    pub fn lost(&self) -> HashMap<Lost, u64> {
        let mut lost = HashMap::new();
        for event in &self.events {
            if let What::Loss(loss) = event.what {
                *lost.entry(loss.what).or_default() += loss.count;
            }
        }
        lost
    }

    /// How much of one kind was lost.
    pub fn lost_of(&self, what: Lost) -> u64 {
        self.lost().get(&what).copied().unwrap_or(0)
    }

    /// All events, folded.
    pub fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::default();
        self.events.iter().for_each(|event| ledger.apply(event));
        ledger
    }

    /// Fails if a verdict accuses anybody, of a site or of a second free.
    #[track_caller]
    pub fn assert_accuses_nobody(&self) {
        let assessment = judge(&self.ledger());
        assert!(assessment.suspects(DEFAULT_MIN_CONFIDENCE).is_empty(), "{assessment:#?}");
        assert_eq!(assessment.over_releases, []);
    }

    /// Replays one process's events with a map of its own.
    pub fn replay(&self, process: u32) -> Replay {
        let mut replay = Replay::default();
        for event in self.events.iter().filter(|event| event.process == ProcessId(process)) {
            match event.what {
                What::Alloc(alloc) => {
                    let old = replay.live.insert(alloc.address, alloc);
                    replay.free_not_seen += u64::from(old.is_some());
                }
                What::Realloc(realloc) => {
                    let known = replay.live.remove(&realloc.old).is_some();
                    replay.unmatched += u64::from(!known);
                    let Alloc { address, size, stack, function, heap } = Alloc {
                        address: realloc.new,
                        size: realloc.size,
                        stack: realloc.stack,
                        function: realloc.function,
                        heap: realloc.heap,
                    };
                    replay.live.insert(address, Alloc { address, size, stack, function, heap });
                }
                What::Free(free) => {
                    let known = replay.live.remove(&free.address).is_some();
                    replay.unmatched += u64::from(!known);
                }
                _ => {}
            }
        }
        replay
    }

    /// Blocks of this size that live at the end of a process.
    pub fn live_of_size(&self, process: u32, size: u64) -> usize {
        self.replay(process).live.values().filter(|alloc| alloc.size.0 == size).count()
    }

    /// The same over all processes.
    pub fn live_anywhere(&self, size: u64) -> u64 {
        let mut live = HashMap::new();
        for event in &self.events {
            match event.what {
                What::Alloc(alloc) => {
                    live.insert((event.process, alloc.address), alloc.size.0);
                }
                What::Realloc(realloc) => {
                    live.remove(&(event.process, realloc.old));
                    live.insert((event.process, realloc.new), realloc.size.0);
                }
                What::Free(free) => drop(live.remove(&(event.process, free.address))),
                _ => {}
            }
        }
        live.values().filter(|of| **of == size).count() as u64
    }

    /// Allocations of this size by this function.
    pub fn allocations(&self, size: u64, function: Function) -> usize {
        self.events
            .iter()
            .filter(|event| match event.what {
                What::Alloc(alloc) => alloc.size.0 == size && alloc.function == function,
                _ => false,
            })
            .count()
    }

    /// The frames of a stack, innermost first, and the root it ends at.
    pub fn frames(&self, stack: StackId) -> (Vec<Frame>, StackId) {
        let mut frames = Vec::new();
        let mut at = stack;
        while !at.is_root() {
            let node = self.nodes[(at.0 - StackId::FIRST.0) as usize];
            frames.push(node.frame);
            at = node.caller;
        }
        (frames, at)
    }

    /// Every mapping of a module that was seen.
    pub fn modules(&self) -> impl Iterator<Item = &Module> {
        self.events.iter().filter_map(|event| match &event.what {
            What::Module(module) => Some(module.as_ref()),
            _ => None,
        })
    }

    /// Modules of which it was told that calls of theirs went past the agent.
    pub fn unseen(&self) -> Vec<&Fact> {
        let kinds = [FactKind::FreesUnseen, FactKind::AllocationsUnseen];
        let facts = self.events.iter().filter_map(|event| match &event.what {
            What::Fact(fact) if kinds.contains(&fact.kind) => Some(fact.as_ref()),
            _ => None,
        });
        facts.collect()
    }

    /// Fails unless the trace is whole: nothing lost, no fault, every address in order, every module
    /// seen to call the agent.
    #[track_caller]
    pub fn assert_whole(&self) {
        assert_eq!(self.faults, 0, "the trace has faults");
        assert_eq!(self.lost(), HashMap::new(), "something was lost");
        assert_eq!(self.unseen(), [] as [&Fact; 0], "calls went past the agent");
        for (id, process) in self.processes() {
            let replay = self.replay(id.0);
            assert_eq!(replay.free_not_seen, 0, "{}: allocated at a live address", process.name);
        }
    }
}
