//! What sampling leaves open at one site. The method looks at the blocks that were recorded, as if they
//! were all: fewer, but otherwise alike. Here is what they stand for, and whether the growth they show
//! is more than their choice by chance may have made.

use super::assessment::{Estimated, Evidence};
use super::observation::Observation;
use super::survivors::Survivors;
use crate::event::Bytes;
use crate::ledger::{EpochWeights, Estimate, Ledger, NORMAL_95, Site, Weight};

/// Of a site of a sampled process.
#[derive(Debug)]
pub(super) struct Sampled {
    /// How it was sampled.
    pub(super) mean: Bytes,
    /// What the recorded blocks stand for.
    pub(super) estimated: Estimated,
    /// By how many blocks a second the survivors grow.
    pub(super) blocks_per_s: Estimate,
    /// By how many bytes the live set is larger than when its survivors began, and the standard error
    /// of that.
    pub(super) gained: (f64, f64),
}

impl Sampled {
    /// `None` for a site of a process that was not sampled.
    pub(super) fn of(
        ledger: &Ledger,
        site: &Site,
        survivors: &Survivors,
        seen: &Observation,
        per_event: Option<Estimate>,
    ) -> Option<Self> {
        let estimates = site.estimates()?;
        let image = ledger.image(site.process)?;
        let epochs = estimates.epochs(&ledger.grid(image).0, seen.activity.len());
        // The first epoch was chosen for its survivors, so it says nothing of those that follow.
        let until = survivors.until.min(seen.load_end);
        let from = (survivors.from + 1).min(until);
        let stayed = sum(&epochs[from..until], |e| e.alive);
        let span_s = ((until - from) as f64 * seen.width_s).max(seen.width_s);
        Some(Sampled {
            mean: image.sampling?.mean,
            estimated: Estimated {
                allocations: site.estimated_allocations(),
                frees: site.estimated_frees(),
                live_blocks: site.estimated_live_blocks(),
                live_bytes: site.estimated_live_bytes(),
                freed_at_end: Estimate::default(),
                growth_bytes_per_s: stayed.bytes().per(span_s),
                blocks_per_event: per_event,
            },
            blocks_per_s: stayed.blocks().per(span_s),
            gained: gained(&epochs, survivors.from),
        })
    }

    /// Whether the live set grew by more than chance explains, 97.5 times of 100.
    pub(super) fn grew(&self) -> bool {
        let (bytes, error) = self.gained;
        bytes > NORMAL_95 * error
    }

    /// What was recorded, and how.
    pub(super) fn evidence(&self, site: &Site) -> [Evidence; 4] {
        let bytes = self.estimated.live_bytes;
        let known = |fact, value, unit| Evidence { fact, value, unit, standard_error: None };
        [
            known("sampling-mean", self.mean.0 as f64, "bytes"),
            known("recorded", site.allocations as f64, "blocks"),
            Evidence {
                fact: "live-bytes",
                value: bytes.value,
                unit: "bytes",
                standard_error: Some(bytes.standard_error()),
            },
            Evidence {
                fact: "gained-bytes",
                value: self.gained.0,
                unit: "bytes",
                standard_error: Some(self.gained.1),
            },
        ]
    }
}

/// Bytes that live now over those that lived when an epoch began. A block that lived at both times
/// cancels out, with its error; those that came and those that went do not.
fn gained(epochs: &[EpochWeights], from: usize) -> (f64, f64) {
    let (before, since) = epochs.split_at(from.min(epochs.len()));
    let lived = sum(before, |e| e.born).without(sum(before, |e| e.died));
    let went = lived.without(sum(before, |e| e.alive)).bytes();
    let came = sum(since, |e| e.alive).bytes();
    (came.value - went.value, (came.variance + went.variance).sqrt())
}

fn sum(epochs: &[EpochWeights], of: impl Fn(&EpochWeights) -> Weight) -> Weight {
    epochs.iter().map(of).fold(Weight::default(), Weight::and)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Sampling;

    /// So many recorded blocks, each standing for about ten.
    fn recorded(blocks: u64) -> Weight {
        let one = Sampling { mean: Bytes(1000) }.weight(Bytes(100));
        (0..blocks).fold(Weight::default(), |sum, _| sum.and(one))
    }

    /// Of `born` blocks of the first epoch `went` are gone; in the second `came`.
    fn grew(born: u64, went: u64, came: u64) -> bool {
        let stays = born - went;
        let first =
            EpochWeights { born: recorded(born), alive: recorded(stays), died: Weight::default() };
        let second =
            EpochWeights { born: recorded(came), alive: recorded(came), died: recorded(went) };
        let sampled = Sampled {
            mean: Bytes(1000),
            estimated: Estimated::default(),
            blocks_per_s: Estimate::default(),
            gained: gained(&[first, second], 1),
        };
        sampled.grew()
    }

    #[test]
    fn what_came_must_outweigh_what_went_by_more_than_chance() {
        assert!(grew(0, 0, 20));
        assert!(grew(5000, 0, 20), "what lives at both times adds no error");
        assert!(!grew(200, 200, 220), "in place of those that went");
        assert!(grew(200, 200, 260));
        assert!(!grew(200, 200, 200) && !grew(20, 0, 0) && !grew(0, 0, 3));
    }
}
