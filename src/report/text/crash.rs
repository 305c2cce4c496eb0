//! A crash: what was raised, where, and what may explain it. It is no suspect: a dump shows how a process ended and
//! not why.

use super::fix;
use super::headline::whose;
use super::named;
use super::page::{Ink, Page, Span, name, words};
use super::stack;
use super::style::Detail;
use crate::report::model::{Crash, Report};

/// Where the text beside a label begins.
const COLUMN: usize = 14;

/// Writes the conclusion of each crash.
pub fn headlines(page: &mut Page, report: &Report) {
    for crash in &report.crashes {
        let mut spans = vec![words("Crash:").ink(Ink::Alarm), words(" ")];
        spans.extend([named::process(&crash.process), words(" raised "), words(called(crash))]);
        spans.extend(place(crash));
        spans.push(words("."));
        page.paragraph(0, &spans);
        let spans = match crash.fixes.first() {
            Some(fix) => {
                let (says, ink) = fix::status_words(fix.status);
                let fix = name(fix.id.as_str()).ink(Ink::Strong);
                vec![words("Published fix "), fix, words(": "), words(says).ink(ink), words(".")]
            }
            None => vec![words("No published fix in the catalogue speaks of such a crash.")],
        };
        page.paragraph(0, &spans);
    }
}

/// Writes each crash whole.
pub fn write(page: &mut Page, report: &Report, detail: Detail) {
    for crash in &report.crashes {
        page.gap();
        let process = [named::process(&crash.process), words(format!(" ({})", crash.pid))];
        page.paragraph(0, &[&[words("Crash of ")], &process[..]].concat());
        let mut what = vec![words(called(crash)), words(format!(", code {}", crash.code))];
        what.extend(place(crash));
        what.push(words(format!(", address {}, thread {}", crash.address, crash.thread)));
        page.row(2, COLUMN, "What", &what);
        for fix in &crash.fixes {
            fix::one(page, 2, fix, detail);
        }
        let text = "how the process ended, not why: the cause may lie long before. No leak is concluded from it";
        page.row(2, COLUMN, "What it says", &[words(text)]);
        if detail > Detail::Brief {
            page.paragraph(2, &[words("Stack, innermost first, as far as it is known:")]);
            stack::write(page, 4, &crash.stack, crash.stack_complete, detail);
        }
    }
}

/// What was raised, with its article.
fn called(crash: &Crash) -> String {
    match crash.name.as_deref() {
        Some(name) if name.starts_with(['a', 'e', 'i', 'o', 'u']) => format!("an {name}"),
        Some(name) => format!("a {name}"),
        None => format!("an exception ({})", crash.code),
    }
}

/// Where it was raised.
fn place(crash: &Crash) -> Vec<Span<'_>> {
    match &crash.module {
        Some(module) => [vec![words(" in ")], whose(module)].concat(),
        None => vec![words(" outside any module")],
    }
}
