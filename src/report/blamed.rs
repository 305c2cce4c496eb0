//! The stacks that survive, with their blame frames. A program's own wrappers are found by
//! structure, which takes the innermost frames of the process's other sites too; of those only
//! the frames in modules that the survivors' stacks go through are named.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;

use super::stacks::{Step, name, steps, unnamed};
use crate::event::{ModuleId, ProcessId, StackId};
use crate::ledger::Ledger;
use crate::names::{Namer, SiteSeen, blame::blame};

/// Frames of other sites that are looked at: allocator, runtime, wrapper, and its caller lie well
/// within them.
const INNERMOST: usize = 12;

/// A stack with its blame frame.
#[derive(Clone, Debug, Default)]
pub struct Survivor<'a> {
    /// Its functions, innermost first.
    pub steps: Vec<Step<'a>>,
    /// The index of the blame frame; `None` for a stack without frames.
    pub blame: Option<usize>,
}

impl<'a> Survivor<'a> {
    /// The blame frame.
    pub fn blamed(&self) -> Option<&Step<'a>> {
        self.blame.and_then(|at| self.steps.get(at))
    }
}

/// Survivors, by process and stack.
pub type Survivors<'a> = BTreeMap<(ProcessId, StackId), Survivor<'a>>;

/// Names the stacks wanted and finds their blame frames.
pub fn survivors<'a>(
    ledger: &'a Ledger,
    namer: &mut Namer,
    wanted: impl IntoIterator<Item = (ProcessId, StackId)>,
) -> Survivors<'a> {
    let mut processes: BTreeMap<ProcessId, Vec<StackId>> = BTreeMap::new();
    for (process, stack) in wanted {
        processes.entry(process).or_default().push(stack);
    }
    let mut survivors = BTreeMap::new();
    for (process, mut stacks) in processes {
        stacks.sort_unstable();
        stacks.dedup();
        of_process(ledger, namer, process, &stacks, &mut survivors);
    }
    survivors
}

fn of_process<'a>(
    ledger: &'a Ledger,
    namer: &mut Namer,
    process: ProcessId,
    wanted: &[StackId],
    survivors: &mut Survivors<'a>,
) {
    let modules: FxHashSet<ModuleId> = wanted
        .iter()
        .flat_map(|stack| ledger.stacks().frames(*stack))
        .filter_map(|frame| frame.module)
        .collect();
    let mut all: Vec<(Vec<Step<'a>>, u64)> =
        wanted.iter().map(|stack| (steps(ledger, namer, *stack), 0)).collect();
    for (_, site) in ledger.sites().filter(|(_, site)| site.process == process) {
        match wanted.binary_search(&site.stack) {
            Ok(at) => all[at].1 = site.allocations,
            Err(_) => {
                let mut others = Vec::new();
                for frame in ledger.stacks().frames(site.stack).take(INNERMOST) {
                    match frame.module.filter(|module| modules.contains(module)) {
                        Some(_) => others.extend(name(ledger, namer, *frame)),
                        None => others.push(unnamed(ledger, *frame)),
                    }
                }
                all.push((others, site.allocations));
            }
        }
    }
    let seen: Vec<SiteSeen<'_>> = all
        .iter()
        .map(|(steps, allocations)| SiteSeen {
            frames: steps.iter().map(Step::seen).collect(),
            allocations: *allocations,
        })
        .collect();
    let blamed = blame(&seen).frames;
    drop(seen);
    for ((stack, (steps, _)), blame) in wanted.iter().zip(all).zip(blamed) {
        survivors.insert((process, *stack), Survivor { steps, blame });
    }
}
