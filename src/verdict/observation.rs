//! What one process's observation allows to be said: how long it was, when the process worked, how
//! much it was asked to do, and how many frees may be missing. Every site of the process is
//! judged against this, not against the clock alone.

use std::collections::BTreeSet;

use super::statistics::median;
use crate::event::Time;
use crate::ledger::{Activity, Image, Ledger, TornDown};

/// Below this many seconds nothing is accused.
pub(super) const MIN_DURATION_S: f64 = 2.5;

/// An epoch with less than this share of the mean epoch's allocations is idle; so are all epochs at the
/// end that have less on average.
const IDLE_SHARE: f64 = 0.01;

/// The observation of one process.
#[derive(Debug)]
pub(super) struct Observation {
    /// From the process's first event to its end, or the latest event.
    pub(super) duration_s: f64,
    /// The width of an epoch.
    pub(super) width_s: f64,
    /// Per epoch, what the process did.
    pub(super) activity: Vec<Activity>,
    /// Per epoch, whether the process worked.
    pub(super) busy: Vec<bool>,
    /// The epoch after the last in which the process worked.
    pub(super) load_end: usize,
    /// Whether the process was seen from its beginning.
    pub(super) from_start: bool,
    /// The share of frees that were not seen: lost, or known only by their address being reused.
    pub(super) frees_missed: f64,
    /// Whether frees of blocks older than the trace happen that nothing tells of: the process was
    /// sampled, and ran before it was.
    pub(super) frees_hidden: bool,
    /// Whether a module of the process releases blocks unseen: any block may be gone.
    pub(super) releases_unseen: bool,
    /// How many processes are looked at as one.
    pub(super) processes: usize,
    /// In how many epochs after the first any of them began.
    pub(super) starts: usize,
    /// Whether bytes of the recording are missing, with an unknown number of events in them.
    pub(super) bytes_lost: bool,
}

impl Observation {
    /// Up to the process's end, or the latest event.
    pub(super) fn of(ledger: &Ledger, image: &Image) -> Self {
        Self::new(ledger, image, ledger.end(image), ledger.activity(image))
    }

    /// Up to where the process tore itself down; `None` if it did not.
    pub(super) fn before_teardown(ledger: &Ledger, image: &Image) -> Option<Self> {
        let TornDown { began, allocations } = ledger.teardown(image)?;
        let mut activity = ledger.activity(image);
        activity.truncate(ledger.grid(image).0.epoch(began) + 1);
        if let Some(last) = activity.last_mut() {
            last.allocations = last.allocations.saturating_sub(allocations);
        }
        Some(Self::new(ledger, image, began, activity))
    }

    /// Of several processes as one, on the epochs of the first to begin. Whatever is missing in any
    /// of them is missing.
    pub(super) fn together(ledger: &Ledger, leader: &Image, images: &[&Image]) -> Self {
        let activity = ledger.activity_together(leader, images);
        let mut sum = Self::new(ledger, leader, ledger.end(leader), activity);
        sum.processes = images.len().max(1);
        let (grid, _) = ledger.grid(leader);
        let starts: BTreeSet<usize> = images.iter().map(|image| grid.epoch(image.began)).collect();
        sum.starts = starts.into_iter().filter(|epoch| *epoch > 0).count();
        for image in images.iter().filter(|image| image.id != leader.id) {
            let own = Self::of(ledger, image);
            sum.frees_missed = sum.frees_missed.max(own.frees_missed);
            sum.frees_hidden |= own.frees_hidden;
            sum.releases_unseen |= own.releases_unseen;
            sum.bytes_lost |= own.bytes_lost;
        }
        sum
    }

    fn new(ledger: &Ledger, image: &Image, end: Time, activity: Vec<Activity>) -> Self {
        let (grid, _) = ledger.grid(image);
        let allocations = |a: &Activity| a.allocations as f64;
        let mean = activity.iter().map(allocations).sum::<f64>() / activity.len().max(1) as f64;
        let least = mean * IDLE_SHARE;
        let load_end = load_end(&activity, least);
        let busy: Vec<bool> = activity
            .iter()
            .enumerate()
            .map(|(e, a)| e < load_end && a.allocations > 0 && allocations(a) >= least)
            .collect();
        let lost = ledger.lost_in(image);
        let missed = lost.frees_missing().saturating_add(image.frees_unseen) as f64;
        Observation {
            duration_s: end.seconds() - image.began.seconds(),
            width_s: grid.width_s(),
            activity,
            busy,
            load_end,
            from_start: image.from_start(),
            frees_missed: missed / (missed + image.frees as f64).max(1.0),
            frees_hidden: image.sampling.is_some() && !image.from_start() && !ledger.forked(image),
            releases_unseen: image.releases_unseen,
            processes: 1,
            starts: 0,
            bytes_lost: lost.bytes > 0,
        }
    }

    /// One of so long, in epochs of a second, for tests.
    #[cfg(test)]
    pub(super) fn seconds(duration_s: f64) -> Self {
        Observation {
            duration_s,
            width_s: 1.0,
            activity: Vec::new(),
            busy: Vec::new(),
            load_end: 0,
            from_start: true,
            frees_missed: 0.0,
            frees_hidden: false,
            releases_unseen: false,
            processes: 1,
            starts: 0,
            bytes_lost: false,
        }
    }

    /// Whether the process fell idle well before the end of the observation.
    pub(super) fn load_stopped(&self) -> bool {
        self.busy.len() - self.load_end > (self.busy.len() / 10).max(2)
    }

    /// Where the last uninterrupted run of work began.
    pub(super) fn last_run(&self) -> usize {
        self.busy[..self.load_end].iter().rposition(|busy| !busy).map_or(0, |idle| idle + 1)
    }

    /// The share of all the process's allocations but these that were freed again.
    pub(super) fn churn_without(&self, born: u64, died: u64) -> f64 {
        let sum =
            |of: fn(&Activity) -> u64| self.activity.iter().map(of).fold(0, u64::saturating_add);
        let allocations = sum(|a| a.allocations).saturating_sub(born);
        sum(|a| a.frees).saturating_sub(died) as f64 / allocations.max(1) as f64
    }

    /// The work of each of these epochs as the frees of other sites show it (a cache that fills
    /// frees nothing), none counted for more than four times the median; `None` where too few.
    pub(super) fn work(&self, epochs: &[usize], own: impl Fn(usize) -> u64) -> Option<Vec<f64>> {
        let frees: Vec<f64> =
            epochs.iter().map(|&e| self.activity[e].frees.saturating_sub(own(e)) as f64).collect();
        let typical = median(frees.clone());
        (typical >= 10.0).then(|| frees.into_iter().map(|f| f.clamp(1.0, typical * 4.0)).collect())
    }
}

/// The first epoch from which on the process allocated less than so much an epoch: a few blocks in the
/// last of many idle epochs, as a timer needs or a late tally brings, are no work.
fn load_end(activity: &[Activity], least: f64) -> usize {
    let mut idle = activity.len();
    let mut tail = 0.0;
    for (epoch, a) in activity.iter().enumerate().rev() {
        tail += a.allocations as f64;
        if tail <= 0.0 || tail < least * (activity.len() - epoch) as f64 {
            idle = epoch;
        }
    }
    idle
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(allocations: &[u64]) -> usize {
        let activity: Vec<Activity> = allocations
            .iter()
            .map(|&allocations| Activity { allocations, ..Activity::default() })
            .collect();
        load_end(&activity, 4.0)
    }

    #[test]
    fn the_load_ends_with_the_last_work_not_with_a_few_blocks() {
        assert_eq!((end(&[]), end(&[0, 0])), (0, 0));
        assert_eq!(end(&[400, 400, 400]), 3);
        assert_eq!(end(&[400, 400, 1, 1, 1, 1]), 2);
        assert_eq!(end(&[400, 400, 1, 1, 1, 6]), 2);
        assert_eq!(end(&[400, 400, 1, 1, 1, 60]), 6);
        assert_eq!(end(&[400, 1, 1, 400, 1, 1]), 4);
    }
}
