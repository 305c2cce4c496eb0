//! What goes into a case bundle besides the report: the trace, cut down and redacted where that is wanted, the list of its parts,
//! what a vendor will miss. Pure functions over events, ledgers and reports; one caller does I/O.

pub mod cut;
pub mod manifest;
pub mod missing;
mod modules;
mod names;
pub mod redact;

pub use cut::Cut;
pub use manifest::Manifest;
pub use missing::{Missing, missing};
pub use modules::modules;
pub use names::{names, suspected};
pub use redact::Redactor;

use crate::report::model::{Report, Suspect};
use crate::report::text::page::{Page, name, words};
use crate::report::text::style::{Detail, Style};
use crate::report::text::write_fix;

/// Whether two reports have the same suspects, with the same confidence and the same fixes.
pub fn same_suspects(one: &Report, other: &Report) -> bool {
    let key = |suspect: &Suspect| {
        let fixes: Vec<_> = suspect.fixes.iter().map(|fix| (fix.id.clone(), fix.status)).collect();
        (
            (suspect.kind, suspect.verdict.clone(), suspect.confidence.to_bits(), suspect.target),
            (suspect.process.clone(), suspect.pid, suspect.function.clone()),
            (suspect.module.name.clone(), suspect.module.version.clone()),
            (suspect.live_blocks, suspect.live_bytes, suspect.growth_bytes_per_s.to_bits()),
            fixes,
        )
    };
    one.suspects.iter().map(key).eq(other.suspects.iter().map(key))
}

/// The published fixes that were considered for each suspect, and why each does or does not apply.
pub fn fixes(report: &Report) -> String {
    let mut page = Page::new(Style { detail: Detail::Full, ..Style::default() });
    for suspect in &report.suspects {
        let module = suspect.module.name.as_str();
        page.paragraph(0, &[name(suspect.function.as_str()), words(" in "), name(module)]);
        if suspect.fixes.is_empty() {
            page.paragraph(2, &[words("No published fix in the catalogue is about it.")]);
        }
        for fix in &suspect.fixes {
            write_fix(&mut page, 2, fix, Detail::Full);
        }
        page.gap();
    }
    if report.suspects.is_empty() {
        page.paragraph(0, &[words("No suspect: no fix was considered.")]);
    }
    page.finish()
}
