//! The allocation signature of an entry, held against what the tracer saw. Each clause is yes, no or
//! unknown with the values compared. A single no is the end of it: similarity elsewhere does
//! not make up for a contradiction.

use super::clause::Clause;
use super::versions;
use super::view::{View, is_called};
use crate::event::Function;
use crate::fixes::entry::{Entry, Modules, Place, Step};
use crate::fixes::evidence::EvidenceKind;
use crate::fixes::matched::Standing::{self, No, Unknown, Yes};

/// The clauses of a signature, and whether enough of it was seen to speak of a hit at all.
pub(super) struct Judged {
    pub clauses: Vec<Clause>,
    pub hit: bool,
    /// Whether one of the telling functions was seen, where the signature names any.
    pub tells: bool,
}

/// Judges every clause of the signature.
pub(super) fn judge(entry: &Entry, view: &View<'_>) -> Judged {
    let signature = &entry.signature;
    let mut clauses = vec![evidence(entry, view)];
    if !signature.processes.is_empty() {
        let standing = yes_if(view.is_process(&signature.processes));
        let is = match view.evidence.process {
            "" => "has no name".to_owned(),
            name => format!("is `{name}`"),
        };
        let text = format!("the process {is}; the fix is about {}", list(&signature.processes));
        clauses.push(Clause::deciding("process", standing, 2.0, text));
    }
    let mut hit = false;
    if let Some(wanted) = &signature.modules {
        let clause = modules(entry, wanted, view);
        hit |= clause.standing() == Yes || on_path(entry, wanted, view);
        clauses.push(clause);
        // Without any stack a named process with one of the modules is all that can be seen.
        hit |= view.evidence.stack.is_empty()
            && !signature.processes.is_empty()
            && is_mapped(entry, wanted, view);
    }
    let mut after = None;
    let mut seen = false;
    for step in &signature.frames {
        let (clause, at) = self::step(step, view, after.filter(|_| signature.ordered));
        seen |= at.is_some() && !step.common;
        after = at.or(after);
        clauses.push(clause);
    }
    hit |= seen;
    clauses.extend(absent(&signature.absent, view));
    clauses.extend(allocator(&signature.allocators, view.evidence.function));
    clauses.extend(bytes(entry, view));
    clauses.extend(entry.signature.amounts.iter().map(|amount| {
        let text = format!("the source counts {}; no trace does", amount.in_words());
        Clause::telling("amount", Unknown, 0.0, text)
    }));
    if view.dismissed.is_none() {
        clauses.extend(blocks(entry, view));
    }
    Judged { clauses, hit, tells: seen || signature.frames.iter().all(|step| step.common) }
}

/// Whether a signature names nothing but the process: any of its leaks would look like this.
pub(super) fn is_vague(entry: &Entry) -> bool {
    let signature = &entry.signature;
    let own = |name: &String| signature.processes.iter().any(|p| p.eq_ignore_ascii_case(name));
    signature.frames.is_empty()
        && signature.modules.as_ref().is_some_and(|modules| modules.any.iter().all(own))
}

fn evidence(entry: &Entry, view: &View<'_>) -> Clause {
    let what = EvidenceKind::in_words;
    if let Some(verdict) = view.dismissed {
        let text = format!(
            "the site ran and is no suspect ({verdict}); the fix is about {}",
            what(entry.signature.evidence)
        );
        return Clause::telling("evidence", No, 0.0, text);
    }
    let (seen, wanted) = (view.evidence.kind, entry.signature.evidence);
    if seen != wanted {
        let text = format!("seen: {}; the fix is about {}", what(seen), what(wanted));
        return Clause::deciding("evidence", No, 1.0, text);
    }
    match &entry.signature.inferred {
        Some(how) => {
            Clause::deciding("evidence", Unknown, 1.0, format!("seen: {}. {how}", what(seen)))
        }
        None => Clause::deciding("evidence", Yes, 1.0, format!("seen: {}", what(seen))),
    }
}

/// Whether the process has a module of the signature, on its call path or not.
fn is_mapped(entry: &Entry, wanted: &Modules, view: &View<'_>) -> bool {
    view.evidence.modules.iter().any(|module| {
        wanted.any.iter().any(|name| is_called(module, name))
            && !versions::is_of_another_line(entry, module)
    })
}

/// Whether a module of the signature, of the entry's product line as far as known, is anywhere
/// on the stack.
fn on_path(entry: &Entry, wanted: &Modules, view: &View<'_>) -> bool {
    let counts =
        |name: &String| {
            view.evidence.stack.iter().filter_map(|frame| frame.module).any(|module| {
                is_called(module, name) && !versions::is_of_another_line(entry, module)
            })
        };
    wanted.any.iter().any(counts)
}

fn modules(entry: &Entry, wanted: &Modules, view: &View<'_>) -> Clause {
    let named = list(&wanted.any);
    let stack = &view.evidence.stack;
    let fits = |at: usize| {
        let module = stack.get(at).and_then(|frame| frame.module)?;
        wanted.any.iter().any(|name| is_called(module, name)).then_some(module)
    };
    let own = |at: usize| fits(at).filter(|module| !versions::is_of_another_line(entry, module));
    let blame = view.evidence.blame;
    let clause = |standing, text| Clause::deciding("module", standing, 2.0, text);
    if let Some(module) = blame.and_then(own) {
        return clause(Yes, format!("the blame frame is in {}", module.name));
    }
    if let Some(module) = (0..stack.len()).find_map(own) {
        if wanted.at == Place::Path {
            return clause(Yes, format!("{} is on the call path", module.name));
        }
        let blamed = blame.and_then(|at| stack.get(at)?.module).map_or("no module", |m| &m.name);
        let text = format!(
            "{} is on the call path, but the blame frame is in {blamed}: the allocation may be \
             another's; look at the stack",
            module.name
        );
        return clause(Unknown, text);
    }
    if let Some(module) = (0..stack.len()).find_map(fits) {
        let version = module.file_version.as_deref().unwrap_or("of unknown version");
        let text = format!("{} {version} on the call path is of another product line", module.name);
        return clause(No, text);
    }
    if view.evidence.stack_complete {
        return clause(No, format!("{named} is not on the call path"));
    }
    let text = format!(
        "{named} is not on the part of the call path that was seen; trace with whole stacks"
    );
    clause(Unknown, text)
}

/// Judges one step; with the frame it was found at.
fn step(step: &Step, view: &View<'_>, after: Option<usize>) -> (Clause, Option<usize>) {
    let named = list(&step.any);
    let clause = |standing, text| Clause::deciding("function", standing, 4.0, text);
    let found = view.frames_of(step).find(|&at| after.is_none_or(|after| at > after));
    if let Some(at) = found {
        let name = |at: usize| view.functions.get(at).copied().flatten().unwrap_or_default();
        if step.at == Place::Path {
            return (clause(Yes, format!("`{}` is on the call path", name(at))), Some(at));
        }
        let blamed =
            view.evidence.blame.filter(|&blame| view.frames_of(step).any(|at| at == blame));
        if let Some(blame) = blamed {
            return (clause(Yes, format!("`{}` is the blame frame", name(blame))), Some(blame));
        }
        let text = format!(
            "`{}` is on the call path, but is not the blame frame; look at the stack",
            name(at)
        );
        return (clause(Unknown, text), Some(at));
    }
    if view.frames_of(step).next().is_some() {
        return (
            clause(No, format!("{named} is on the call path, but not where it should be")),
            None,
        );
    }
    if view.may_hide(step.module.as_deref()) {
        let what =
            if view.evidence.stack_complete { "frames without names" } else { "a stack cut short" };
        let text = format!(
            "{named} was not seen on the call path, which has {what}: get symbols{}, or whole stacks",
            step.module.as_ref().map(|module| format!(" for {module}")).unwrap_or_default()
        );
        return (clause(Unknown, text), None);
    }
    (clause(No, format!("{named} is not on the call path")), None)
}

fn absent(names: &[String], view: &View<'_>) -> Option<Clause> {
    let found = names.iter().find(|name| {
        view.functions.iter().flatten().any(|function| super::function_name::is(function, name))
    })?;
    let text = format!("`{found}` is on the call path: this is another allocation");
    Some(Clause::deciding("function", No, 0.0, text))
}

fn allocator(wanted: &[Function], seen: Function) -> Option<Clause> {
    if wanted.is_empty() {
        return None;
    }
    Some(match seen {
        Function::Unknown => {
            let text = "which function allocated is not known".to_owned();
            Clause::telling("allocator", Unknown, 0.5, text)
        }
        seen => {
            let named: Vec<_> = wanted.iter().map(|function| function.name()).collect();
            let text =
                format!("allocated by {}; the fix is about {}", seen.name(), named.join(" or "));
            Clause::deciding("allocator", yes_if(wanted.contains(&seen)), 0.5, text)
        }
    })
}

fn bytes(entry: &Entry, view: &View<'_>) -> Option<Clause> {
    let wanted = entry.signature.bytes.as_ref()?;
    let range = format!("{} to {} bytes per {}", wanted.min, wanted.max, wanted.per);
    let Some((_, median, _)) = view.evidence.bytes_per_call else {
        let text = format!("the source states {range}; sizes were not measured");
        return Some(Clause::telling("bytes", Unknown, 2.0, text));
    };
    if wanted.per != "allocation" {
        let text = format!(
            "the source states {range}, which bytes per allocation ({median}) cannot be held against"
        );
        return Some(Clause::telling("bytes", Unknown, 0.5, text));
    }
    let standing = yes_if((wanted.min..=wanted.max).contains(&median));
    let text = format!("{median} bytes per allocation (median); the source states {range}");
    Some(Clause::deciding("bytes", standing, 2.0, text))
}

fn blocks(entry: &Entry, view: &View<'_>) -> Option<Clause> {
    let wanted = entry.signature.blocks.as_ref()?;
    let range = if wanted.min.round() == wanted.max.round() {
        format!("{} per {}", wanted.min.round(), wanted.per)
    } else {
        format!("{} to {} per {}", wanted.min, wanted.max, wanted.per)
    };
    let Some(seen) = view.evidence.blocks_per_event else {
        let text = format!(
            "the fix is about blocks that stay, {range}; nothing marked how many there were \
             (`unfreed mark --count N`)"
        );
        return Some(Clause::telling("blocks", Unknown, 0.0, text));
    };
    if (wanted.min..=wanted.max).contains(&seen) {
        let text = format!("{seen:.2} blocks stay per marked event; the fix is about {range}");
        return Some(Clause::deciding("blocks", Yes, 2.0, text));
    }
    // The marks may count something else than the source does, so this is no contradiction.
    let text = format!(
        "{seen:.2} blocks stay per marked event; the fix is about {range}: do the marks count \
         every {}?",
        wanted.per
    );
    Some(Clause::deciding("blocks", Unknown, 2.0, text))
}

fn yes_if(holds: bool) -> Standing {
    if holds { Yes } else { No }
}

/// `a`, `a` or `b`.
fn list(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocators_are_called_as_their_callers_write_them() {
        let wanted = [Function::Malloc, Function::NewArray];
        for (seen, standing, text) in [
            (
                Function::Malloc,
                Yes,
                "allocated by malloc; the fix is about malloc or operator new[]",
            ),
            (
                Function::RtlAllocateHeap,
                No,
                "allocated by RtlAllocateHeap; the fix is about malloc or operator new[]",
            ),
        ] {
            let clause = allocator(&wanted, seen);
            let reason = clause.map(|clause| (clause.standing(), clause.reason.text));
            assert_eq!(reason, Some((standing, text.to_owned())));
        }
    }
}
