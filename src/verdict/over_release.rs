//! Blocks that were freed twice. What looks like a second free is the first one of another block
//! wherever an allocation at the address went unseen. So a process accuses nobody if it shows, at
//! whatever time, that it has such blocks: an allocation was lost; a library allocates past the
//! source; a block was freed that nobody was seen to allocate; an address was given out while its
//! block seemed to live. Second frees there are counted, by the reason. The others get their
//! confidence: less for a process whose beginning was not seen.

use super::assessment::{OverReleaseSuspect, Unjudged};
use super::explanation::Explanation;
use super::site::fact;
use crate::ledger::{Image, Ledger, OverRelease, OverReleases};

/// The suspects, and how many second frees were set aside.
pub(super) fn judge(ledger: &Ledger) -> (Vec<OverReleaseSuspect>, Unjudged) {
    let mut suspects = Vec::new();
    let mut aside = Unjudged::default();
    for image in ledger.images() {
        let doubt = doubt(ledger, image);
        let mut unjudged = image.frees_unexplained;
        for (place, seen) in image.over_releases() {
            match doubt {
                None => suspects.extend(suspect(ledger, image, *place, *seen)),
                Some(_) => unjudged = unjudged.saturating_add(seen.count),
            }
        }
        let sum = match doubt.unwrap_or(Doubt::GivenOutAlive) {
            Doubt::Lost => &mut aside.lost,
            Doubt::Libraries => &mut aside.libraries,
            Doubt::AllocatedUnseen => &mut aside.allocated_unseen,
            Doubt::GivenOutAlive => &mut aside.given_out_alive,
            Doubt::Sampled => &mut aside.sampled,
        };
        *sum = sum.saturating_add(unjudged);
    }
    (suspects, aside)
}

/// Why a process can accuse nobody.
#[derive(Clone, Copy)]
enum Doubt {
    Lost,
    Libraries,
    AllocatedUnseen,
    GivenOutAlive,
    Sampled,
}

fn doubt(ledger: &Ledger, image: &Image) -> Option<Doubt> {
    let lost = ledger.lost_in(image);
    // A lost free makes its block look alive, and a block that was freed too often is given out
    // twice: neither speaks of blocks that are never seen.
    let explained = image.given_twice.saturating_add(lost.frees_missing());
    if image.sampling.is_some() {
        Some(Doubt::Sampled)
    } else if lost.allocations_missing() {
        Some(Doubt::Lost)
    } else if lost.libraries > 0 || image.allocates_unseen {
        Some(Doubt::Libraries)
    } else if image.frees_foreign > 0 {
        Some(Doubt::AllocatedUnseen)
    } else if image.frees_unseen > explained {
        Some(Doubt::GivenOutAlive)
    } else {
        None
    }
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
        explanation: Explanation::around(
            format!("A block allocated here was freed again {again}, first at "),
            seen.first,
            ", and its address was not seen given out in between. Which of the two frees is one too \
             many cannot be told; the earlier is suspected. Only a second free soon after the first is \
             recognised: about seven in ten where 8,000 other blocks were freed in between."
                .to_owned(),
        ),
    })
}
