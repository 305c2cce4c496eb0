//! Holds one crash against the fixes whose sources speak of one. A crash says less than a suspect: that a block was
//! released too often, or anything else of what went before, is not in a dump, and any fault may end in the same
//! exception. So a crash is never more than `possible`, and what contradicts the source ends it: another process,
//! another exception, none of the modules, or files that have the fix. A version alone accuses nobody.

use super::view::{View, is_called};
use super::{Judgement, MAX_MATCHES, conditions, judge_lines, rank};
use crate::event::Exception;
use crate::fixes::catalogue::Catalogue;
use crate::fixes::entry::{Crash, Entry};
use crate::fixes::evidence::{CrashEvidence, Evidence, EvidenceKind};
use crate::fixes::matched::{Match, Reason, Standing, Status};

/// How well a crash fits where the module is only loaded, where it is on the stack, and where the instruction that
/// raised the exception is in it.
const LOADED: f64 = 0.25;
const ON_STACK: f64 = 0.4;
const INNERMOST: f64 = 0.5;
/// What is left of that where the versions are not known.
const UNKNOWN_VERSION: f64 = 0.6;

/// The fixes that a crash may be explained by, best first, at most [`MAX_MATCHES`].
pub fn match_crash(catalogue: &Catalogue, crash: &CrashEvidence<'_>) -> Vec<Match> {
    let evidence = Evidence {
        kind: EvidenceKind::Crash,
        process: crash.process,
        blame: None,
        stack: crash.stack.clone(),
        stack_complete: crash.stack_complete,
        modules: crash.modules.clone(),
        function: Default::default(),
        bytes_per_call: None,
        blocks_per_event: None,
        facts: crash.facts,
    };
    let view = View::new(catalogue, &evidence);
    let judged = |entry: &Entry| judge(entry, entry.crash.as_ref()?, crash.code, &view);
    let mut matches = rank(catalogue.entries().filter_map(judged).collect());
    matches.truncate(MAX_MATCHES);
    matches
}

/// One fix; `None` where something contradicts it.
fn judge(entry: &Entry, wanted: &Crash, code: u32, view: &View<'_>) -> Option<(f64, Match)> {
    if !view.is_process(&wanted.processes) || !wanted.exceptions.contains(&code) {
        return None;
    }
    let reason =
        |clause: &str, standing, text: String| Reason { clause: clause.to_owned(), standing, text };
    let name = Exception::name_of(code).unwrap_or("exception");
    let mut reasons = vec![
        reason(
            "exception",
            Standing::Yes,
            format!("{name} ({code:#010x}), which is what the source states"),
        ),
        reason("process", Standing::Yes, format!("the process is `{}`", view.evidence.process)),
    ];
    let (place, standing, text) = place(wanted, view)?;
    reasons.push(reason("module", standing, text));
    let (versions, told) = judge_lines(entry, view);
    let known = match versions {
        Judgement::Affected => 1.0,
        Judgement::Unknown => UNKNOWN_VERSION,
        Judgement::Fixed | Judgement::NotOurs => return None,
    };
    reasons.extend(told);
    let text = format!(
        "{} Another fault can end in the same exception: one crash proves no cause",
        wanted.says
    );
    reasons.push(reason("evidence", Standing::Unknown, text));
    let conditions = conditions::judge(&entry.conditions, view);
    if conditions.iter().any(|reason| reason.standing == Standing::No) {
        return None;
    }
    reasons.extend(conditions);
    let confidence = (place * known * 100.0).round() / 100.0;
    let found = Match {
        id: entry.id.clone(),
        title: entry.title.clone(),
        status: Status::Possible,
        confidence,
        score: format!(
            "{place} for where the module is, times {known} for what is known of its version"
        ),
        reasons,
        remedy: entry.remedy_for(Status::Possible),
        related: entry.related(Status::Possible),
        source: entry.source_line(),
        origin: entry.origin_line(),
    };
    Some((confidence, found))
}

/// Where a module of the source is, and what that is worth; `None` where none is loaded.
fn place(wanted: &Crash, view: &View<'_>) -> Option<(f64, Standing, String)> {
    let called = |module| wanted.modules.iter().any(|name| is_called(module, name));
    let stack =
        || view.evidence.stack.iter().map(|frame| frame.module.filter(|module| called(module)));
    if let Some(module) = stack().next().flatten() {
        let text = format!("the exception was raised in {}", module.name);
        return Some((INNERMOST, Standing::Yes, text));
    }
    if let Some(module) = stack().flatten().next() {
        let text = format!("{} is on the stack of the thread that crashed", module.name);
        return Some((ON_STACK, Standing::Yes, text));
    }
    let module = view.evidence.modules.iter().find(|module| called(module))?;
    let text = format!(
        "{} is loaded, and not on what is known of the stack of the thread that crashed: look at the whole stack in a \
         debugger, with symbols",
        module.name
    );
    Some((LOADED, Standing::Unknown, text))
}
