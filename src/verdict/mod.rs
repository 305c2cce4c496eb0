//! From evidence to verdict: a pure function of the ledger. It reads counts and decides; it names
//! nothing, reads nothing and keeps nothing. `docs/verdicts.md` states the method and its limits.

mod assessment;
mod backlog;
mod burst;
mod caps;
mod counters;
mod detectable;
mod explain;
mod explanation;
mod groups;
mod growth;
mod held;
mod never_freed;
mod observation;
mod over_release;
mod per_event;
mod rest;
mod sampled;
mod scale;
mod site;
mod snapshots;
mod statistics;
mod survivors;
mod teardown;
mod trend;

pub use assessment::{
    Assessment, BeforeTeardown, Estimated, Evidence, GroupSum, Held, Judged, OverReleaseSuspect,
    Unjudged, Unmeasured, Verdict,
};
pub use burst::Burst;
pub use counters::Counted;
pub use explanation::Explanation;

use std::collections::BTreeMap;

use crate::event::ProcessId;
use crate::ledger::{Image, Ledger};
use observation::Observation;

/// A site counts as a suspect from this confidence on, unless the user says otherwise.
pub const DEFAULT_MIN_CONFIDENCE: f64 = 0.7;

/// Judges every site of a ledger as it stands. Depends on nothing but the events folded so far.
pub fn judge(ledger: &Ledger) -> Assessment {
    let images = || ledger.images().iter();
    let seen: Vec<(&Image, Observation)> =
        images().map(|image| (image, Observation::of(ledger, image))).collect();
    let earlier: Vec<Option<Observation>> =
        images().map(|image| Observation::before_teardown(ledger, image)).collect();
    let of: BTreeMap<ProcessId, usize> =
        seen.iter().enumerate().map(|(at, (image, _))| (image.id, at)).collect();
    let per_event = per_event::blocks(ledger);
    let gains = snapshots::Gains::of(ledger);
    let mut sites: Vec<Judged> = ledger
        .sites()
        .filter_map(|(id, site)| {
            let at = *of.get(&site.process)?;
            let per_event = per_event.get(id.0 as usize).copied().flatten();
            let judged = site::judge(ledger, id, site, &seen[at].1, per_event, &gains);
            let earlier = earlier[at].as_ref();
            let torn_down = earlier.and_then(|seen| teardown::judge(ledger, &judged, site, seen));
            Some(held::judge(ledger, site, &seen[at].1, torn_down.unwrap_or(judged)))
        })
        .collect();
    groups::judge(ledger, &mut sites);
    let (over_releases, over_releases_unjudged) = over_release::judge(ledger);
    // Where a process tore itself down, what was judged is the time before.
    let judged = seen.iter().zip(&earlier);
    let judged = judged.map(|((image, seen), earlier)| (*image, earlier.as_ref().unwrap_or(seen)));
    let burst = burst::judge(judged.clone().map(|(_, seen)| seen));
    let detectable = detectable::judge(ledger, judged);
    Assessment {
        sites,
        over_releases,
        over_releases_unjudged,
        counters: counters::judge(ledger),
        smallest_detectable_bytes_per_s: detectable.bytes_per_s.ok(),
        burst,
        unmeasured: detectable.bytes_per_s.err(),
        processes_unmeasured: detectable.unmeasured,
    }
}
