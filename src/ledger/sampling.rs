//! What a recorded block of a sampled process stands for. A block of `s` bytes is recorded with the
//! probability `p = 1 - exp(-s / mean)`, so each that was recorded stands for `1 / p` blocks, and the
//! sums are right on average whatever the sizes (Horvitz and Thompson). Weights are integers in fixed
//! point: what is added at a birth is taken away at the death to the last bit, so a live set that is
//! empty is exactly 0 however long the trace. Nothing here judges, or knows of sites.

use crate::event::Bytes;

/// Bits after the binary point of a number of blocks or bytes. A weight is at least 1, so rounding is
/// at most 2^-33 of it.
const POINT: u32 = 32;

/// The same of a variance of blocks. Those of bytes are whole.
const VARIANCE_POINT: u32 = 16;

/// So many standard errors each way hold 95 of 100 values of a normal distribution.
pub const NORMAL_95: f64 = 1.959_964;

/// How a process was sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// Mean bytes from one sampling point to the next.
    pub mean: Bytes,
}

impl Sampling {
    /// The probability that a block of this size is recorded. One of no bytes counts as one byte.
    pub fn probability(self, size: Bytes) -> f64 {
        // Not `1 - exp`: of a small block that would keep few digits.
        -(-(size.0.max(1) as f64) / self.mean.0.max(1) as f64).exp_m1()
    }

    /// What one recorded block of this size stands for. Always the same for the same size.
    pub fn weight(self, size: Bytes) -> Weight {
        let weight = 1.0 / self.probability(size);
        let blocks = fixed(weight, POINT).max(1 << POINT);
        let variance = weight * (weight - 1.0).max(0.0);
        let size_f = size.0 as f64;
        Weight {
            blocks,
            bytes: blocks.saturating_mul(size.0.into()),
            blocks_variance: fixed(variance, VARIANCE_POINT),
            bytes_variance: fixed(size_f * size_f * variance, 0),
        }
    }
}

/// The cast saturates: no size and no mean from a damaged trace can make it wrap.
fn fixed(value: f64, point: u32) -> u128 {
    (value * (1u64 << point) as f64).round() as u128
}

/// A sum of recorded blocks, each with what it stands for, and the variance of that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    blocks: u128,
    bytes: u128,
    blocks_variance: u128,
    bytes_variance: u128,
}

impl Weight {
    /// Blocks that were counted one by one: they stand for themselves.
    pub fn exact(blocks: u64, bytes: u64) -> Weight {
        Weight {
            blocks: u128::from(blocks) << POINT,
            bytes: u128::from(bytes) << POINT,
            ..Weight::default()
        }
    }

    /// How many blocks that is.
    pub fn blocks(&self) -> Estimate {
        Estimate {
            value: unfixed(self.blocks, POINT),
            variance: unfixed(self.blocks_variance, VARIANCE_POINT),
            grain: 0.0,
        }
    }

    /// How many bytes that is.
    pub fn bytes(&self) -> Estimate {
        Estimate {
            value: unfixed(self.bytes, POINT),
            variance: unfixed(self.bytes_variance, 0),
            grain: 0.0,
        }
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.blocks == 0
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Weight) -> Weight {
        self.each(other, u128::saturating_add)
    }

    /// This without what is part of it.
    #[must_use]
    pub fn without(self, part: Weight) -> Weight {
        self.each(part, u128::saturating_sub)
    }

    pub(super) fn add(&mut self, other: Weight) {
        *self = self.and(other);
    }

    pub(super) fn take(&mut self, part: Weight) {
        *self = self.without(part);
    }

    fn each(self, other: Weight, of: fn(u128, u128) -> u128) -> Weight {
        Weight {
            blocks: of(self.blocks, other.blocks),
            bytes: of(self.bytes, other.bytes),
            blocks_variance: of(self.blocks_variance, other.blocks_variance),
            bytes_variance: of(self.bytes_variance, other.bytes_variance),
        }
    }
}

fn unfixed(value: u128, point: u32) -> f64 {
    value as f64 / (1u64 << point) as f64
}

/// An estimate, and how far it may be off. A count that is complete is one without variance.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// The value that is right on average.
    pub value: f64,
    /// The square of its standard error.
    pub variance: f64,
    /// Where the value is 0: the variance that one more would bring with it.
    pub grain: f64,
}

impl Estimate {
    /// A number that is known.
    pub fn exact(value: f64) -> Estimate {
        Estimate { value, ..Estimate::default() }
    }

    /// The standard error.
    pub fn standard_error(&self) -> f64 {
        self.variance.max(0.0).sqrt()
    }

    /// Where the truth lies in 95 of 100 samples. The variance is in proportion to the truth, not to
    /// the estimate, so this is all truths from which the estimate is no further than 1.96 of *their*
    /// standard errors (a score interval, as Wilson's): it holds for few recorded blocks too, and
    /// reaches further up than down.
    pub fn interval(&self) -> (f64, f64) {
        let value = self.value.max(0.0);
        let per_unit = if value > 0.0 { self.variance.max(0.0) / value } else { self.grain };
        let shift = NORMAL_95 * NORMAL_95 * per_unit / 2.0;
        let reach = (2.0 * shift * value + shift * shift).sqrt();
        ((value + shift - reach).max(0.0), value + shift + reach)
    }

    /// The same over so many seconds.
    #[must_use]
    pub fn per(self, seconds: f64) -> Estimate {
        Estimate {
            value: self.value / seconds,
            variance: self.variance / (seconds * seconds),
            grain: self.grain / seconds,
        }
    }

    /// Two that do not depend on each other.
    #[must_use]
    pub fn and(self, other: Estimate) -> Estimate {
        Estimate {
            value: self.value + other.value,
            variance: self.variance + other.variance,
            grain: self.grain.max(other.grain),
        }
    }

    /// This, where it is a part of `whole`: if none of it was recorded, some may be there all the same.
    #[must_use]
    pub(super) fn of(self, whole: Estimate) -> Estimate {
        let grain = if whole.value > 0.0 { whole.variance / whole.value } else { 0.0 };
        Estimate { grain, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_stands_for_as_many_as_were_passed_over() {
        let sampling = Sampling { mean: Bytes(1 << 19) };
        for (size, blocks) in [(1u64 << 19, 1.581_977), (16, 32_768.5), (1 << 30, 1.0)] {
            let weight = sampling.weight(Bytes(size));
            assert!((weight.blocks().value / blocks - 1.0).abs() < 1e-6, "{size}: {weight:?}");
            let bytes = weight.blocks().value * size as f64;
            assert!((weight.bytes().value / bytes - 1.0).abs() < 1e-9);
            let variance = blocks * (blocks - 1.0);
            assert!((weight.blocks().variance - variance).abs() <= variance * 1e-5 + 1e-4);
        }
        assert_eq!(sampling.weight(Bytes(0)).blocks(), sampling.weight(Bytes(1)).blocks());
        assert_eq!(sampling.weight(Bytes(0)).bytes().value, 0.0);
    }

    #[test]
    fn sums_come_back_to_nothing_and_never_wrap() {
        let mut sum = Weight::default();
        let sampling = Sampling { mean: Bytes(4096) };
        (0..10_000).for_each(|size| sum.add(sampling.weight(Bytes(size))));
        (0..10_000).rev().for_each(|size| sum.take(sampling.weight(Bytes(size))));
        assert_eq!(sum, Weight::default());
        for mean in [0, 1, u64::MAX] {
            for size in [0, 1, u64::MAX] {
                let weight = Sampling { mean: Bytes(mean) }.weight(Bytes(size));
                let sum = weight.and(weight).and(weight);
                let (low, high) = sum.bytes().interval();
                assert!(low.is_finite() && high.is_finite() && low <= high, "{mean} {size}");
            }
        }
    }

    #[test]
    fn an_interval_of_nothing_says_how_much_may_be_there() {
        assert_eq!(Estimate::exact(7.0).interval(), (7.0, 7.0));
        let none = Estimate { grain: 100.0, ..Estimate::default() };
        let (low, high) = none.interval();
        assert!(low == 0.0 && (high - 384.146).abs() < 0.01, "{low} to {high}");
    }
}
