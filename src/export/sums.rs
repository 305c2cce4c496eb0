//! The sites of a ledger that a form is to hold: those of every process, or of one.

use super::{ExportError, Exported};
use crate::ledger::{Estimate, Image, Ledger, Site, SiteId};
use crate::report::listed;
use crate::report::uncertain::whole;

/// What was counted at a site, or estimated where its process was sampled. Of a site that only snapshots list, what lives is that of
/// the last one, and nobody knows how often it allocated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sums {
    pub allocations: u64,
    pub allocated_bytes: u64,
    pub live_blocks: u64,
    pub live_bytes: u64,
}

impl Sums {
    pub(super) fn of(ledger: &Ledger, site: &Site) -> Self {
        let (listed_blocks, listed_bytes) = listed(ledger, site);
        let estimated = |estimate: Estimate| site.estimates().map(|_| estimate);
        let allocations = whole(site.allocations, estimated(site.estimated_allocations()));
        // No estimate of the bytes is kept; the recorded blocks have the mean size of all.
        let scale = allocations as f64 / site.allocations.max(1) as f64;
        let allocated_bytes = match site.estimates() {
            None => site.allocated_bytes,
            Some(_) => (site.allocated_bytes as f64 * scale).round() as u64,
        };
        Sums {
            allocations,
            allocated_bytes,
            live_blocks: whole(site.live_blocks, estimated(site.estimated_live_blocks()))
                .max(listed_blocks),
            live_bytes: whole(site.live_bytes, estimated(site.estimated_live_bytes()))
                .max(listed_bytes),
        }
    }
}

/// A site with its process.
pub(super) type Chosen<'a> = (SiteId, &'a Site, &'a Image);

/// The sites wanted, with their processes, and what they come to.
///
/// # Errors
/// No process has the pid.
pub(super) fn chosen(
    ledger: &Ledger,
    pid: Option<u32>,
) -> Result<(Vec<Chosen<'_>>, Exported), ExportError> {
    let of = |image: &Image| image.process.as_ref().map_or(0, |process| process.pid);
    if let Some(pid) = pid
        && !ledger.images().iter().any(|image| of(image) == pid)
    {
        return Err(ExportError::NoProcess(pid));
    }
    let lost = ledger.lost();
    let lost = [lost.allocations, lost.frees, lost.stacks, lost.events].into_iter();
    let lost = lost.fold(0, u64::saturating_add);
    let mut exported = Exported { lost, ..Exported::default() };
    let mut sites = Vec::new();
    for (id, site) in ledger.sites() {
        let Some(image) = ledger.image(site.process) else { continue };
        if pid.is_some_and(|pid| of(image) != pid) {
            continue;
        }
        let sums = Sums::of(ledger, site);
        exported.allocations = exported.allocations.saturating_add(sums.allocations);
        exported.live_blocks = exported.live_blocks.saturating_add(sums.live_blocks);
        exported.live_bytes = exported.live_bytes.saturating_add(sums.live_bytes);
        exported.listed |= site.allocations == 0 && !site.snapshots.points().is_empty();
        exported.sampled |= site.estimates().is_some();
        sites.push((id, site, image));
    }
    Ok((sites, exported))
}

/// A process's name and pid.
pub(super) fn process(image: &Image) -> (&str, u32) {
    image.process.as_ref().map_or(("", 0), |process| (process.name.as_str(), process.pid))
}
