//! Sites known from snapshots of the live set alone (UMDH): no births, no frees, only how much
//! lived when somebody looked. Two snapshots show a difference, not a growth; it takes several
//! that rise in step to be sure, or one stack that gained most of what the whole process did.
//! Where snapshots list some stacks only (memleak), a stack is judged by those that list it.

use std::collections::BTreeMap;

use super::DEFAULT_MIN_CONFIDENCE;
use super::assessment::Verdict;
use super::statistics::theil_sen;
use crate::event::{Bytes, ProcessId, Time};
use crate::ledger::{Ledger, LiveSet, Site, StackEnd};

/// From so many blocks on, two snapshots are enough for a stack that stands out.
const PLENTY: f64 = 500.0;

/// A stack stands out if it gained at least this share of the bytes that all stacks gained.
const STANDS_OUT: f64 = 0.5;

/// How sure two snapshots make of such a stack: just enough for a suspect, and less than a third one that
/// shows the same growth.
const OF_TWO: f64 = DEFAULT_MIN_CONFIDENCE;

/// What a series of snapshots says of a site.
#[derive(Debug)]
pub(super) struct SnapshotGrowth {
    pub(super) verdict: Verdict,
    pub(super) confidence: f64,
    pub(super) blocks: f64,
    pub(super) bytes: f64,
    /// NaN where nothing says how long it was from the first snapshot to the last.
    pub(super) bytes_per_s: f64,
    pub(super) snapshots: usize,
    /// Of the bytes that all stacks of the process gained, this one's share, where two snapshots show growth by that
    /// alone.
    pub(super) by_share: Option<f64>,
    /// Whether the stack itself is missing: nobody can be told to have allocated them.
    pub(super) nowhere: bool,
    /// Of a process whose snapshots list some stacks only: how many do not list this one, about which they say nothing.
    pub(super) unlisted: Option<usize>,
}

/// By process, the bytes that its stacks gained from the first snapshot to the last; what others
/// lost is not set off against it.
#[derive(Debug, Default)]
pub(super) struct Gains(BTreeMap<ProcessId, f64>);

impl Gains {
    pub(super) fn of(ledger: &Ledger) -> Self {
        let mut gains = Gains::default();
        for (_, site) in ledger.sites() {
            let Judgeable { numbers, .. } = Judgeable::of(ledger, site);
            let (Some((first, _)), Some((last, _))) = (numbers.first(), numbers.last()) else {
                continue;
            };
            let gained = live(site, *last).bytes.0 as f64 - live(site, *first).bytes.0 as f64;
            *gains.0.entry(site.process).or_default() += gained.max(0.0);
        }
        gains
    }

    /// A stack's share of them, where it stands out by it.
    fn standing_out(&self, process: ProcessId, bytes: f64) -> Option<f64> {
        let all = self.0.get(&process)?;
        (bytes > 0.0).then(|| bytes / all).filter(|share| *share >= STANDS_OUT)
    }
}

/// The snapshots that tell how much of a site lived.
struct Judgeable {
    numbers: Vec<(u32, Time)>,
    /// Where the process's snapshots list some stacks only: how many of them leave this one out, and whether one of
    /// these came after it had been listed.
    unlisted: Option<(usize, bool)>,
}

impl Judgeable {
    fn of(ledger: &Ledger, site: &Site) -> Judgeable {
        let Some(image) = ledger.image(site.process) else {
            return Judgeable { numbers: Vec::new(), unlisted: None };
        };
        let taken = image.snapshots();
        if !image.lists_some {
            return Judgeable { numbers: taken.to_vec(), unlisted: None };
        }
        let points = site.snapshots.points();
        let lists = |number: u32| points.binary_search_by_key(&number, |point| point.0).is_ok();
        let numbers: Vec<_> = taken.iter().copied().filter(|(number, _)| lists(*number)).collect();
        let since = taken.iter().skip_while(|(number, _)| !lists(*number)).count();
        let unlisted = Some((taken.len() - numbers.len(), since > numbers.len()));
        Judgeable { numbers, unlisted }
    }
}

/// What lived of a site in a snapshot: of those that list every stack, one that does not list it found none of its blocks.
fn live(site: &Site, number: u32) -> LiveSet {
    let points = site.snapshots.points();
    let none = LiveSet { blocks: 0, bytes: Bytes(0) };
    points.binary_search_by_key(&number, |p| p.0).map_or(none, |at| points[at].1)
}

/// `None` for a site that no snapshot lists, or that was also seen block by block.
pub(super) fn judge(ledger: &Ledger, site: &Site, gains: &Gains) -> Option<SnapshotGrowth> {
    if site.allocations > 0 || site.snapshots.points().is_empty() {
        return None;
    }
    let Judgeable { numbers: taken, unlisted } = Judgeable::of(ledger, site);
    let sets: Vec<LiveSet> = taken.iter().map(|(number, _)| live(site, *number)).collect();
    let (first, last) = (sets.first()?, sets.last()?);
    let duration = taken.last()?.1.seconds() - taken.first()?.1.seconds();
    let gained = last.blocks as f64 - first.blocks as f64;
    let blocks: Vec<f64> = sets.iter().map(|set| set.blocks as f64).collect();
    let rising = blocks.windows(2).filter(|w| w[1] > w[0]).count();
    let steps = blocks.len() - 1;
    let bytes = last.bytes.0 as f64 - first.bytes.0 as f64;
    let nowhere = matches!(ledger.stacks().end(site.stack), StackEnd::Lost | StackEnd::NotTaken);
    let plenty = steps == 1 && gained >= PLENTY && !nowhere && unlisted.is_none();
    let by_share = plenty.then(|| gains.standing_out(site.process, bytes)).flatten();
    let (verdict, confidence) = if steps == 0 {
        (Verdict::Undecided, 0.2)
    } else if gained <= 0.0 {
        (Verdict::Steady, 0.7)
    } else if gained < super::growth::MIN_SURVIVORS {
        (Verdict::Undecided, 0.3)
    } else if nowhere || unlisted.is_some_and(|(_, dropped)| dropped) {
        // Nobody knows what became of it where it is not listed.
        (Verdict::Undecided, 0.4)
    } else if by_share.is_some() {
        (Verdict::Growth, OF_TWO)
    } else if rising < steps || theil_sen(&blocks) <= 0.0 {
        (if rising * 2 <= steps { Verdict::Cache } else { Verdict::Undecided }, 0.4)
    } else {
        (Verdict::Growth, *[0.6, 0.72, 0.8, 0.85].get(steps - 1).unwrap_or(&0.9) * pace(&blocks))
    };
    let bytes_per_s = match verdict.accumulates() {
        true if duration > 0.0 => (bytes / duration).max(0.0),
        true => f64::NAN,
        false => 0.0,
    };
    Some(SnapshotGrowth {
        verdict,
        confidence,
        blocks: gained.max(0.0),
        bytes,
        bytes_per_s,
        snapshots: sets.len(),
        by_share,
        nowhere,
        unlisted: unlisted.map(|(count, _)| count),
    })
}

/// 1 if the last step is not much smaller than the mean step, less if it slows down.
fn pace(blocks: &[f64]) -> f64 {
    let steps: Vec<f64> = blocks.windows(2).map(|w| w[1] - w[0]).collect();
    let mean = steps.iter().sum::<f64>() / steps.len() as f64;
    steps.last().map_or(0.0, |last| super::statistics::ramp(last / mean, 0.0, 0.6))
}
