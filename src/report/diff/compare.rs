//! The comparison. Sites with the same key are summed first: one function may be reached through
//! frames that differ only in offsets. Then each suspect of either trace is looked up in the
//! other, by its whole stack, else by its blame frame.

use std::collections::BTreeMap;

use super::super::model::{Report, SCHEMA};
use super::judgement::{Judgement, Sight, judge};
use super::{
    Change, DiffReport, FrameKey, MatchedBy, Measure, Shown, Side, Site, SiteKey, began_after,
};

/// Says what became of each suspect. `before_sites` and `after_sites` hold the suspects of their
/// trace and those other sites that could be the same as one of the other trace's suspects.
pub fn compare(
    before: &Report,
    before_sites: &[Site],
    after: &Report,
    after_sites: &[Site],
) -> DiffReport {
    let old = sum(before_sites);
    let new = sum(after_sites);
    let (old_ran, new_ran) = (ran_only(&old), ran_only(&new));
    let sights = [Sight::of(before), Sight::of(after)];
    let mut changes = Vec::new();
    let mut told: Vec<&SiteKey> = Vec::new();
    for (key, site) in &old {
        let Some(shown) = site.suspect() else { continue };
        let (found, matched_by) = find(&new, key);
        told.extend(found.iter().map(|(key, _)| *key));
        let (found, matched_by) = match matched_by {
            MatchedBy::Nothing => find(&new_ran, key),
            _ => (found, matched_by),
        };
        changes.push(change(key, shown, matched_by, Some(site.clone()), merge(&found), sights));
    }
    for (key, site) in &new {
        let Some(shown) = site.suspect() else { continue };
        if told.contains(&key) {
            continue;
        }
        let (found, matched_by) = match find(&old, key) {
            (_, MatchedBy::Nothing) => find(&old_ran, key),
            found => found,
        };
        changes.push(change(key, shown, matched_by, merge(&found), Some(site.clone()), sights));
    }
    let weight = |change: &Change| {
        let growth = |side: &Option<Measure>| side.map_or(0.0, |side| side.growth_bytes_per_s);
        growth(&change.before).max(growth(&change.after))
    };
    changes.sort_by(|a, b| a.outcome.cmp(&b.outcome).then_with(|| weight(b).total_cmp(&weight(a))));
    DiffReport {
        schema: SCHEMA,
        reversed: began_after(before, after),
        before: Side::of(before),
        after: Side::of(after),
        changes,
    }
}

/// Sites of one key.
#[derive(Clone, Debug)]
struct Sum {
    measure: Measure,
    shown: Option<Shown>,
    version: Option<String>,
    /// Allocations at the site whose verdict it has.
    lead: u64,
}

impl Sum {
    fn suspect(&self) -> Option<&Shown> {
        self.shown.as_ref().filter(|_| self.measure.suspect)
    }

    fn add(&mut self, site: &Sum) {
        let (sum, more) = (&mut self.measure, &site.measure);
        // A suspect speaks for all; else the site at which most happens.
        if (more.suspect, site.lead) > (sum.suspect, self.lead) {
            (sum.verdict, self.lead) = (more.verdict, site.lead);
        }
        sum.suspect |= more.suspect;
        sum.allocations = sum.allocations.saturating_add(more.allocations);
        sum.freed_again = sum.freed_again.saturating_add(more.freed_again);
        sum.growth_blocks_per_s += more.growth_blocks_per_s;
        sum.confidence = sum.confidence.max(more.confidence);
        sum.live_blocks = sum.live_blocks.saturating_add(more.live_blocks);
        sum.live_bytes = sum.live_bytes.saturating_add(more.live_bytes);
        sum.growth_bytes_per_s += more.growth_bytes_per_s;
        sum.blocks_per_event = match (sum.blocks_per_event, more.blocks_per_event) {
            (Some(a), Some(b)) => Some(a + b),
            (one, other) => one.or(other),
        };
        self.shown = self.shown.take().or_else(|| site.shown.clone());
        self.version = self.version.take().or_else(|| site.version.clone());
    }
}

fn sum(sites: &[Site]) -> BTreeMap<SiteKey, Sum> {
    let mut sums: BTreeMap<SiteKey, Sum> = BTreeMap::new();
    for site in sites {
        let one = Sum {
            measure: site.measure,
            shown: site.shown.clone(),
            version: site.version.clone(),
            lead: site.measure.allocations,
        };
        match sums.get_mut(&site.key) {
            Some(sum) => sum.add(&one),
            None => {
                sums.insert(site.key.clone(), one);
            }
        }
    }
    sums
}

type Found<'a> = Vec<(&'a SiteKey, &'a Sum)>;

fn find<'a>(sites: &'a BTreeMap<SiteKey, Sum>, key: &SiteKey) -> (Found<'a>, MatchedBy) {
    if let Some(found) = sites.get_key_value(key) {
        return (vec![found], MatchedBy::Stack);
    }
    let same_blame = |other: &SiteKey| {
        let same = |a: &Option<FrameKey>, b: &Option<FrameKey>| a.is_some() && a == b;
        other.process == key.process
            && other.over_release == key.over_release
            && same(&other.blame, &key.blame)
    };
    let found: Found<'a> = sites.iter().filter(|(other, _)| same_blame(other)).collect();
    let matched_by = if found.is_empty() { MatchedBy::Nothing } else { MatchedBy::BlameFrame };
    (found, matched_by)
}

/// Blocks of a site that were freed too often before may be freed once now: the site ran, and is
/// no suspect of this kind. Whether it grows is another suspect's matter.
fn ran_only(sites: &BTreeMap<SiteKey, Sum>) -> BTreeMap<SiteKey, Sum> {
    let ran = sites.iter().filter(|(key, _)| !key.over_release).map(|(key, sum)| {
        let key = SiteKey { over_release: true, ..key.clone() };
        let measure = Measure {
            allocations: sum.measure.allocations,
            live_blocks: sum.measure.live_blocks,
            live_bytes: sum.measure.live_bytes,
            ..Measure::default()
        };
        (key, Sum { measure, ..sum.clone() })
    });
    ran.collect()
}

fn merge(found: &Found<'_>) -> Option<Sum> {
    let ((_, first), rest) = found.split_first()?;
    let mut all = (*first).clone();
    rest.iter().for_each(|(_, sum)| all.add(sum));
    Some(all)
}

fn change(
    key: &SiteKey,
    shown: &Shown,
    matched_by: MatchedBy,
    before: Option<Sum>,
    after: Option<Sum>,
    sights: [Sight; 2],
) -> Change {
    let measure = |side: &Option<Sum>| side.as_ref().map(|sum| sum.measure);
    let Judgement { outcome, basis, undecided_by } =
        judge(shown.kind, [measure(&before), measure(&after)], sights);
    Change {
        outcome,
        undecided_by,
        kind: shown.kind,
        process: key.process.clone(),
        function: shown.function.clone(),
        module: shown.module.clone(),
        before: measure(&before),
        after: measure(&after),
        version_before: before.and_then(|sum| sum.version),
        version_after: after.and_then(|sum| sum.version),
        matched_by,
        basis,
        stack: shown.stack.clone(),
    }
}
