//! What to tell whoever makes a module for which no published fix is known, or whose fix is there and did not help: the facts
//! that they would ask for first, each only where it was measured.

use super::group::Group;
use super::page::{Page, words};
use super::units;
use crate::fixes::{Match, Status};
use crate::report::model::{Held, Kind};

/// Whether nothing that is known is left to be done: then the makers are next.
pub fn is_next(fixes: &[&Match]) -> bool {
    let done = |fix: &&Match| matches!(fix.status, Status::AlreadyFixed | Status::DoesNotApply);
    fixes.iter().all(done)
}

/// Writes the rows, one fact each.
pub fn write(page: &mut Page, indent: usize, column: usize, group: &Group<'_>, fixes: &[&Match]) {
    let lead = group.lead;
    let module = &lead.module;
    let mut row = |label: &str, text: String| page.row(indent, column, label, &[words(text)]);
    let mut identity = vec![module.name.clone()];
    identity.extend(module.version.as_ref().map(|version| format!("version {version}")));
    identity.extend(module.package.as_ref().map(|package| format!("package {package}")));
    identity.extend(module.build_id.as_ref().map(|id| format!("build-id {id}")));
    identity.extend(module.pdb.as_ref().map(|pdb| format!("program database {pdb}")));
    if !module.name.is_empty() {
        row("  tell which", identity.join(", "));
    }
    let happens = match lead.kind {
        Kind::OverRelease => "blocks are freed more often than allocated".to_owned(),
        Kind::Leak | Kind::Growth => {
            format!("{} stay allocated", units::counted(group.live_blocks(), "block", "blocks"))
        }
    };
    let sizes = lead.bytes_per_call.as_ref().map(|sizes| {
        let (least, most) = (sizes.min, sizes.max);
        if least == most {
            format!(", {least} bytes each")
        } else {
            format!(", {least} to {most} bytes each")
        }
    });
    let events = group
        .blocks_per_event()
        .map(|per| format!(", {} for each marked event", units::number(per)));
    let held = match lead.held {
        Held::Lost => ", and nothing refers to them any more",
        Held::Referenced => ", and something still refers to them",
        Held::NotMeasured => "",
    };
    let what = [happens, sizes.unwrap_or_default(), events.unwrap_or_default(), held.to_owned()];
    row("  tell what", format!("{}: {}", lead.function, what.concat()));
    let ruled: Vec<&str> = fixes
        .iter()
        .filter(|fix| fix.status == Status::AlreadyFixed)
        .map(|fix| fix.id.as_str())
        .collect();
    if !ruled.is_empty() {
        row("  installed", format!("{}, and it still happens", ruled.join(", ")));
    }
    page.row(
        indent,
        column,
        "  send",
        &[words("the stack, this report as JSON (`--json`) and the trace: they hold names, paths and command lines")],
    );
}
