//! What became of one suspect, from what was measured at its site in both traces and what each
//! trace could have shown. Absence is evidence only where presence would have been seen: what ran
//! too little, too slowly to be seen, or in a trace with losses, is undecided, not fixed; what the
//! earlier trace could not have shown is not new.

use super::super::model::{Kind, Report};
use super::{Basis, Lack, Measure, Outcome};
use crate::ledger::NORMAL_95;
use crate::verdict::Verdict;

/// Below this share of the old growth a suspect has improved, above its inverse it is worse.
/// Between, load and timing alone may explain the difference. A site that allocated at least this
/// share of what it allocated before ran as it did before.
const SAME: f64 = 0.75;

/// What a trace could have shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    /// The smallest leak that would have been a suspect, bytes per second.
    least: Option<f64>,
    /// Whether allocations or frees are missing: each may be the one that tells.
    lossy: bool,
    /// Whether frees came twice and nobody was accused.
    unjudged: bool,
    /// Whether it tells of a part of the blocks only.
    sampled: bool,
    /// Whether its blocks are known from snapshots alone.
    moments: bool,
    /// How long it was.
    duration_s: f64,
}

impl Sight {
    pub(super) fn of(report: &Report) -> Self {
        Sight {
            least: report.smallest_detectable_bytes_per_s,
            lossy: report.losses.events > 0 || report.losses.bytes > 0,
            unjudged: report.dismissed.over_releases_unjudged > 0,
            sampled: report.totals.estimated,
            moments: report.source.shows_blocks_at_moments(),
            duration_s: report.duration_s,
        }
    }
}

/// What became of a suspect, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Judgement {
    pub outcome: Outcome,
    pub basis: Basis,
    pub undecided_by: Option<Lack>,
}

impl Judgement {
    fn by_verdict(outcome: Outcome) -> Self {
        Judgement { outcome, basis: Basis::Verdict, undecided_by: None }
    }

    fn undecided(by: Lack) -> Self {
        Judgement { undecided_by: Some(by), ..Judgement::by_verdict(Outcome::Undecided) }
    }
}

/// Says what became of a suspect of either trace. Everything is given as before, after.
pub(super) fn judge(
    kind: Kind,
    [before, after]: [Option<Measure>; 2],
    [earlier, later]: [Sight; 2],
) -> Judgement {
    let released = kind == Kind::OverRelease;
    let (Some(before), Some(after)) = (before, after) else {
        return match before {
            // It may have run without one of its blocks being recorded.
            Some(_) if later.sampled => Judgement::undecided(Lack::Sampling),
            Some(_) => Judgement::by_verdict(Outcome::NotSeen),
            // Where nothing is missing a site that was not seen did not run.
            None if earlier.lossy || earlier.sampled || earlier.least.is_none() && !released => {
                Judgement::undecided(Lack::Earlier)
            }
            None => Judgement::by_verdict(Outcome::New),
        };
    };
    match (before.suspect, after.suspect) {
        (true, true) if released => Judgement::by_verdict(Outcome::Unchanged),
        (true, true) => pace(before, after),
        (true, false) => match hidden(released, (before, earlier), (after, later)) {
            Some(lack) => Judgement::undecided(lack),
            None => Judgement::by_verdict(Outcome::Fixed),
        },
        (false, _) => match hidden(released, (after, later), (before, earlier)) {
            Some(_) => Judgement::undecided(Lack::Earlier),
            None => Judgement::by_verdict(Outcome::New),
        },
    }
}

/// What may have hidden in one trace what is a suspect in the other; `None` where it would have
/// been seen.
fn hidden(
    released: bool,
    (suspect, shown_in): (Measure, Sight),
    (other, sight): (Measure, Sight),
) -> Option<Lack> {
    let as_often = other.allocations as f64 >= suspect.allocations as f64 * SAME;
    if released {
        return match () {
            () if other.freed_again > 0 => Some(Lack::Verdict),
            () if sight.sampled => Some(Lack::Sampling),
            () if sight.lossy || sight.unjudged => Some(Lack::Losses),
            () if !as_often => Some(Lack::Load),
            () => None,
        };
    }
    // Undecided, or growing below the bound: not acquitted.
    if other.verdict.is_some_and(|verdict| verdict == Verdict::Undecided || verdict.accumulates()) {
        return Some(Lack::Verdict);
    }
    let Some(least) = sight.least else {
        return Some(if sight.moments { Lack::Moments } else { Lack::Pace });
    };
    // Blocks of no bytes have no pace in bytes.
    if suspect.growth_bytes_per_s == 0.0 {
        return (!as_often).then_some(Lack::Load);
    }
    // What grew in an unknown time may grow too slowly to be seen.
    if suspect.growth_bytes_per_s.is_nan() {
        return Some(Lack::Times);
    }
    if suspect.growth_bytes_per_s < least {
        return Some(Lack::Pace);
    }
    let per_s = |measure: Measure, sight: Sight| measure.allocations as f64 / sight.duration_s;
    let load = per_s(other, sight) / per_s(suspect, shown_in);
    (suspect.growth_bytes_per_s * load.min(1.0) < least).then_some(Lack::Load)
}

/// A suspect in both: does it grow as before?
fn pace(before: Measure, after: Measure) -> Judgement {
    let bytes = (before.growth_bytes_per_s, after.growth_bytes_per_s);
    let (old, new, basis) = match (before.blocks_per_event, after.blocks_per_event) {
        (Some(old), Some(new)) if old > 0.0 => (old, new, Basis::BlocksPerEvent),
        _ if bytes.0 > 0.0 && bytes.1 > 0.0 => (bytes.0, bytes.1, Basis::Growth),
        _ => (before.growth_blocks_per_s, after.growth_blocks_per_s, Basis::Growth),
    };
    if (new < old * SAME || new * SAME > old) && by_chance(before, after, basis, new - old) {
        return Judgement { basis, ..Judgement::undecided(Lack::Sampling) };
    }
    // Snapshots at unknown times show that it grew, not how fast.
    if basis == Basis::Growth && (bytes.0.is_nan() || bytes.1.is_nan()) {
        return Judgement::undecided(Lack::Times);
    }
    let outcome = if new < old * SAME {
        Outcome::Improved
    } else if new * SAME > old {
        Outcome::Worse
    } else {
        Outcome::Unchanged
    };
    Judgement { outcome, basis, undecided_by: None }
}

/// Whether the choice of the samples explains so much of a difference.
fn by_chance(before: Measure, after: Measure, basis: Basis, difference: f64) -> bool {
    let squares = [before, after].into_iter().filter_map(|of| {
        let all = of.uncertainty?;
        let off = match basis {
            Basis::BlocksPerEvent => all.blocks_per_event?,
            Basis::Growth | Basis::Verdict => all.growth_bytes_per_s,
        };
        Some(off.standard_error.powi(2))
    });
    let squares: f64 = squares.sum();
    squares > 0.0 && difference.abs() <= NORMAL_95 * squares.sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::super::model::{SiteUncertainty, Uncertainty};
    use super::*;

    const CLEAR: Sight = Sight {
        least: Some(10.0),
        lossy: false,
        unjudged: false,
        sampled: false,
        moments: false,
        duration_s: 60.0,
    };

    fn quiet() -> Measure {
        Measure { verdict: Some(Verdict::Steady), allocations: 1000, ..Measure::default() }
    }

    fn grows(rate: f64) -> Measure {
        Measure {
            suspect: true,
            verdict: Some(Verdict::Growth),
            confidence: 0.9,
            growth_bytes_per_s: rate,
            ..quiet()
        }
    }

    fn growth(before: Option<Measure>, after: Option<Measure>, sights: [Sight; 2]) -> Judgement {
        judge(Kind::Growth, [before, after], sights)
    }

    #[test]
    fn growth_decides_where_there_are_no_marks() {
        let sharp = Sight { least: Some(0.5), ..CLEAR };
        for (before, after, outcome) in [
            (Some(grows(100.0)), Some(quiet()), Outcome::Fixed),
            (Some(grows(5.0)), Some(quiet()), Outcome::Undecided),
            (Some(grows(100.0)), Some(grows(50.0)), Outcome::Improved),
            (Some(grows(100.0)), Some(grows(80.0)), Outcome::Unchanged),
            (Some(grows(100.0)), Some(grows(120.0)), Outcome::Unchanged),
            (Some(grows(100.0)), Some(grows(150.0)), Outcome::Worse),
            (Some(grows(100.0)), None, Outcome::NotSeen),
            (None, Some(grows(1.0)), Outcome::New),
            (Some(quiet()), Some(grows(1.0)), Outcome::New),
        ] {
            let judged = growth(before, after, [sharp, CLEAR]);
            assert_eq!(judged.outcome, outcome, "{before:?} {after:?}");
        }
    }

    #[test]
    fn marks_make_load_irrelevant() {
        let at = |rate, per_event| Measure { blocks_per_event: Some(per_event), ..grows(rate) };
        let blind = Sight { least: None, ..CLEAR };
        let judged = growth(Some(at(100.0, 1.0)), Some(at(1000.0, 1.0)), [blind, blind]);
        assert_eq!((judged.outcome, judged.basis), (Outcome::Unchanged, Basis::BlocksPerEvent));
    }

    #[test]
    fn what_could_not_have_been_seen_is_neither_fixed_nor_new() {
        let blind = Sight { least: None, ..CLEAR };
        let idle = Measure { allocations: 50, ..quiet() };
        let open = |verdict| Measure { verdict: Some(verdict), ..quiet() };
        let leak = grows(100.0);
        for (after, sight, lack) in [
            (quiet(), CLEAR, None),
            (quiet(), blind, Some(Lack::Pace)),
            (quiet(), Sight { moments: true, ..blind }, Some(Lack::Moments)),
            (quiet(), Sight { least: Some(101.0), ..CLEAR }, Some(Lack::Pace)),
            (idle, CLEAR, Some(Lack::Load)),
            (Measure { allocations: 150, ..quiet() }, CLEAR, None),
            (quiet(), Sight { duration_s: 6000.0, ..CLEAR }, Some(Lack::Load)),
            (open(Verdict::Undecided), CLEAR, Some(Lack::Verdict)),
            (open(Verdict::Growth), CLEAR, Some(Lack::Verdict)),
            (open(Verdict::Cache), CLEAR, None),
        ] {
            let judged = growth(Some(leak), Some(after), [CLEAR, sight]);
            assert_eq!(judged.undecided_by, lack, "{after:?} {sight:?}");
            assert_eq!(judged.outcome == Outcome::Fixed, lack.is_none());
            // The other way round.
            let judged = growth(Some(after), Some(leak), [sight, CLEAR]);
            assert_eq!(judged.undecided_by, lack.map(|_| Lack::Earlier), "{after:?} {sight:?}");
            assert_eq!(judged.outcome == Outcome::New, lack.is_none());
        }
        for sight in [blind, Sight { lossy: true, ..CLEAR }] {
            let judged = growth(None, Some(leak), [sight, CLEAR]);
            assert_eq!(judged.undecided_by, Some(Lack::Earlier), "{sight:?}");
        }
    }

    #[test]
    fn blocks_of_no_bytes_are_compared_by_blocks() {
        let empty = |blocks| Measure { growth_blocks_per_s: blocks, ..grows(0.0) };
        let both = [CLEAR, CLEAR];
        for (before, after, outcome) in [
            (empty(100.0), empty(10.0), Outcome::Improved),
            (empty(100.0), empty(100.0), Outcome::Unchanged),
            (empty(10.0), empty(100.0), Outcome::Worse),
            (empty(100.0), quiet(), Outcome::Fixed),
            (empty(100.0), Measure { allocations: 3, ..quiet() }, Outcome::Undecided),
        ] {
            assert_eq!(growth(Some(before), Some(after), both).outcome, outcome, "{after:?}");
        }
        let blind = Sight { least: None, ..CLEAR };
        let judged = growth(Some(empty(100.0)), Some(quiet()), [CLEAR, blind]);
        assert_eq!(judged.undecided_by, Some(Lack::Pace));
    }

    #[test]
    fn an_over_release_is_fixed_only_where_it_would_have_shown() {
        let lossy = Sight { lossy: true, ..CLEAR };
        let ran = Measure { allocations: 1000, ..Measure::default() };
        let twice = Measure { suspect: true, confidence: 0.95, freed_again: 20, ..ran };
        for (after, sight, lack) in [
            (ran, CLEAR, None),
            (ran, Sight { least: None, ..CLEAR }, None),
            (ran, lossy, Some(Lack::Losses)),
            (ran, Sight { unjudged: true, ..CLEAR }, Some(Lack::Losses)),
            (Measure { allocations: 700, ..ran }, CLEAR, Some(Lack::Load)),
            (Measure { freed_again: 1, ..ran }, CLEAR, Some(Lack::Verdict)),
        ] {
            let judged = judge(Kind::OverRelease, [Some(twice), Some(after)], [CLEAR, sight]);
            assert_eq!(judged.undecided_by, lack, "{after:?} {sight:?}");
            assert_eq!(judged.outcome == Outcome::Fixed, lack.is_none());
            let judged = judge(Kind::OverRelease, [Some(after), Some(twice)], [sight, CLEAR]);
            assert_eq!(judged.outcome == Outcome::New, lack.is_none(), "{after:?} {sight:?}");
        }
        let judged = judge(Kind::OverRelease, [Some(twice), Some(twice)], [lossy, lossy]);
        assert_eq!(judged, Judgement::by_verdict(Outcome::Unchanged));
    }

    #[test]
    fn a_sample_leaves_open_what_chance_explains() {
        let off = |standard_error| {
            let growth = Uncertainty { standard_error, ..Uncertainty::default() };
            SiteUncertainty { growth_bytes_per_s: growth, ..SiteUncertainty::default() }
        };
        let sampled = |rate, error| Measure { uncertainty: Some(off(error)), ..grows(rate) };
        let sample = Sight { sampled: true, ..CLEAR };
        for (after, outcome, lack) in [
            (sampled(70.0, 20.0), Outcome::Undecided, Some(Lack::Sampling)),
            (sampled(70.0, 5.0), Outcome::Improved, None),
            (sampled(95.0, 20.0), Outcome::Unchanged, None),
            (sampled(200.0, 20.0), Outcome::Worse, None),
        ] {
            let judged = growth(Some(grows(100.0)), Some(after), [CLEAR, sample]);
            assert_eq!((judged.outcome, judged.undecided_by), (outcome, lack), "{after:?}");
        }
        let gone = growth(Some(grows(100.0)), None, [CLEAR, sample]);
        assert_eq!(gone.undecided_by, Some(Lack::Sampling));
        let new = growth(None, Some(grows(100.0)), [sample, CLEAR]);
        assert_eq!(new.undecided_by, Some(Lack::Earlier));
        let released = Measure { suspect: true, ..quiet() };
        let judged = judge(Kind::OverRelease, [Some(released), Some(quiet())], [CLEAR, sample]);
        assert_eq!(judged.undecided_by, Some(Lack::Sampling));
    }
}
