//! What to do: the fixes, best first. Prerequisites come before the steps and what restarts comes
//! with them, because an administrator reads while doing.

use super::group::Group;
use super::named;
use super::page::{Ink, Page, name, words};
use super::style::Detail;
use super::vendor;
use crate::fixes::{Match, Standing, Status};

/// Where the text of a fix begins.
const COLUMN: usize = 14;

/// The best fix of a group that says anything to do or to know.
pub fn best<'a>(group: &Group<'a>) -> Option<&'a Match> {
    fixes(group, Detail::Normal).into_iter().next()
}

/// What a status means.
pub fn status_words(status: Status) -> (&'static str, Ink) {
    match status {
        Status::Applies => ("applies", Ink::Alarm),
        Status::SwitchMissing => {
            ("is installed, but the setting that switches it on is missing", Ink::Alarm)
        }
        Status::Possible => ("possible, something is still to be checked", Ink::Warning),
        Status::AlreadyFixed => ("is already installed, so this is something else", Ink::Good),
        Status::DoesNotApply => ("does not apply", Ink::Faint),
    }
}

/// The fixes of a group, each once, best first; those that do not apply only in full detail.
fn fixes<'a>(group: &Group<'a>, detail: Detail) -> Vec<&'a Match> {
    let mut all: Vec<&Match> = Vec::new();
    for fix in group.all.iter().flat_map(|suspect| &suspect.fixes) {
        if fix.status == Status::DoesNotApply && detail < Detail::Full {
            continue;
        }
        match all.iter_mut().find(|known| known.id == fix.id) {
            Some(known) if fix.status < known.status => *known = fix,
            Some(_) => {}
            None => all.push(fix),
        }
    }
    all.sort_by(|a, b| a.status.cmp(&b.status).then(b.confidence.total_cmp(&a.confidence)));
    all
}

/// Writes what to do about a group.
pub fn write(page: &mut Page, indent: usize, group: &Group<'_>, detail: Detail) {
    let all = fixes(group, detail);
    if all.is_empty() {
        page.row(
            indent,
            COLUMN,
            "What to do",
            &[
                words("No published fix matches. Send this report and the trace to whoever makes "),
                named::module(&group.lead.module.name),
                words("."),
            ],
        );
    }
    let next = detail > Detail::Brief && vendor::is_next(&all);
    for fix in &all {
        one(page, indent, fix, detail);
    }
    if next {
        vendor::write(page, indent, COLUMN, group, &all);
    }
}

/// Writes one fix.
pub fn one(page: &mut Page, indent: usize, fix: &Match, detail: Detail) {
    let (says, ink) = status_words(fix.status);
    page.row(
        indent,
        COLUMN,
        "What to do",
        &[
            name(fix.id.as_str()).ink(Ink::Strong),
            words(" "),
            words(says).ink(ink),
            words(": "),
            words(fix.title.as_str()),
        ],
    );
    reasons(page, indent, fix, detail);
    if matches!(fix.status, Status::AlreadyFixed | Status::DoesNotApply) && detail < Detail::Full {
        source(page, indent, fix, detail);
        return;
    }
    let remedy = &fix.remedy;
    for prerequisite in &remedy.prerequisites {
        page.row(indent, COLUMN, "  first", &[words(prerequisite.as_str())]);
    }
    if let Some(from) = &remedy.from {
        page.row(indent, COLUMN, "  where from", &[words(from.as_str())]);
    }
    for (at, step) in remedy.steps.iter().enumerate() {
        page.row(indent, COLUMN, &format!("  step {}", at + 1), &[words(step.as_str())]);
    }
    if let Some(version) = &remedy.version {
        page.row(indent, COLUMN, "  fixed in", &[words(version.as_str())]);
    }
    for file in &remedy.files {
        page.row(indent, COLUMN, "  file", &[words(file.as_str())]);
    }
    for setting in &remedy.settings {
        page.row(indent, COLUMN, "  setting", &[words(setting.as_str())]);
    }
    for command in &remedy.commands {
        page.row(indent, COLUMN, "  read it", &[words(command.read.as_str())]);
        page.row(indent, COLUMN, "  set it", &[words(command.set.as_str())]);
    }
    let restart = remedy.restart.as_deref().unwrap_or("the source does not say what restarts");
    page.row(indent, COLUMN, "  restarts", &[words(restart)]);
    for limit in &remedy.limits {
        page.row(indent, COLUMN, "  not fixed", &[words(limit.as_str())]);
    }
    for proof in &remedy.verify {
        page.row(indent, COLUMN, "  afterwards", &[words(proof.as_str())]);
    }
    source(page, indent, fix, detail);
}

/// Where it is published, who vouches for it, and what to know besides.
fn source(page: &mut Page, indent: usize, fix: &Match, detail: Detail) {
    for related in &fix.related {
        page.row(indent, COLUMN, "  see also", &[words(related.as_str())]);
    }
    if detail == Detail::Full && !fix.score.is_empty() {
        page.row(indent, COLUMN, "  fits", &[words(fix.score.as_str())]);
    }
    page.row(indent, COLUMN, "  source", &[words(fix.source.as_str())]);
    if let Some(origin) = &fix.origin {
        page.row(indent, COLUMN, "  not signed", &[words(origin.as_str()).ink(Ink::Warning)]);
    }
}

/// Writes one fix as it was held against a site that ran and is no suspect.
pub fn of_dismissed(page: &mut Page, indent: usize, fix: &Match) {
    let (says, ink) = match fix.status {
        Status::AlreadyFixed => ("is already installed", Ink::Good),
        status => status_words(status),
    };
    page.row(
        indent,
        COLUMN,
        "Known fix",
        &[
            name(fix.id.as_str()).ink(Ink::Strong),
            words(" "),
            words(says).ink(ink),
            words(": "),
            words(fix.title.as_str()),
        ],
    );
    reasons(page, indent, fix, Detail::Full);
    source(page, indent, fix, Detail::Full);
}

/// Why: what is unknown or fails first, for that decides; what holds only in full detail, except
/// where nothing else is to be said.
fn reasons(page: &mut Page, indent: usize, fix: &Match, detail: Detail) {
    let open = fix.reasons.iter().any(|reason| reason.standing != Standing::Yes);
    for standing in [Standing::Unknown, Standing::No, Standing::Yes] {
        for reason in fix.reasons.iter().filter(|reason| reason.standing == standing) {
            if standing == Standing::Yes && open && detail < Detail::Full {
                continue;
            }
            let (label, ink) = match standing {
                Standing::Unknown => ("  to check", Ink::Warning),
                Standing::No => ("  differs", Ink::Plain),
                Standing::Yes => ("  because", Ink::Plain),
            };
            page.row(indent, COLUMN, label, &[words(reason.text.as_str()).ink(ink)]);
        }
    }
}
