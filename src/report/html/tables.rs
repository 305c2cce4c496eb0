//! Tables of the whole recording: its modules with their versions, and what of it could not be read.

use maud::{Markup, html};

use crate::fixes::Status;
use crate::report::model::{ListedModule, Module, Report};
use crate::report::text::safe;
use crate::report::text::units::count;

/// Modules listed; of a Windows process there are a hundred or two.
const LISTED: usize = 2000;
/// Fixes named of those that a module lacks.
const NAMED: usize = 3;

/// The modules, those to blame first, then those that lack a fix.
pub(super) fn modules(report: &Report) -> Markup {
    if report.modules.is_empty() {
        return html! { p { "The recording names no module." } };
    }
    let mut all: Vec<(&ListedModule, Option<String>)> =
        report.modules.iter().map(|listed| (listed, said(report, &listed.module))).collect();
    all.sort_by_key(|(listed, said)| (said.is_none(), listed.lacks.is_empty()));
    html! {
        div.wide tabindex="0" role="region" aria-label="modules" {
            table {
                thead { tr {
                    th scope="col" { "Module" } th scope="col" { "Version" } th scope="col" { "Package" }
                    th scope="col" { "Path" } th scope="col" { "Build or PDB" } th scope="col" { "Here" }
                } }
                tbody { @for (ListedModule { module, third_party, lacks }, said) in all.iter().take(LISTED) { tr {
                    td { bdi.name { (safe::escape(&module.name)) } }
                    td { (text(module.version.as_deref())) }
                    td { (text(module.package.as_deref())) }
                    td { bdi.name { (safe::escape(&module.path)) } }
                    td { bdi.name { (text(module.build_id.as_deref().or(module.pdb.as_deref()))) } }
                    td {
                        @if let Some(said) = said { span.alarm { (said) } }
                        @for lacking in lacks.iter().take(NAMED) {
                            div.warning { "older than " (safe::escape(&lacking.version)) ", which has " (safe::escape(&lacking.fix)) }
                        }
                        @if lacks.len() > NAMED { div.warning { (count((lacks.len() - NAMED) as u64)) " more fixes lacking" } }
                        @if *third_party == Some(true) { div { "third party" } }
                    }
                } } }
            }
        }
        @if all.len() > LISTED { p { (count((all.len() - LISTED) as u64)) " more in the JSON." } }
    }
}

/// What makes a module worth a look.
fn said(report: &Report, module: &Module) -> Option<String> {
    let suspect = report.suspects.iter().find(|suspect| suspect.module == *module)?;
    let below = suspect.fixes.iter().find(|fix| fix.status == Status::Applies);
    let version = below.and_then(|fix| fix.remedy.version.as_deref());
    Some(match version {
        Some(version) => format!("suspect; fixed in {}", safe::escape(version)),
        None => "suspect".to_owned(),
    })
}

/// What could not be read, each with its place.
pub(super) fn faults(report: &Report) -> Markup {
    html! {
        @if !report.faults.is_empty() {
            details {
                summary { "What could not be read, with its place" }
                div.wide tabindex="0" role="region" aria-label="what could not be read" { table {
                    thead { tr { th scope="col" { "Byte" } th scope="col" { "What" } th scope="col" { "How often" } } }
                    tbody { @for fault in &report.faults { tr {
                        td.number { (count(fault.offset)) } td { (safe::escape(&fault.what)) } td.number { (count(fault.count)) }
                    } } }
                } }
            }
        }
    }
}

fn text(text: Option<&str>) -> String {
    text.map_or_else(|| "not known".to_owned(), |text| safe::escape(text).into_owned())
}
