//! A triage for people.

use super::{LEAST, Owner, PartShown, Triage, Triaged, Worth};
use crate::collect::ebpf::Kind;
use crate::report::text::page::{Ink, Page, name, words};
use crate::report::text::stack;
use crate::report::text::style::{Detail, Style};
use crate::report::text::units::{bytes, counted, duration};

/// Processes that hardly grew and are told one by one.
const STEADY_SHOWN: usize = 5;
/// Stacks that are shown of each process.
const PARTS_SHOWN: usize = 3;

/// Renders it: who is worth a trace first.
pub fn render(triage: &Triage, style: Style) -> String {
    let mut page = Page::new(style);
    let detail = style.detail;
    let mut processes: Vec<&Triaged> = triage.processes.iter().collect();
    processes.sort_by_key(|process| std::cmp::Reverse(process.growth_bytes));
    let of = counted(processes.len() as u64, "process", "processes");
    page.paragraph(
        0,
        &[words(format!("Watched how {of} grew, for {}.", duration(triage.duration_s)))
            .ink(Ink::Strong)],
    );
    let (steady, growing): (Vec<_>, Vec<_>) =
        processes.into_iter().partition(|process| process.worth == Worth::Steady);
    for process in growing {
        page.gap();
        write(&mut page, process, detail);
    }
    if !steady.is_empty() {
        page.gap();
    }
    let shown = if detail == Detail::Full { usize::MAX } else { STEADY_SHOWN };
    for process in steady.iter().take(shown) {
        let spans = [
            name(format!("{} (process {})", process.name, process.pid)),
            words(": "),
            words(process.advice.clone()).ink(Ink::Good),
        ];
        page.hanging(0, 2, &spans);
    }
    if steady.len() > shown {
        let text = format!("And {} that hardly grew (-v shows them).", steady.len() - shown);
        page.paragraph(0, &[words(text)]);
    }
    for untraced in &triage.not_traced {
        let spans = [
            words("Not watched: ").ink(Ink::Warning),
            name(untraced.program.clone()),
            words(format!(": {}.", untraced.why)).ink(Ink::Warning),
        ];
        page.hanging(0, 2, &spans);
    }
    page.finish()
}

fn write(page: &mut Page, process: &Triaged, detail: Detail) {
    let grew = format!(
        ": {}, grew by {}.",
        bytes(process.last_bytes),
        bytes(process.growth_bytes.unsigned_abs())
    );
    page.hanging(
        0,
        2,
        &[
            name(format!("{} (process {})", process.name, process.pid)).ink(Ink::Strong),
            words(grew).ink(Ink::Strong),
        ],
    );
    let is_worth_it = matches!(process.worth, Worth::Allocations | Worth::Perhaps);
    let ink = if is_worth_it { Ink::Alarm } else { Ink::Warning };
    page.paragraph(2, &[words(process.advice.clone()).ink(ink)]);
    if let Some(command) = &process.command {
        page.paragraph(2, &[words("Next: "), name(command.clone()).ink(Ink::Strong)]);
    }
    if process.lost > 0 {
        let lost = counted(process.lost, "record", "records");
        page.paragraph(2, &[words(format!("{lost} found no room.")).ink(Ink::Warning)]);
    }
    let unseen = process.growth_bytes.saturating_sub_unsigned(process.touched_bytes);
    if unseen >= LEAST && unseen > process.growth_bytes / 4 {
        let text = format!(
            "Nobody was seen to touch {} of that: one touch may bring several pages.",
            bytes(unseen.unsigned_abs())
        );
        page.paragraph(2, &[words(text).ink(Ink::Warning)]);
    }
    let grown = process.kinds.iter().filter(|kind| kind.growth_bytes > 0);
    for kind in grown {
        let text = format!("+{}", bytes(kind.growth_bytes.unsigned_abs()));
        page.row(2, 18, called(kind.kind), &[words(text)]);
    }
    let shown = if detail == Detail::Full { usize::MAX } else { PARTS_SHOWN };
    for part in process.parts.iter().take(shown) {
        page.gap();
        let of = format!("{} of {}{}", bytes(part.bytes), called(part.kind), owner(part));
        page.paragraph(2, &[words(format!("{of}, first touched by:"))]);
        stack::write(page, 4, &part.stack, true, detail);
    }
}

fn called(kind: Kind) -> &'static str {
    match kind {
        Kind::Heap => "the heap",
        Kind::Anonymous => "mapped memory",
        Kind::Stack => "stacks",
        Kind::File => "files",
        Kind::Shared => "shared memory",
    }
}

fn owner(part: &PartShown) -> String {
    match (part.owner, part.allocator.as_deref()) {
        (Owner::Allocator, Some("brk") | None) => String::new(),
        (Owner::Allocator, Some(module)) => format!(" of the allocator in {module}"),
        (Owner::Program, _) => " that the program mapped itself".to_owned(),
        (Owner::Older, _) => " that was mapped before".to_owned(),
    }
}
