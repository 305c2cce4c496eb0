//! The block sizes of one site: least, median and most. A site that always asks for the same size
//! costs nothing more; the first other size makes a histogram with one significant digit.

use hdrhistogram::Histogram;

use crate::event::Bytes;

/// The sizes asked for at one site.
#[derive(Clone, Debug, Default)]
pub struct Sizes {
    min: u64,
    max: u64,
    count: u64,
    spread: Option<Box<Histogram<u32>>>,
}

impl Sizes {
    #[inline]
    pub(super) fn record(&mut self, size: Bytes, count: u64) {
        if count == 0 {
            return;
        }
        if self.count == 0 {
            (self.min, self.max) = (size.0, size.0);
        }
        if self.spread.is_none() && (size.0 != self.min || size.0 != self.max) {
            let Ok(mut empty) = Histogram::new(1) else { return };
            empty.auto(true);
            let mut spread = Box::new(empty);
            record(&mut spread, self.min, self.count);
            self.spread = Some(spread);
        }
        if let Some(spread) = &mut self.spread {
            record(spread, size.0, count);
        }
        self.count = self.count.saturating_add(count);
        self.min = self.min.min(size.0);
        self.max = self.max.max(size.0);
    }

    /// The least size; `None` before the first allocation.
    pub fn min(&self) -> Option<Bytes> {
        (self.count > 0).then_some(Bytes(self.min))
    }

    /// The most.
    pub fn max(&self) -> Option<Bytes> {
        (self.count > 0).then_some(Bytes(self.max))
    }

    /// The median: exact where all sizes are the same, else to one significant digit.
    pub fn median(&self) -> Option<Bytes> {
        let least = self.min()?;
        let Some(spread) = &self.spread else { return Some(least) };
        Some(Bytes(spread.value_at_quantile(0.5).clamp(self.min, self.max)))
    }

    /// How many sizes lie in each power of two that has any: the least and most of it, and the number. To the histogram's
    /// precision.
    pub fn bars(&self) -> Vec<(u64, u64, u64)> {
        match &self.spread {
            Some(spread) => powers(spread, 0),
            None if self.count > 0 => vec![(self.min, self.max, self.count)],
            None => Vec::new(),
        }
    }
}

/// The bars of a histogram whose values are in units of `2^shift`.
pub(super) fn powers(histogram: &Histogram<u32>, shift: u32) -> Vec<(u64, u64, u64)> {
    let mut bars: Vec<(u64, u64, u64)> = Vec::new();
    for step in histogram.iter_recorded() {
        let value = step.value_iterated_to().max(1);
        let from = 1_u64 << value.ilog2();
        let to = (from - 1) + from;
        let count = u64::from(step.count_at_value());
        match bars.last_mut() {
            Some(last) if last.0 == from << shift => last.2 = last.2.saturating_add(count),
            _ => bars.push((from << shift, ((to + 1) << shift) - 1, count)),
        }
    }
    bars
}

fn record(spread: &mut Histogram<u32>, size: u64, count: u64) {
    // The histogram begins at 1, and grows to any 63-bit value: there is no error to see.
    let size = size.clamp(1, u64::MAX >> 1);
    let _ = spread.record_n(size, u32::try_from(count).unwrap_or(u32::MAX));
}
