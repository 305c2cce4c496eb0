//! From evidence to verdict: a pure function of the ledger. It reads counts and decides; it names
//! nothing, reads nothing and keeps nothing. `docs/verdicts.md` states the method and its limits.

mod assessment;
mod detectable;
mod explain;
mod growth;
mod observation;
mod over_release;
mod per_event;
mod rest;
mod site;
mod snapshots;
mod statistics;
mod survivors;

pub use assessment::{Assessment, Evidence, Held, Judged, OverReleaseSuspect, Verdict};

use std::collections::BTreeMap;

use crate::event::ProcessId;
use crate::ledger::{Image, Ledger};
use observation::Observation;

/// A site counts as a suspect from this confidence on, unless the user says otherwise.
pub const DEFAULT_MIN_CONFIDENCE: f64 = 0.7;

/// Judges every site of a ledger as it stands. Depends on nothing but the events folded so far.
pub fn judge(ledger: &Ledger) -> Assessment {
    let seen: Vec<(&Image, Observation)> =
        ledger.images().iter().map(|image| (image, Observation::of(ledger, image))).collect();
    let of: BTreeMap<ProcessId, usize> =
        seen.iter().enumerate().map(|(at, (image, _))| (image.id, at)).collect();
    let per_event = per_event::blocks(ledger);
    let sites = ledger.sites().filter_map(|(id, site)| {
        let (_, seen) = &seen[*of.get(&site.process)?];
        let per_event = per_event.get(id.0 as usize).copied().flatten();
        Some(site::judge(ledger, id, site, seen, per_event))
    });
    let (over_releases, over_releases_unjudged) = over_release::judge(ledger);
    Assessment {
        sites: sites.collect(),
        over_releases,
        over_releases_unjudged,
        smallest_detectable_bytes_per_s: detectable::bytes_per_s(ledger, &seen),
    }
}
