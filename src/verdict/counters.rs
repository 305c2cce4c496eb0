//! Counters of a whole process (private bytes, handles): whether they grow, and how sure that is. They
//! name nobody. Looked at are low-water marks, since what a process uses goes up and down with its
//! load: a leak raises what it never goes below.

use serde::{Deserialize, Serialize};

use super::assessment::Verdict;
use super::statistics::{median, ramp, theil_sen_over};
use crate::event::{Metric, ProcessId};
use crate::ledger::Ledger;

/// At most so many low-water marks; the later half is held against the earlier, pair by pair.
const MARKS: usize = 20;

/// Each mark is the lowest of at least so many samples.
const OF_EACH: usize = 2;

/// The sign test's bound: a rise that chance explains at more than this is none.
const CHANCE: f64 = 0.05;

/// A rise of less than this share of where it began is not one that matters.
const RISE: f64 = 0.05;

/// If the later half rises at less than this share of the whole's pace it has flattened.
const FLAT: f64 = 0.3;

/// However even the rise, counters alone are no surer than this.
const SUREST: f64 = 0.95;

/// One counter of one process.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    /// The process.
    #[serde(skip)]
    pub process: ProcessId,
    /// What was measured.
    pub metric: Metric,
    /// The first value, in the metric's unit.
    pub first: u64,
    /// The last value.
    pub last: u64,
    /// The Theil-Sen slope, per second; `None` where there is no time between the samples.
    pub slope_per_s: Option<f64>,
    /// `growth`, `cache` (rose, then flat), `steady` or `undecided`.
    pub verdict: Verdict,
    /// How sure that is, 0 to 1.
    pub confidence: f64,
}

/// Every counter of every process. Time used only ever grows and is left out.
pub(super) fn judge(ledger: &Ledger) -> Vec<Counted> {
    let all = ledger
        .images()
        .iter()
        .flat_map(|image| image.metrics().map(|(metric, points)| (image.id, metric, points)));
    all.filter(|(_, metric, _)| *metric != Metric::CpuTime)
        .filter_map(|(process, metric, points)| {
            let (first, last) = (points.first()?.1, points.last()?.1);
            let points: Vec<(f64, f64)> =
                points.iter().map(|(time, value)| (time.seconds(), *value as f64)).collect();
            let (verdict, confidence) = classify(&points);
            let slope = || theil_sen_over(&points);
            let slope_per_s = (duration(&points) > 0.0).then(slope);
            Some(Counted { process, metric, first, last, slope_per_s, verdict, confidence })
        })
        .collect()
}

fn duration(points: &[(f64, f64)]) -> f64 {
    let ends = points.first().zip(points.last());
    ends.map_or(0.0, |(first, last)| last.0 - first.0)
}

fn classify(points: &[(f64, f64)]) -> (Verdict, f64) {
    let marks = (points.len() / OF_EACH).min(MARKS) & !1;
    if marks < 2 || duration(points) <= 0.0 {
        return (Verdict::Undecided, 0.2);
    }
    let lows: Vec<(f64, f64)> = (0..marks)
        .filter_map(|mark| {
            let part = mark * points.len() / marks..(mark + 1) * points.len() / marks;
            points[part].iter().copied().min_by(|a, b| a.1.total_cmp(&b.1))
        })
        .collect();
    let (early, late) = lows.split_at(lows.len() / 2);
    let pairs = || early.iter().zip(late).map(|(early, late)| late.1 - early.1);
    let up = pairs().filter(|rise| *rise > 0.0).count();
    let down = pairs().filter(|rise| *rise < 0.0).count();
    let slope = theil_sen_over(&lows);
    let level = median(lows.iter().map(|low| low.1).collect()).max(1.0);
    let rise = slope * duration(points) / level;
    let chance = chance(up, up + down);
    if chance <= CHANCE && rise >= RISE {
        let pace = theil_sen_over(late) / slope;
        if pace < FLAT {
            return (Verdict::Cache, 0.7);
        }
        let confidence = (1.0 - chance).min(SUREST) * (0.8 + 0.2 * ramp(pace, FLAT, 0.8));
        return (Verdict::Growth, confidence);
    }
    // Few samples show no growth, whatever they do.
    let enough = self::chance(marks / 2, marks / 2) <= CHANCE;
    if enough && rise < RISE { (Verdict::Steady, 0.7) } else { (Verdict::Undecided, 0.3) }
}

/// The probability that so many of these pairs rise by chance alone.
fn chance(up: usize, pairs: usize) -> f64 {
    let mut ways = 1.0;
    let mut sum = 0.0;
    for k in 0..=pairs {
        if k >= up {
            sum += ways;
        }
        ways = ways * (pairs - k) as f64 / (k + 1) as f64;
    }
    sum / 2f64.powi(i32::try_from(pairs).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(samples: usize, value: impl Fn(f64) -> f64) -> (Verdict, f64) {
        let points: Vec<(f64, f64)> =
            (0..samples).map(|n| (n as f64 * 15.0, value(n as f64 / samples as f64))).collect();
        classify(&points)
    }

    /// Ups and downs of a load, without a random number: never the same twice.
    fn load(at: f64) -> f64 {
        30e6 * (1.0 + (at * 97.0).sin() * (at * 41.0).cos())
    }

    #[test]
    fn a_rise_of_the_low_water_marks_is_growth_and_load_is_not() {
        let (verdict, confidence) = check(240, |at| 100e6 + 80e6 * at + load(at));
        assert_eq!(verdict, Verdict::Growth);
        assert!(confidence > 0.85 && confidence <= SUREST, "{confidence}");
        assert_eq!(check(240, |at| 100e6 + load(at)).0, Verdict::Steady);
        assert_eq!(check(240, |_| 5e6).0, Verdict::Steady);
        assert_eq!(check(240, |at| 200e6 - 100e6 * at).0, Verdict::Steady);
    }

    #[test]
    fn what_rises_and_stays_is_filled() {
        assert_eq!(check(240, |at| 100e6 + 80e6 * (at * 2.0).min(1.0)).0, Verdict::Cache);
    }

    #[test]
    fn few_samples_decide_nothing() {
        assert_eq!(check(1, |at| at).0, Verdict::Undecided);
        assert_eq!(check(8, |at| 100.0 + 100.0 * at).0, Verdict::Undecided);
        assert_eq!(classify(&[(0.0, 1.0); 50]).0, Verdict::Undecided);
    }

    #[test]
    fn chance_is_that_of_coins() {
        assert!((chance(5, 5) - 1.0 / 32.0).abs() < 1e-12);
        assert!((chance(0, 7) - 1.0).abs() < 1e-12);
        assert!((chance(9, 10) - 11.0 / 1024.0).abs() < 1e-12);
    }
}
