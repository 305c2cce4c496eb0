//! The first screen: the five questions in the order in which they are asked, each with its answer.

use maud::{Markup, html};

use super::{Made, page};
use crate::fixes::{Match, Status};
use crate::report::model::{Kind, Report};
use crate::report::text::units::rate;
use crate::report::text::{Group, best_fix, headline, safe, status_said, worked};

/// The document's title.
pub(super) fn title(report: &Report) -> String {
    let process = report.target.first().map_or("a process", |target| target.name.as_str());
    let says = match report.suspects.first() {
        Some(suspect) => format!("{} in {}", kind(suspect.kind), suspect.module.name),
        None if report.conclusive => "no suspect".to_owned(),
        None => "no verdict".to_owned(),
    };
    safe::escape(&format!("unfreed: {process}: {says}")).into_owned()
}

/// The conclusion and the answers.
pub(super) fn section(report: &Report, groups: &[Group<'_>], made: &Made) -> Markup {
    html! {
        h1 { (heading(report)) }
        (page(|page| headline(page, report, groups)))
        dl.answers {
            (answer("Is it a leak?", &leak(report)))
            @if let Some(group) = groups.first() {
                (answer("Whose?", &format!("{}, function {}, process {}", module(group), group.lead.function, process(group))))
                (answer("In which version?", group.lead.module.version.as_deref()
                    .unwrap_or("unknown: the recording does not have it")))
                (answer("Is there a fix?", &fix(best_fix(group))))
            }
            (send(made))
            // Last, as it may be long: on a phone the others fit on the first screen.
            @if let Some(fix) = groups.first().and_then(best_fix) { (takes(fix)) }
        }
    }
}

fn heading(report: &Report) -> &'static str {
    match report.suspects.first().map(|suspect| suspect.kind) {
        Some(Kind::Leak) => "Memory leak found",
        Some(Kind::Growth) => "Growth found, likely a leak",
        Some(Kind::OverRelease) => "Memory freed too often",
        None if report.conclusive => "No suspect found",
        None => "No verdict possible",
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Leak => "leak",
        Kind::Growth => "growth",
        Kind::OverRelease => "freed too often",
    }
}

fn leak(report: &Report) -> String {
    match report.suspects.first() {
        Some(suspect) => suspect.explanation.clone(),
        None if report.conclusive => match report.smallest_detectable_bytes_per_s {
            Some(least) => {
                let burst = report.burst.as_ref().map(|burst| format!(" {}", worked(burst)));
                format!(
                    "No stack is a suspect. A leak slower than {} would not have been seen.{}",
                    rate(least),
                    burst.unwrap_or_default()
                )
            }
            None => "No stack is a suspect.".to_owned(),
        },
        None => "That cannot be told from this recording.".to_owned(),
    }
}

/// With its number, which some evidence has not.
fn process(group: &Group<'_>) -> String {
    match group.lead.pid {
        0 => group.lead.process.clone(),
        pid => format!("{} ({pid})", group.lead.process),
    }
}

fn module(group: &Group<'_>) -> String {
    let module = &group.lead.module;
    if module.path.is_empty() {
        module.name.clone()
    } else {
        format!("{} ({})", module.name, module.path)
    }
}

fn fix(fix: Option<&Match>) -> String {
    match fix {
        Some(fix) => format!("{} {}: {}", fix.id, status_said(fix.status), fix.title),
        None => "No published fix in the catalogue matches.".to_owned(),
    }
}

/// What applying it takes.
fn takes(fix: &Match) -> Markup {
    if fix.status == Status::AlreadyFixed {
        return html! {};
    }
    let remedy = &fix.remedy;
    let lists = [&remedy.prerequisites, &remedy.steps, &remedy.settings];
    let mut parts: Vec<&str> = lists.into_iter().flatten().map(String::as_str).collect();
    parts.extend(remedy.restart.as_deref());
    html! {
        @if !parts.is_empty() {
            div {
                dt { "What does applying it take?" }
                dd { ul { @for part in &parts { li { (safe::escape(part)) } } } }
            }
        }
    }
}

/// What goes to support.
fn send(made: &Made) -> Markup {
    html! {
        div {
            dt { "What do I send?" }
            @match &made.case {
                Some(command) => dd {
                    "The case bundle, one archive with this report, the trace and all versions: "
                    code { (safe::escape(command)) }
                    " (with --redact, tokens stand for the names of users, hosts and paths)"
                },
                None => dd {
                    "The archive in which this report came, as it is. Its manifest.json lists what is still missing and how to get it."
                },
            }
        }
    }
}

fn answer(question: &str, answer: &str) -> Markup {
    html! { div { dt { (question) } dd { (safe::escape(answer)) } } }
}
