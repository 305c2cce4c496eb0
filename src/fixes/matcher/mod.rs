//! Holds one suspect against published fixes. The allocation signature comes first: without it
//! no version, product or setting makes a match. Versions decide next, within product lines
//! only. What the tracer cannot see and only the reader can say (`conditions`) is told with every match and
//! changes no status: a status says what is established by the trace, not what is true.
//! `docs/fixes.md` has the whole of the rules.

mod build;
mod clause;
mod conditions;
mod crash;
mod function_name;
mod lacking;
mod levels;
mod package;
mod score;
mod settings;
mod signature;
mod versions;
mod view;

use super::catalogue::Catalogue;
use super::entry::{Entry, Line};
use super::evidence::Evidence;
use super::matched::{Match, Reason, Standing, Status};
use clause::Clause;
pub use crash::match_crash;
pub use lacking::lacking;
use levels::Finding;
use signature::Judged;
use unfreed_symbols::ModuleIdentity;
use versions::State;
use view::{View, is_called};
pub(super) use view::{stem, unnumbered};

/// More matches than this are no help to anybody.
pub const MAX_MATCHES: usize = 5;

/// The fixes that fit a suspect, best first, at most [`MAX_MATCHES`].
pub fn match_suspect(catalogue: &Catalogue, evidence: &Evidence<'_>) -> Vec<Match> {
    let view = View::new(catalogue, evidence);
    let entries = candidates(catalogue, &view);
    let mut matches = rank(entries.filter_map(|entry| judge_fit(entry, &view)).collect());
    matches.truncate(MAX_MATCHES);
    matches
}

/// Against how many entries [`match_suspect`] holds a suspect in full: the rest cannot fit, by what their signatures
/// name. This is the work that a match takes.
pub fn candidate_count(catalogue: &Catalogue, evidence: &Evidence<'_>) -> usize {
    candidates(catalogue, &View::new(catalogue, evidence)).count()
}

fn candidates<'c>(
    catalogue: &'c Catalogue,
    view: &View<'_>,
) -> impl Iterator<Item = &'c Entry> + use<'c> {
    let found = catalogue.index().candidates(view.evidence, &view.functions);
    let kept = found.into_iter().filter_map(|at| catalogue.at(at));
    let kept: Vec<&Entry> = kept.filter(|entry| !view.cannot_fit(entry)).collect();
    kept.into_iter()
}

/// Every fix of the catalogue held against a suspect, best first, those that do not apply last,
/// each with the reason for every clause.
pub fn explain(catalogue: &Catalogue, evidence: &Evidence<'_>) -> Vec<Match> {
    let view = View::new(catalogue, evidence);
    rank(catalogue.entries().map(|entry| judge(entry, &view)).collect())
}

/// Every fix of the catalogue held against a site that ran and is no suspect, in the catalogue's
/// order. `already-fixed` says that this is the site the fix is about, and that the fix is there; a
/// fix that is not there does not apply, for nothing is wrong. `verdict` is the site's.
pub fn explain_dismissed(
    catalogue: &Catalogue,
    evidence: &Evidence<'_>,
    verdict: &str,
) -> Vec<Match> {
    let view = View::dismissed(catalogue, evidence, verdict);
    catalogue.entries().map(|entry| judge(entry, &view).1).collect()
}

/// The same, of the entries alone that name something that the site's stack shows.
pub fn match_dismissed(
    catalogue: &Catalogue,
    evidence: &Evidence<'_>,
    verdict: &str,
) -> Vec<Match> {
    let view = View::dismissed(catalogue, evidence, verdict);
    candidates(catalogue, &view).map(|entry| judge(entry, &view).1).collect()
}

/// Whether any fix of the catalogue names this module as part of its signature. A module in which only common functions
/// are named, as those of the system are, is not what a fix is about.
pub fn concerns(catalogue: &Catalogue, module: &ModuleIdentity) -> bool {
    catalogue.entries().any(|entry| {
        let modules = entry.signature.modules.iter().flat_map(|modules| &modules.any);
        let telling = entry.signature.frames.iter().filter(|step| !step.common);
        let frames = telling.filter_map(|step| step.module.as_ref());
        modules.chain(frames).any(|name| is_called(module, name))
    })
}

/// Whether any fix of the catalogue is judged by this module's version.
pub fn is_judged(catalogue: &Catalogue, module: &ModuleIdentity) -> bool {
    let lines = catalogue.entries().flat_map(|entry| &entry.lines);
    lines.flat_map(|line| &line.files).any(|file| is_called(module, &file.name))
}

fn rank(mut matches: Vec<(f64, Match)>) -> Vec<Match> {
    matches.sort_by(|(a_held, a), (b_held, b)| {
        let by_fit = || b.confidence.total_cmp(&a.confidence).then(b_held.total_cmp(a_held));
        a.status.cmp(&b.status).then_with(by_fit).then_with(|| a.id.cmp(&b.id))
    });
    matches.into_iter().map(|(_, found)| found).collect()
}

/// Judges an entry; with the weight of the clauses of its signature that hold.
fn judge(entry: &Entry, view: &View<'_>) -> (f64, Match) {
    judge_further(entry, view, signature::judge(entry, view))
}

/// The same, but nothing of an entry that does not apply: for its reasons nobody asked.
fn judge_fit(entry: &Entry, view: &View<'_>) -> Option<(f64, Match)> {
    let signature = signature::judge(entry, view);
    let fails = |clause: &Clause| clause.decides && clause.standing() == Standing::No;
    if !signature.hit || signature.clauses.iter().any(fails) {
        return None;
    }
    let (held, found) = judge_further(entry, view, signature);
    (found.status != Status::DoesNotApply).then_some((held, found))
}

/// Versions, levels, settings and conditions, once the signature has been judged.
fn judge_further(entry: &Entry, view: &View<'_>, signature: Judged) -> (f64, Match) {
    let (state, line_reasons) = judge_lines(entry, view);
    let settings = settings::judge(&entry.settings, view.evidence.facts);
    let conditions = conditions::judge(&entry.conditions, view);
    let failed = conditions.iter().any(|reason| reason.standing == Standing::No);
    let vague = signature::is_vague(entry);
    // Growth in a process of that name is no reason to name a fix: what the source is about must be there.
    let there = state == Judgement::Affected
        || (state == Judgement::Unknown && conditions::is_established(&entry.conditions, view));
    let status =
        if !signature.hit || failed || (vague && (!there || is_blamed_elsewhere(entry, view))) {
            Status::DoesNotApply
        } else {
            let decide = if view.dismissed.is_some() { decide_dismissed } else { decide };
            match decide(&signature.clauses, state, &settings) {
                Status::Applies if vague => Status::Possible,
                // Of many fixes in a module, those whose functions nobody saw are no news once they are there.
                Status::AlreadyFixed if !signature.tells => Status::DoesNotApply,
                status => status,
            }
        };
    let score = score::score(entry, &signature.clauses);
    let (confidence, says) = match status {
        Status::DoesNotApply => (0.0, String::new()),
        _ => (score.value, score.says),
    };
    let mut reasons: Vec<Reason> =
        signature.clauses.into_iter().map(|clause| clause.reason).collect();
    if vague {
        reasons.push(Reason {
            clause: "signature".to_owned(),
            standing: Standing::Unknown,
            text: "the source tells the process and nothing of what allocates, so this is one of many \
                   possible causes; it counts only where a version that the source is about is established"
                .to_owned(),
        });
    }
    reasons.extend(line_reasons);
    reasons.extend(settings);
    reasons.extend(conditions);
    let found = Match {
        id: entry.id.clone(),
        title: entry.title.clone(),
        status,
        confidence,
        score: says,
        reasons,
        remedy: entry.remedy_for(status),
        related: entry.related(status),
        source: entry.source_line(),
        origin: entry.origin_line(),
    };
    (score.held, found)
}

/// Whether the stack blames another module than those that the source names: every stack of a process goes through its
/// program, so that to be on it says nothing.
fn is_blamed_elsewhere(entry: &Entry, view: &View<'_>) -> bool {
    let blamed = view.evidence.blame.and_then(|at| view.evidence.stack.get(at)?.module);
    let named = entry.signature.modules.as_ref();
    blamed
        .zip(named)
        .is_some_and(|(blamed, named)| !named.any.iter().any(|name| is_called(blamed, name)))
}

/// What versions and levels come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Judgement {
    Affected,
    Fixed,
    Unknown,
    NotOurs,
}

/// Judges every product line and goes by the one that says most.
fn judge_lines(entry: &Entry, view: &View<'_>) -> (Judgement, Vec<Reason>) {
    if entry.lines.is_empty() {
        let text = "no version decides: the source names none that has it or none that has it not";
        let (clause, standing) = ("version".to_owned(), Standing::Unknown);
        return (Judgement::Unknown, vec![Reason { clause, standing, text: text.to_owned() }]);
    }
    let judged = entry.lines.iter().map(|line| judge_line(entry, line, view));
    judged.min_by_key(|judged| judged.0).unwrap_or((Judgement::Unknown, Vec::new()))
}

fn judge_line(entry: &Entry, line: &Line, view: &View<'_>) -> (Judgement, Vec<Reason>) {
    let (files, mut reasons) = versions::judge(entry, line, view);
    let (product, reason) = levels::judge(line, view);
    reasons.extend(reason);
    if let Some(platform) = &line.platform {
        let reason = conditions::platform(platform, view);
        let elsewhere = reason.standing == Standing::No;
        reasons.push(reason);
        if elsewhere {
            return (Judgement::NotOurs, reasons);
        }
    }
    let judgement = if line.files.is_empty() {
        match product {
            Finding::Fixed => Judgement::Fixed,
            Finding::Affected => Judgement::Affected,
            Finding::Elsewhere => Judgement::NotOurs,
            Finding::NotSeen | Finding::Unclear => Judgement::Unknown,
        }
    } else {
        match (files, product) {
            (State::OtherLine | State::OutsideRange, _) => Judgement::NotOurs,
            (State::Fixed, _) | (State::Unknown, Finding::Fixed) => Judgement::Fixed,
            (State::Affected, Finding::NotSeen | Finding::Affected) => Judgement::Affected,
            // A faulty file within a product that is said to be fixed or another: one of the two is wrong.
            (State::Affected | State::Unknown, _) => Judgement::Unknown,
        }
    };
    (judgement, reasons)
}

fn decide(signature: &[Clause], state: Judgement, settings: &[Reason]) -> Status {
    let any =
        |standing| signature.iter().any(|clause| clause.decides && clause.standing() == standing);
    let setting = |standing| settings.iter().any(|reason| reason.standing == standing);
    if any(Standing::No) {
        return Status::DoesNotApply;
    }
    let certain = !any(Standing::Unknown);
    match state {
        Judgement::NotOurs => Status::DoesNotApply,
        Judgement::Unknown => Status::Possible,
        Judgement::Affected if certain => Status::Applies,
        Judgement::Affected => Status::Possible,
        Judgement::Fixed if setting(Standing::No) && certain => Status::SwitchMissing,
        Judgement::Fixed if setting(Standing::No) || setting(Standing::Unknown) => Status::Possible,
        Judgement::Fixed => Status::AlreadyFixed,
    }
}

/// Where nothing is wrong, only a fix that is there explains anything, and only where all of the
/// signature was seen: else the site may be another.
fn decide_dismissed(signature: &[Clause], state: Judgement, settings: &[Reason]) -> Status {
    let seen = |clause: &Clause| !clause.decides || clause.standing() == Standing::Yes;
    if state == Judgement::Fixed && signature.iter().all(seen) {
        decide(signature, state, settings)
    } else {
        Status::DoesNotApply
    }
}
