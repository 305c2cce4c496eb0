//! The sites as a table, RFC 4180: a header line, CRLF, cells in quotes where they must be. Spreadsheets take a cell that
//! begins with `=`, `+`, `-` or `@` for a formula, and names come from whoever wrote the program: such a text has an apostrophe
//! before it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;

use super::sums::{Sums, chosen, process};
use super::{ExportError, Exported};
use crate::ledger::{Ledger, Site, SiteId};
use crate::names::Namer;
use crate::report::blamed::survivors;
use crate::report::modules::version;
use crate::verdict::{Assessment, Judged};

const HEADER: &str = "process,pid,module,version,function,allocations,live_blocks,live_bytes,\
                      growth_bytes_per_s,verdict,confidence\r\n";

/// Writes a ledger's sites as they were judged, most live bytes first; of all processes, or of the one with this pid.
/// What was freed too often has lines of its own.
///
/// # Errors
/// No process has the pid, or writing failed.
pub fn csv(
    ledger: &Ledger,
    assessment: &Assessment,
    pid: Option<u32>,
    namer: &mut Namer,
    out: &mut dyn Write,
) -> Result<Exported, ExportError> {
    let (mut sites, exported) = chosen(ledger, pid)?;
    sites.sort_by_key(|(id, site, _)| (std::cmp::Reverse(Sums::of(ledger, site).live_bytes), *id));
    let judged: BTreeMap<SiteId, &Judged> =
        assessment.sites.iter().map(|judged| (judged.site, judged)).collect();
    let named =
        survivors(ledger, namer, sites.iter().map(|(_, site, _)| (site.process, site.stack)));
    out.write_all(HEADER.as_bytes())?;
    for (id, site, image) in sites {
        let blamed = named.get(&(site.process, site.stack)).and_then(|survivor| survivor.blamed());
        let identity = blamed.and_then(|step| step.module);
        let (name, pid) = process(image);
        let sums = Sums::of(ledger, site);
        let place = [
            cell(name).into_owned(),
            if pid == 0 { String::new() } else { pid.to_string() },
            cell(identity.map_or("", |identity| identity.name.as_str())).into_owned(),
            cell(&identity.and_then(version).unwrap_or_default()).into_owned(),
            cell(&blamed.map(|step| step.label()).unwrap_or_default()).into_owned(),
            known(site, sums.allocations),
            sums.live_blocks.to_string(),
            sums.live_bytes.to_string(),
        ]
        .join(",");
        let found = judged.get(&id);
        let growth = found.map(|judged| judged.growth_bytes_per_s).filter(|rate| rate.is_finite());
        let growth = growth.map(|rate| rate.to_string()).unwrap_or_default();
        let verdict = found.map_or("", |judged| judged.verdict.name());
        let confidence = found.map(|judged| judged.confidence.to_string()).unwrap_or_default();
        write!(out, "{place},{growth},{verdict},{confidence}\r\n")?;
        for over in assessment.over_releases.iter().filter(|over| over.site == id) {
            write!(out, "{place},,over-release,{}\r\n", over.confidence)?;
        }
    }
    out.flush()?;
    Ok(exported)
}

/// How often a site allocated; empty where only snapshots tell of it.
fn known(site: &Site, allocations: u64) -> String {
    match allocations == 0 && !site.snapshots.points().is_empty() {
        true => String::new(),
        false => allocations.to_string(),
    }
}

/// A text as a cell: no formula, in quotes where it holds what would end it.
pub fn cell(text: &str) -> Cow<'_, str> {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let quotes = text.contains([',', '"', '\r', '\n']);
    match (formula, quotes) {
        (false, false) => Cow::Borrowed(text),
        _ => {
            let text = format!("{}{text}", if formula { "'" } else { "" });
            match quotes {
                false => Cow::Owned(text),
                true => Cow::Owned(format!("\"{}\"", text.replace('"', "\"\""))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_a_formula_or_another_cell() {
        for (text, cell_of_it) in [
            ("malloc", "malloc"),
            ("=HYPERLINK(\"http://x\",1)", "\"'=HYPERLINK(\"\"http://x\"\",1)\""),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(1)", "'@SUM(1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "\"'\r=1\""),
            ("a,b", "\"a,b\""),
            ("a\"b\n", "\"a\"\"b\n\""),
            ("", ""),
        ] {
            assert_eq!(cell(text), cell_of_it);
        }
    }
}
