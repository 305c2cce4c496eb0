//! The comparison. Sites with the same key are summed first: one function may be reached through
//! frames that differ only in offsets. Then each suspect of either trace is looked up in the
//! other, by its whole stack, else by its blame frame.

use std::collections::BTreeMap;

use super::super::model::{Report, SCHEMA};
use super::{
    Basis, Change, DiffReport, FrameKey, MatchedBy, Measure, Outcome, Shown, Side, Site, SiteKey,
};

/// Below this share of the old growth a suspect has improved, above its inverse it is worse.
/// Between, load and timing alone may explain the difference.
const SAME: f64 = 0.75;

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
    let new_ran = ran_only(&new);
    let least = after.smallest_detectable_bytes_per_s;
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
        changes.push(change(key, shown, matched_by, Some(site.clone()), merge(&found), least));
    }
    for (key, site) in &new {
        let Some(shown) = site.suspect() else { continue };
        if told.contains(&key) {
            continue;
        }
        let (found, matched_by) = find(&old, key);
        changes.push(change(key, shown, matched_by, merge(&found), Some(site.clone()), least));
    }
    let weight = |change: &Change| {
        let growth = |side: &Option<Measure>| side.map_or(0.0, |side| side.growth_bytes_per_s);
        growth(&change.before).max(growth(&change.after))
    };
    changes.sort_by(|a, b| a.outcome.cmp(&b.outcome).then_with(|| weight(b).total_cmp(&weight(a))));
    DiffReport { schema: SCHEMA, before: Side::of(before), after: Side::of(after), changes }
}

/// Sites of one key.
#[derive(Clone, Debug)]
struct Sum {
    measure: Measure,
    shown: Option<Shown>,
    version: Option<String>,
}

impl Sum {
    fn suspect(&self) -> Option<&Shown> {
        self.shown.as_ref().filter(|_| self.measure.suspect)
    }

    fn add(&mut self, site: &Sum) {
        let (sum, more) = (&mut self.measure, &site.measure);
        sum.suspect |= more.suspect;
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
        let one =
            Sum { measure: site.measure, shown: site.shown.clone(), version: site.version.clone() };
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
    least: Option<f64>,
) -> Change {
    let measure = |side: &Option<Sum>| side.as_ref().map(|sum| sum.measure);
    let (outcome, basis) = judge(measure(&before), measure(&after), least);
    Change {
        outcome,
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

/// `least` is the smallest leak that would have been seen in the later trace.
fn judge(before: Option<Measure>, after: Option<Measure>, least: Option<f64>) -> (Outcome, Basis) {
    let (Some(before), Some(after)) = (before, after) else {
        let gone = before.is_some_and(|side| side.suspect);
        return (if gone { Outcome::NotSeen } else { Outcome::New }, Basis::Verdict);
    };
    match (before.suspect, after.suspect) {
        (true, false) => {
            let visible = least.is_some_and(|least| least <= before.growth_bytes_per_s);
            // An over-release has no pace.
            let seen = visible || before.growth_bytes_per_s == 0.0;
            let outcome = if seen { Outcome::Fixed } else { Outcome::Undecided };
            return (outcome, Basis::Verdict);
        }
        (false, _) => return (Outcome::New, Basis::Verdict),
        (true, true) => {}
    }
    let (old, new, basis) = match (before.blocks_per_event, after.blocks_per_event) {
        (Some(old), Some(new)) if old > 0.0 => (old, new, Basis::BlocksPerEvent),
        _ => (before.growth_bytes_per_s, after.growth_bytes_per_s, Basis::Growth),
    };
    let outcome = if new < old * SAME {
        Outcome::Improved
    } else if new * SAME > old {
        Outcome::Worse
    } else {
        Outcome::Unchanged
    };
    (outcome, basis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grows(rate: f64) -> Measure {
        Measure { suspect: true, confidence: 0.9, growth_bytes_per_s: rate, ..Measure::default() }
    }

    #[test]
    fn growth_decides_where_there_are_no_marks() {
        let quiet = Measure::default();
        for (before, after, outcome) in [
            (Some(grows(100.0)), Some(quiet), Outcome::Fixed),
            (Some(grows(5.0)), Some(quiet), Outcome::Undecided),
            (Some(grows(0.0)), Some(quiet), Outcome::Fixed),
            (Some(grows(100.0)), Some(grows(50.0)), Outcome::Improved),
            (Some(grows(100.0)), Some(grows(80.0)), Outcome::Unchanged),
            (Some(grows(100.0)), Some(grows(120.0)), Outcome::Unchanged),
            (Some(grows(100.0)), Some(grows(150.0)), Outcome::Worse),
            (Some(grows(100.0)), None, Outcome::NotSeen),
            (None, Some(grows(1.0)), Outcome::New),
            (Some(quiet), Some(grows(1.0)), Outcome::New),
        ] {
            assert_eq!(judge(before, after, Some(10.0)).0, outcome, "{before:?} {after:?}");
        }
    }

    #[test]
    fn marks_make_load_irrelevant() {
        let at = |rate, per_event| Measure { blocks_per_event: Some(per_event), ..grows(rate) };
        let verdict = judge(Some(at(100.0, 1.0)), Some(at(1000.0, 1.0)), None);
        assert_eq!(verdict, (Outcome::Unchanged, Basis::BlocksPerEvent));
    }
}
