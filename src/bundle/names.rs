//! Names for a trace that goes to a machine without its symbols: of all that a report shows, and of all frames in the suspects' modules,
//! since who is to blame is told by the other stacks of a program too.

use std::collections::BTreeSet;

use crate::event::{Frame, ModuleId, Name, NamedFunction, ProcessId, StackId, What};
use crate::ledger::Ledger;
use crate::names::Namer;
use crate::report::diff::unversioned;
use crate::report::flame::heaviest;
use crate::report::stacks::name;

/// The modules on the suspects' stacks, without versions in their names.
pub fn suspected(ledger: &Ledger, suspects: &BTreeSet<(ProcessId, StackId)>) -> BTreeSet<String> {
    let frames = suspects.iter().flat_map(|(_, stack)| ledger.stacks().frames(*stack));
    let modules = frames.filter_map(|frame| ledger.modules().identity(frame.module?));
    modules.map(|module| unversioned(&module.name)).collect()
}

/// The names found that the trace itself does not have, of what is shown and of these modules.
pub fn names(
    ledger: &Ledger,
    namer: &mut Namer,
    suspects: &BTreeSet<(ProcessId, StackId)>,
    modules: &BTreeSet<String>,
) -> Vec<What> {
    let modules: BTreeSet<ModuleId> = ledger
        .modules()
        .iter()
        .filter(|(_, module)| modules.contains(&unversioned(&module.name)))
        .map(|(id, _)| id)
        .collect();
    let raised = ledger.images().iter().flat_map(|image| image.exceptions());
    let heaviest = heaviest(ledger, suspects).0;
    let shown: BTreeSet<StackId> = raised
        .map(|raised| raised.exception.stack)
        .chain(heaviest.iter().map(|site| site.stack))
        .chain(suspects.iter().map(|(_, stack)| *stack))
        .collect();
    let all = ledger.sites().map(|(_, site)| site.stack).chain(shown.iter().copied());
    let frames = all.flat_map(|stack| {
        let is_shown = shown.contains(&stack);
        ledger.stacks().frames(stack).map(move |frame| (is_shown, frame))
    });
    let mut seen = BTreeSet::new();
    let mut names = Vec::new();
    for (is_shown, frame) in frames {
        let wanted = |module: &ModuleId| is_shown || modules.contains(module);
        let Some(module) = frame.module.filter(wanted) else { continue };
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
