//! The few statistics the method needs, each under the name it has in the literature. All are
//! robust or bounded: no input makes them panic, and what cannot be computed is 0 or `None`.

/// So many standard errors a ratio of small counts may be off before that counts against it.
const FAVOUR: f64 = 1.4;

/// The median of finite values; 0 of none.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let mid = values.len() / 2;
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[mid],
        _ => (values[mid - 1] + values[mid]) / 2.0,
    }
}

/// The Theil-Sen estimator: the median of the slopes of all pairs of points, here over values at
/// equal steps; per step. Up to 29 % of the values can be arbitrary without spoiling it.
pub(super) fn theil_sen(values: &[f64]) -> f64 {
    let pairs = (0..values.len()).flat_map(|i| (i + 1..values.len()).map(move |j| (i, j)));
    median(pairs.map(|(i, j)| (values[j] - values[i]) / (j - i) as f64).collect())
}

/// The same over points at any places; pairs at one place have no slope.
pub(super) fn theil_sen_over(points: &[(f64, f64)]) -> f64 {
    let pairs = (0..points.len()).flat_map(|i| (i + 1..points.len()).map(move |j| (i, j)));
    let slope = |(i, j): (usize, usize)| {
        let (along, up) = (points[j].0 - points[i].0, points[j].1 - points[i].1);
        (along > 0.0).then(|| up / along)
    };
    median(pairs.filter_map(slope).collect())
}

/// The coefficient of variation: standard deviation over mean; 0 without a mean.
pub(super) fn variation(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count.max(1.0);
    if mean <= 0.0 {
        return 0.0;
    }
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
    variance.sqrt() / mean
}

/// By how much a rate falls over an observation, as the exponent of an exponential: 12 times the distance
/// of the events' mean place from the middle, as in Laplace's trend test; and its standard error, from
/// the spread of the counts where that is more than chance alone. `widths` are what is done in each
/// step, of which the counts are events.
pub(super) fn decline(counts: &[f64], widths: &[f64]) -> (f64, f64) {
    let (events, whole) = (counts.iter().sum::<f64>(), widths.iter().sum::<f64>());
    if events <= 0.0 || whole <= 0.0 {
        return (0.0, f64::INFINITY);
    }
    let (mut done, mut mean, mut spread) = (0.0, 0.0, 0.0);
    for (count, width) in counts.iter().zip(widths) {
        mean += count * (done + width / 2.0) / whole;
        done += width;
        let expected = events * width / whole;
        spread += (count - expected).powi(2) / expected.max(1e-9);
    }
    let spread = (spread / (counts.len().max(2) - 1) as f64).max(1.0);
    (12.0 * (0.5 - mean / events), (12.0 * spread / events).sqrt())
}

/// The mean of the last third of values over the mean of those before, and the same with
/// [`FAVOUR`] standard errors of its logarithm (from the spread of the values) in its favour, at most 1.
pub(super) fn last_third(values: &[f64]) -> (f64, f64) {
    let split = values.len() - values.len() / 3;
    let (before, after) = values.split_at(split);
    if before.is_empty() || after.is_empty() {
        return (0.0, 0.0);
    }
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    ratio(mean(after), mean(before), error(values, before.len(), after.len()))
}

/// One standard error of the logarithm of the ratio of two means over so many of these values.
pub(super) fn error(values: &[f64], before: usize, after: usize) -> f64 {
    let parts = 1.0 / before.max(1) as f64 + 1.0 / after.max(1) as f64;
    variation(values) * parts.sqrt()
}

/// A ratio, and the same with [`FAVOUR`] standard errors of its logarithm in its favour, at most 1.
pub(super) fn ratio(above: f64, below: f64, error: f64) -> (f64, f64) {
    if below <= 0.0 {
        return if above > 0.0 { (f64::INFINITY, 1.0) } else { (0.0, 0.0) };
    }
    let plain = above / below;
    (plain, (plain * (FAVOUR * error).exp()).min(1.0))
}

/// 0 at or below `low`, 1 at or above `high`, in between in proportion.
pub(super) fn ramp(value: f64, low: f64, high: f64) -> f64 {
    ((value - low) / (high - low)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn theil_sen_ignores_outliers() {
        let mut values: Vec<f64> = (0..20).map(|n| 3.0 * f64::from(n)).collect();
        values[4] = 1e9;
        values[15] = -1e9;
        assert!((theil_sen(&values) - 3.0).abs() < 1e-9);
        assert_eq!(theil_sen(&[1.0]), 0.0);
    }

    #[test]
    fn a_falling_rate_shows_in_the_last_third() {
        let (plain, favoured) = last_third(&[4.0, 4.0, 4.0, 4.0, 1.0, 1.0]);
        assert!((plain - 0.25).abs() < 1e-9);
        assert!(favoured > plain && favoured < 0.5);
        assert_eq!(last_third(&[1.0; 9]), (1.0, 1.0));
    }
}
