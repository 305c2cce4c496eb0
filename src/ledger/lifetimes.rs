//! How long the freed blocks of one site lived: a histogram with one significant digit, made when
//! the first block is freed. Lifetimes are kept in units of 1,024 ns; what lived shorter counts as
//! one unit. It holds no block and no address.

use hdrhistogram::Histogram;

use super::sizes::powers;
use crate::event::Time;

const UNIT: u32 = 10;

/// The lifetimes of one site's freed blocks.
#[derive(Clone, Debug, Default)]
pub struct Lifetimes(Option<Box<Histogram<u32>>>);

impl Lifetimes {
    #[inline]
    pub(super) fn record(&mut self, lived: u64, count: u64) {
        if self.0.is_none() {
            let Ok(mut empty) = Histogram::new(1) else { return };
            empty.auto(true);
            self.0 = Some(Box::new(empty));
        }
        if let Some(histogram) = &mut self.0 {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            // One digit of any 54-bit value fits an automatic histogram: there is no error to see.
            let _ = histogram.record_n((lived >> UNIT).max(1), count);
        }
    }

    /// These and others, to the histogram's precision.
    pub(super) fn and(&mut self, other: &Lifetimes) {
        let Some(histogram) = &other.0 else { return };
        for step in histogram.iter_recorded() {
            self.record(step.value_iterated_to() << UNIT, u64::from(step.count_at_value()));
        }
    }

    /// The same without so many that lived between these times, as far as there are such.
    pub(super) fn without(&self, spans: &[(Time, Time, u64)]) -> Lifetimes {
        let Some(histogram) = &self.0 else { return Lifetimes::default() };
        let recorded = histogram.iter_recorded();
        let mut left: Vec<(u64, u64)> = recorded
            .map(|step| (step.value_iterated_to(), u64::from(step.count_at_value())))
            .collect();
        for (least, most, count) in spans {
            let mut gone = *count;
            let (least, most) = (least.0 >> UNIT, (most.0 >> UNIT).max(1));
            for (value, count) in left.iter_mut().rev() {
                if *value >= least && histogram.lowest_equivalent(*value) <= most {
                    let taken = gone.min(*count);
                    *count -= taken;
                    gone -= taken;
                }
            }
        }
        let mut without = Lifetimes::default();
        for (value, count) in left.into_iter().filter(|(_, count)| *count > 0) {
            without.record(value << UNIT, count);
        }
        without
    }

    /// How many were recorded.
    pub fn len(&self) -> u64 {
        self.0.as_ref().map_or(0, |h| h.len())
    }

    /// Whether no block was freed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The lifetime below which this share (0 to 1) of the freed blocks lived; `None` without any.
    pub fn quantile(&self, share: f64) -> Option<Time> {
        let histogram = self.0.as_ref().filter(|h| !h.is_empty())?;
        Some(Time(histogram.value_at_quantile(share).saturating_mul(1 << UNIT)))
    }

    /// How many lived at least this long, and by how many seconds longer, all together.
    pub fn beyond(&self, lived: Time) -> (u64, f64) {
        let Some(histogram) = &self.0 else { return (0, 0.0) };
        let least = (lived.0 >> UNIT).max(1);
        let mut sum = (0u64, 0.0);
        for step in histogram.iter_recorded().filter(|step| step.value_iterated_to() >= least) {
            let count = u64::from(step.count_at_value());
            let longer = (step.value_iterated_to() - least) << UNIT;
            sum.0 = sum.0.saturating_add(count);
            sum.1 += count as f64 * Time(longer).seconds();
        }
        sum
    }

    /// How many lifetimes lie in each power of two that has any, in nanoseconds: the least and most of it, and the number.
    pub fn bars(&self) -> Vec<(u64, u64, u64)> {
        self.0.as_ref().map_or_else(Vec::new, |histogram| powers(histogram, UNIT))
    }

    /// How many lived at least this long, to the histogram's precision.
    pub fn at_least(&self, lived: Time) -> u64 {
        let Some(histogram) = &self.0 else { return 0 };
        let least = (lived.0 >> UNIT).max(1);
        if least > histogram.max() { 0 } else { histogram.count_between(least, u64::MAX >> 1) }
    }
}
