//! How sure a growth is, and what keeps it from being surer: a product of factors, each 1 where the
//! evidence is as a leak would leave it, under caps.

use super::growth::MIN_SURVIVORS;
use super::statistics::ramp;

/// Whatever the evidence, a verdict from counts alone is no surer than this.
const SUREST: f64 = 0.97;

/// What keeps the confidence down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Nothing in particular.
    None,
    /// Survivors are few.
    Few,
    /// The observation is short.
    Short,
    /// Next to nothing was ever freed: it may be what is not full yet.
    NeverFreed,
    /// It slows down, as a cache that fills.
    Slowing,
    /// The share of blocks that stay depends on their age.
    Uneven,
    /// Old blocks are freed after all.
    LateDeaths,
    /// It comes in few, irregular steps.
    Irregular,
    /// It stopped with the load, which may have been the start-up.
    LoadStopped,
    /// Lost frees may explain it.
    LostFrees,
    /// A module that releases blocks unseen may explain it.
    Unseen,
    /// Frees of blocks older than the trace may explain it.
    Unmatched,
    /// Whose blocks they are was lost, or not taken.
    NoStack,
    /// The choice of the sample may explain it.
    Sampled,
}

/// Keeps the product of the factors, and which was the lowest.
pub(super) struct Scale {
    pub(super) confidence: f64,
    pub(super) doubt: Doubt,
    lowest: f64,
}

impl Scale {
    pub(super) fn new() -> Self {
        Scale { confidence: SUREST, doubt: Doubt::None, lowest: 1.0 }
    }

    pub(super) fn factor(&mut self, factor: f64, doubt: Doubt) {
        self.confidence *= factor;
        self.blame(factor, doubt);
    }

    /// Few blocks make unsure; this is the factor of the fewest.
    pub(super) fn few(&mut self, fewest: f64, blocks: f64) {
        self.factor(fewest + (1.0 - fewest) * ramp(blocks, MIN_SURVIVORS, 100.0), Doubt::Few);
    }

    pub(super) fn cap(&mut self, cap: f64, doubt: Doubt) {
        if self.confidence > cap {
            self.blame(cap / self.confidence, doubt);
            self.confidence = cap;
        }
    }

    fn blame(&mut self, by: f64, doubt: Doubt) {
        if by < self.lowest.min(0.999) {
            (self.lowest, self.doubt) = (by, doubt);
        }
    }
}
