//! Blocks that were freed twice. A process of which allocations may be missing, at whatever time
//! that was told, has none: what was lost may have been allocated between the two frees. Such
//! pairs are counted. The others get their confidence: less where frees were seen out of order,
//! less for a process whose beginning was not seen.

use super::assessment::OverReleaseSuspect;
use super::site::fact;
use crate::ledger::{Image, Ledger, OverRelease, OverReleases};

/// The suspects, and how many second frees were set aside.
pub(super) fn judge(ledger: &Ledger) -> (Vec<OverReleaseSuspect>, u64) {
    let mut suspects = Vec::new();
    let mut aside: u64 = 0;
    for image in ledger.images() {
        aside = aside.saturating_add(image.frees_unexplained);
        if ledger.lost_in(image).allocations_missing() {
            let seen = image.over_releases().map(|(_, seen)| seen.count);
            aside = seen.fold(aside, u64::saturating_add);
        } else {
            let seen = image.over_releases();
            suspects.extend(seen.filter_map(|(place, seen)| suspect(ledger, image, *place, *seen)));
        }
    }
    (suspects, aside)
}

fn suspect(
    ledger: &Ledger,
    image: &Image,
    place: OverRelease,
    seen: OverReleases,
) -> Option<OverReleaseSuspect> {
    let site = ledger.site(place.site)?;
    let mut confidence = if seen.count > 1 { 0.95 } else { 0.9 };
    if !image.from_start() {
        confidence -= 0.1;
    }
    // Addresses given out while their block still seemed alive: frees were missed or came late,
    // and the next free may be the late one.
    if image.frees_unseen > 0 {
        let others = image.frees_unseen as f64 / seen.count as f64;
        confidence = f64::min(confidence, 0.8 - 0.3 * others.min(1.0));
    }
    let apart = seen.apart.seconds();
    let again = if seen.count == 1 { "once".to_owned() } else { format!("{} times", seen.count) };
    Some(OverReleaseSuspect {
        site: place.site,
        process: image.id,
        stack: site.stack,
        first_free: seen.first_free,
        second_free: place.stack,
        count: seen.count,
        since: seen.first,
        confidence,
        evidence: vec![
            fact("freed-again", seen.count as f64, "times"),
            fact("time-between-frees", apart, "s"),
            fact("frees-unseen", image.frees_unseen as f64, "blocks"),
            fact("frees-unexplained", image.frees_unexplained as f64, "frees"),
        ],
        explanation: format!(
            "A block allocated here was freed again {again}, first at {:.1} s. Its address was \
             not given out in between, and no allocation of this process was lost.",
            seen.first.seconds()
        ),
    })
}
