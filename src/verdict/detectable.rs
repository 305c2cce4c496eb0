//! The smallest leak that would have been a suspect: what a report without suspects has to say. It
//! follows from the thresholds, the length of the observation and what was lost, in blocks of the
//! size that is usual in the process.

use super::growth::{MIN_EPOCHS, MIN_SURVIVORS};
use super::observation::{MIN_DURATION_S, Observation};
use super::statistics::median;
use crate::ledger::{Image, Ledger};

/// The largest of the processes' smallest leaks, in bytes per second; `None` where no process was
/// observed long enough or well enough.
pub(super) fn bytes_per_s(ledger: &Ledger, seen: &[(&Image, Observation)]) -> Option<f64> {
    seen.iter().filter_map(|(image, seen)| process(ledger, image, seen)).reduce(f64::max)
}

fn process(ledger: &Ledger, image: &Image, seen: &Observation) -> Option<f64> {
    let load_s = (seen.load_end as f64 * seen.width_s).min(seen.duration_s);
    // The youngest two epochs are never old enough.
    let old_s = load_s.min(seen.duration_s - 2.0 * seen.width_s);
    let nothing = image.allocations == 0 || seen.bytes_lost;
    let short = old_s < MIN_EPOCHS as f64 * seen.width_s || load_s < MIN_DURATION_S;
    if nothing || short || seen.load_stopped() && load_s < 10.0 {
        return None;
    }
    // As many as the confidence needs with no free ever seen at the site: the inverse of the caps.
    let needed = match seen.duration_s {
        s if s < 30.0 => MIN_SURVIVORS * 10f64.powf(0.15 / 0.2),
        s if s < 300.0 => MIN_SURVIVORS * 10f64.powf(0.05 / 0.4),
        _ => MIN_SURVIVORS,
    };
    let unmatched: u64 = seen.activity[seen.activity.len() / 2..].iter().map(|a| a.unmatched).sum();
    let blocks = needed.max(4.0 * unmatched as f64).max(usual_losses(image, seen));
    let sites = image.sites().filter_map(|id| ledger.site(id));
    let sizes = sites.filter_map(|site| site.sizes.median()).map(|size| size.0 as f64);
    Some(blocks / old_s * median(sizes.collect()).max(1.0))
}

/// Survivors that lost frees leave at the usual site, three times over.
fn usual_losses(image: &Image, seen: &Observation) -> f64 {
    if seen.frees_missed == 0.0 {
        return 0.0;
    }
    let sites = image.sites().len().max(1) as f64;
    3.0 * seen.frees_missed * image.allocations as f64 / sites + 10.0
}
