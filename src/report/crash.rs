//! Crashes, as the report has them: what a dump says of the exception, and the fixes that may explain it.

use super::model::Crash;
use super::modules;
use super::stacks::{shown, steps};
use super::witness::Witness;
use crate::event::Exception;
use crate::fixes::{CrashEvidence, EvidenceFrame, Match};
use crate::ledger::Ledger;
use crate::names::Namer;

/// Holds one crash against the catalogue: the fixes that may explain it, best first.
pub type CrashMatcher<'a> = &'a dyn Fn(&CrashEvidence<'_>) -> Vec<Match>;

/// Every exception that was told of, by process.
pub fn crashes(ledger: &Ledger, namer: &mut Namer, matcher: CrashMatcher<'_>) -> Vec<Crash> {
    let witness = Witness::new(ledger);
    let mut crashes = Vec::new();
    for (target, image) in ledger.images().iter().enumerate() {
        let process = image.process.clone().unwrap_or_default();
        for raised in image.exceptions() {
            let Exception { code, address, stack } = raised.exception;
            let steps = steps(ledger, namer, stack);
            let module = steps.first().and_then(|step| step.module);
            let evidence = CrashEvidence {
                code,
                process: &process.name,
                stack: steps
                    .iter()
                    .map(|step| EvidenceFrame { module: step.module, function: step.function() })
                    .collect(),
                stack_complete: witness.complete(stack),
                modules: witness.modules_of(image.id),
                facts: witness.facts(),
            };
            crashes.push(Crash {
                process: process.name.clone(),
                pid: process.pid,
                target,
                thread: raised.thread.0,
                code: format!("{code:#010x}"),
                name: Exception::name_of(code).map(str::to_owned),
                address: format!("{:#x}", address.0),
                module: module.map(modules::shown),
                stack: shown(&steps, None),
                stack_complete: witness.complete(stack),
                fixes: matcher(&evidence),
            });
        }
    }
    crashes
}
