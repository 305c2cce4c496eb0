//! Sites that grew until their process tore itself down and freed everything. The blocks are gone at
//! the end, yet no free was seen while the process worked: such a site is judged as it was before.
//! One that did not grow until then is left to the verdict on the whole.

use super::assessment::{BeforeTeardown, Judged, Verdict};
use super::explain;
use super::observation::Observation;
use super::site::{by_blocks, fact};
use crate::ledger::{Estimate, Ledger, Site};

/// What to say of a site instead of the verdict on the whole; `None` if that stands. `seen` is the
/// process's observation up to its teardown.
pub(super) fn judge(
    ledger: &Ledger,
    whole: &Judged,
    site: &Site,
    seen: &Observation,
) -> Option<Judged> {
    if whole.verdict.accumulates() {
        return None;
    }
    let earlier = ledger.earlier(site)?;
    // Which blocks the marks cover is known of those that still live, and these do not.
    let (mut judged, growth) =
        by_blocks(ledger, whole.site, &earlier.site, &earlier.cohorts, seen, None);
    let open = judged.verdict == Verdict::Undecided && growth.confidence > 0.0;
    if !judged.verdict.accumulates() && !open {
        return None;
    }
    let mut freed = fact("freed-at-end", earlier.estimated_freed.value, "blocks");
    if let Some(estimated) = &mut judged.estimated {
        estimated.freed_at_end = earlier.estimated_freed;
        freed.standard_error = Some(earlier.estimated_freed.standard_error());
    }
    judged.evidence.push(freed);
    judged.explanation = explain::explain_earlier(judged.verdict, &earlier);
    judged.decided_by = judged.decided_by.map(|by| {
        format!(
            "{by}; what grew was freed only as the process shut down: end the trace while the \
             process runs (--duration)"
        )
    });
    // What was counted goes through no float, which could not hold it.
    let whole = |counted, estimate: Estimate| {
        if judged.estimated.is_some() { estimate.value.round() as u64 } else { counted }
    };
    judged.before_teardown = Some(BeforeTeardown {
        at: earlier.until,
        live_blocks: whole(earlier.site.live_blocks, earlier.site.estimated_live_blocks()),
        live_bytes: whole(earlier.site.live_bytes, earlier.site.estimated_live_bytes()),
        freed: whole(earlier.freed, earlier.estimated_freed),
    });
    Some(judged)
}
