//! Whether most of what a process allocated came in a short part of the observation. What leaks only under
//! such work looks as what a start-up builds, and what could have been seen elsewhere says nothing of it: a
//! report without suspects has to say so.

use serde::{Deserialize, Serialize};

use super::observation::Observation;
use crate::ledger::Activity;

/// This share of the allocations, in at most one of so many parts of the observation.
const SHARE: f64 = 0.75;
const ONE_IN: usize = 8;

/// The part of an observation in which most allocations were made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Burst {
    /// Its beginning, in seconds after the process began to be observed.
    pub from_s: f64,
    /// Its end, likewise.
    pub to_s: f64,
    /// The share of the allocations that were made in it.
    pub share: f64,
}

/// Of the process that allocated most.
pub(super) fn judge<'a>(seen: impl Iterator<Item = &'a Observation>) -> Option<Burst> {
    let seen = seen.max_by_key(|seen| allocations(&seen.activity))?;
    let width = seen.activity.len() / ONE_IN;
    let whole = allocations(&seen.activity);
    if width == 0 || whole == 0 {
        return None;
    }
    let (at, most) = seen
        .activity
        .windows(width)
        .map(allocations)
        .enumerate()
        .max_by(|(a, most), (b, other)| most.cmp(other).then(b.cmp(a)))?;
    let share = most as f64 / whole as f64;
    (share >= SHARE).then(|| Burst {
        from_s: at as f64 * seen.width_s,
        to_s: ((at + width) as f64 * seen.width_s).min(seen.duration_s),
        share,
    })
}

fn allocations(activity: &[Activity]) -> u64 {
    activity.iter().map(|epoch| epoch.allocations).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(allocations: &[u64]) -> Option<Burst> {
        let of = |&allocations| Activity { allocations, ..Activity::default() };
        let activity = allocations.iter().map(of).collect();
        judge(std::iter::once(&Observation { activity, ..Observation::seconds(20.0) }))
    }

    #[test]
    fn work_in_a_short_part_is_a_burst() {
        let mut epochs = [2; 20];
        assert_eq!(found(&epochs), None);
        epochs[4..6].copy_from_slice(&[500, 900]);
        let whole = |burst: Burst| (burst.from_s, burst.to_s, burst.share > 0.97);
        assert_eq!(found(&epochs).map(whole), Some((4.0, 6.0, true)));
        epochs[12] = 600;
        assert_eq!(found(&epochs), None);
        assert_eq!(found(&[0; 20]), None);
        assert_eq!(found(&[9, 0, 0]), None, "too little to tell parts");
    }
}
