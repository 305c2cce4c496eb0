//! Holds one suspect against published fixes. The allocation signature comes first: without it
//! no version, product or setting makes a match. Versions decide next, within product lines
//! only. What the tracer cannot see and only the reader can say (`conditions`) is told with every match and
//! changes no status: a status says what is established by the trace, not what is true.
//! `docs/fixes.md` has the whole of the rules.

mod clause;
mod crash;
mod function_name;
mod levels;
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
use levels::Finding;
use unfreed_symbols::ModuleIdentity;
use versions::State;
use view::{View, is_called};

/// More matches than this are no help to anybody.
pub const MAX_MATCHES: usize = 5;

/// The fixes that fit a suspect, best first, at most [`MAX_MATCHES`].
pub fn match_suspect(catalogue: &Catalogue, evidence: &Evidence<'_>) -> Vec<Match> {
    let view = View::new(evidence);
    let entries = catalogue.entries().filter(|entry| !view.cannot_fit(entry));
    let mut matches: Vec<Match> = entries
        .map(|entry| judge(entry, &view))
        .filter(|found| found.status != Status::DoesNotApply)
        .collect();
    rank(&mut matches);
    matches.truncate(MAX_MATCHES);
    matches
}

/// Every fix of the catalogue held against a suspect, best first, those that do not apply last,
/// each with the reason for every clause.
pub fn explain(catalogue: &Catalogue, evidence: &Evidence<'_>) -> Vec<Match> {
    let view = View::new(evidence);
    let mut matches: Vec<Match> = catalogue.entries().map(|entry| judge(entry, &view)).collect();
    rank(&mut matches);
    matches
}

/// Every fix of the catalogue held against a site that ran and is no suspect, in the catalogue's
/// order. `already-fixed` says that this is the site the fix is about, and that the fix is there; a
/// fix that is not there does not apply, for nothing is wrong. `verdict` is the site's.
pub fn explain_dismissed(
    catalogue: &Catalogue,
    evidence: &Evidence<'_>,
    verdict: &str,
) -> Vec<Match> {
    let view = View::dismissed(evidence, verdict);
    catalogue.entries().map(|entry| judge(entry, &view)).collect()
}

/// Whether any fix of the catalogue names this module as part of its signature.
pub fn concerns(catalogue: &Catalogue, module: &ModuleIdentity) -> bool {
    catalogue.entries().any(|entry| {
        let modules = entry.signature.modules.iter().flat_map(|modules| &modules.any);
        let frames = entry.signature.frames.iter().filter_map(|step| step.module.as_ref());
        modules.chain(frames).any(|name| is_called(module, name))
    })
}

fn rank(matches: &mut [Match]) {
    matches.sort_by(|a, b| {
        let by_fit = || b.confidence.total_cmp(&a.confidence);
        a.status.cmp(&b.status).then_with(by_fit).then_with(|| a.id.cmp(&b.id))
    });
}

fn judge(entry: &Entry, view: &View<'_>) -> Match {
    let signature = signature::judge(entry, view);
    let (state, line_reasons) = judge_lines(entry, view);
    let settings = settings::judge(&entry.settings, view.evidence.facts);
    let status = if signature.hit {
        match view.dismissed {
            None => decide(&signature.clauses, state, &settings),
            Some(_) => decide_dismissed(&signature.clauses, state, &settings),
        }
    } else {
        Status::DoesNotApply
    };
    let confidence = match status {
        Status::DoesNotApply => 0.0,
        _ => confidence(entry, &signature.clauses),
    };
    let mut reasons: Vec<Reason> =
        signature.clauses.into_iter().map(|clause| clause.reason).collect();
    reasons.extend(line_reasons);
    reasons.extend(settings);
    reasons.extend(conditions(entry));
    Match {
        id: entry.id.clone(),
        title: entry.title.clone(),
        status,
        confidence,
        reasons,
        remedy: entry.remedy_for(status),
        source: entry.source_line(),
    }
}

/// What only the reader can confirm.
fn conditions(entry: &Entry) -> impl Iterator<Item = Reason> {
    entry.conditions.iter().map(|condition| Reason {
        clause: "condition".to_owned(),
        standing: Standing::Unknown,
        text: format!("{condition} (a trace cannot show this; confirm it)"),
    })
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
    let judged = entry.lines.iter().map(|line| judge_line(entry, line, view));
    judged.min_by_key(|judged| judged.0).unwrap_or((Judgement::Unknown, Vec::new()))
}

fn judge_line(entry: &Entry, line: &Line, view: &View<'_>) -> (Judgement, Vec<Reason>) {
    let (files, mut reasons) = versions::judge(entry, line, view);
    let (product, reason) = levels::judge(line, view.evidence.facts);
    reasons.extend(reason);
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

/// How well the signature fits: the share of its clauses that hold, an unknown one counting
/// less than half, bounded by how much a signature of this kind can tell.
fn confidence(entry: &Entry, clauses: &[Clause]) -> f64 {
    let value = |clause: &Clause| match clause.standing() {
        Standing::Yes => 1.0,
        Standing::Unknown => 0.4,
        Standing::No => 0.0,
    };
    let whole: f64 = clauses.iter().map(|clause| clause.weight).sum();
    let held: f64 = clauses.iter().map(|clause| clause.weight * value(clause)).sum();
    let bound = match (&entry.signature.inferred, entry.signature.frames.is_empty()) {
        (Some(_), _) => 0.5,
        (None, true) => 0.6,
        (None, false) => 0.95,
    };
    if whole > 0.0 { (held / whole * bound * 100.0).round() / 100.0 } else { 0.0 }
}
