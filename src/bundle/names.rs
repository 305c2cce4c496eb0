//! Names for a trace that goes to a machine without its symbols: of the suspects' frames, and of all frames in their modules,
//! since who is to blame is told by the other stacks of a program too.

use std::collections::BTreeSet;

use crate::event::{Frame, ModuleId, Name, NamedFunction, ProcessId, StackId, What};
use crate::ledger::Ledger;
use crate::names::Namer;
use crate::report::stacks::name;

/// The names found that the trace itself does not have.
pub fn names(
    ledger: &Ledger,
    namer: &mut Namer,
    suspects: &BTreeSet<(ProcessId, StackId)>,
) -> Vec<What> {
    let of = |stack: StackId| ledger.stacks().frames(stack);
    let modules: BTreeSet<ModuleId> = suspects
        .iter()
        .flat_map(|(_, stack)| of(*stack))
        .filter_map(|frame| frame.module)
        .collect();
    let all = ledger.sites().map(|(_, site)| site.stack).chain(suspects.iter().map(|(_, at)| *at));
    let mut seen = BTreeSet::new();
    let mut names = Vec::new();
    for frame in all.flat_map(of) {
        let Some(module) = frame.module.filter(|module| modules.contains(module)) else { continue };
        let known = !ledger.modules().functions(module, frame.offset).is_empty();
        if known || !seen.insert((module, frame.offset)) {
            continue;
        }
        let functions = named(ledger, namer, *frame);
        if !functions.is_empty() {
            names.push(What::Name(Box::new(Name { module, offset: frame.offset, functions })));
        }
    }
    names
}

fn named(ledger: &Ledger, namer: &mut Namer, frame: Frame) -> Vec<NamedFunction> {
    let steps = name(ledger, namer, frame);
    let functions = steps.iter().filter_map(|step| {
        let function = step.function()?.to_owned();
        let of = step.name()?;
        Some(NamedFunction { function, file: of.file.clone(), line: of.line })
    });
    functions.collect()
}
