//! How the memory of processes grew, and what of that was traced.

use super::named;
use super::page::{Ink, Page, Span, name, words};
use super::units::{bytes, duration, percent};
use crate::event::Metric;
use crate::report::model::{MemoryShown, Target};

/// Growth of private bytes of less is not worth a line.
const LEAST: i64 = 1 << 20;
/// Growth of resident memory of less is not: pages of files that are read for the first time count too.
const LEAST_RESIDENT: i64 = 32 << 20;
/// Unexplained growth of less than this share of the whole is no reason for doubt.
const DOUBTFUL: f64 = 0.2;

/// Writes a line for each of these processes whose memory grew.
pub fn write(page: &mut Page, targets: &[&Target]) {
    for target in targets {
        let Some(memory) = &target.memory else { continue };
        let least = if memory.metric == Metric::PrivateBytes { LEAST } else { LEAST_RESIDENT };
        if memory.growth_bytes >= least {
            page.paragraph(0, &said(target, memory));
        }
    }
}

fn said<'a>(target: &'a Target, memory: &'a MemoryShown) -> Vec<Span<'a>> {
    let what = match memory.metric {
        Metric::PrivateBytes => "Private Bytes",
        _ => "resident memory",
    };
    let growth = memory.growth_bytes.unsigned_abs();
    let mut text =
        format!(": {what} grew by {} in {}", bytes(growth), duration(memory.to_s - memory.from_s));
    let Some(unexplained) = memory.unexplained_bytes else {
        text.push_str("; what grew was not traced.");
        return vec![named::process(&target.name), words(text).ink(Ink::Warning)];
    };
    let share = 1.0 - unexplained as f64 / growth as f64;
    let mut by = vec![format!("live blocks {}", signed(memory.live_blocks_bytes))];
    for (grown, of) in [
        (memory.heap_committed_bytes, "committed by heaps"),
        (memory.mapped_bytes.filter(|mapped| *mapped != 0), "mapped by the program"),
        (memory.managed_heap_bytes, "in managed heaps"),
    ] {
        if grown.is_some() {
            by.push(format!("{of} {}", signed(grown)));
        }
    }
    text.push_str(&format!(", of which {} is explained ({})", percent(share), by.join(", ")));
    let mut spans = vec![named::process(&target.name), words(text)];
    if unexplained as f64 > DOUBTFUL * growth as f64 {
        let why = match memory.metric {
            Metric::PrivateBytes => "; the rest is in nothing that was traced",
            _ => {
                "; the rest is in nothing that was traced (what the allocator keeps, pages of files, stacks)"
            }
        };
        spans
            .push(words(format!("{why}: {}", bytes(unexplained.unsigned_abs()))).ink(Ink::Warning));
        if memory.managed_heap_bytes.is_none() && !memory.runtimes.is_empty() {
            spans.push(
                words(", and a runtime with a heap of its own is loaded: ").ink(Ink::Warning),
            );
            spans.push(name(memory.runtimes.join(", ")));
        }
    }
    spans.push(words("."));
    spans
}

fn signed(grown: Option<i64>) -> String {
    match grown.unwrap_or(0) {
        less if less < 0 => format!("-{}", bytes(less.unsigned_abs())),
        more => format!("+{}", bytes(more.unsigned_abs())),
    }
}
