//! Collapsed stacks: a line for each site with live blocks, `process;outermost;...;innermost BYTES`. What flame graph
//! tools (inferno, `flamegraph.pl`, speedscope) read.

use std::collections::BTreeMap;
use std::io::Write;

use super::sums::{Sums, chosen, process};
use super::{ExportError, Exported, named};
use crate::ledger::Ledger;
use crate::names::Namer;
use crate::report::stacks::{Step, steps};

/// Writes the live bytes of a ledger by stack; of all processes, or of the one with this pid.
///
/// # Errors
/// No process has the pid, or writing failed.
pub fn collapsed(
    ledger: &Ledger,
    pid: Option<u32>,
    namer: &mut Namer,
    out: &mut dyn Write,
) -> Result<Exported, ExportError> {
    let (sites, exported) = chosen(ledger, pid)?;
    let mut lines: BTreeMap<String, u64> = BTreeMap::new();
    for (_, site, image) in sites {
        let bytes = Sums::of(ledger, site).live_bytes;
        if bytes == 0 {
            continue;
        }
        let (name, pid) = process(image);
        let mut line = frame(&named(name, pid));
        for step in steps(ledger, namer, site.stack).iter().rev() {
            line.push(';');
            line.push_str(&frame(&label(step)));
        }
        let sum = lines.entry(line).or_default();
        *sum = sum.saturating_add(bytes);
    }
    for (line, bytes) in lines {
        writeln!(out, "{line} {bytes}")?;
    }
    out.flush()?;
    Ok(exported)
}

fn label(step: &Step<'_>) -> String {
    match step.module {
        Some(module) => format!("{} [{}]", step.label(), module.name),
        None => step.label(),
    }
}

/// A name within a line: what would end it there is replaced.
fn frame(name: &str) -> String {
    name.chars()
        .map(|c| match c {
            ';' => ':',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect()
}
