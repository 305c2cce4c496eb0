//! How long the next round can wait for what this one found.

use std::time::Duration;

use unfreed_wire::Telling;

use crate::collect::agent::clock::tick;

/// A ring that had so much in it, in thousandths of its size, is read again at once.
const BUSY: u64 = 125;
/// One that had no more than so much in it can wait for longer. Every round takes the processor from
/// somebody or wakes one that sleeps, and interrupts the traced threads.
const CALM: u64 = 10;
/// So many such rounds in a row make a calm.
const CALM_ROUNDS: u32 = 32;
/// No thread fills its ring faster, and none where only a sample is told, most of which are large blocks:
/// bytes in a microsecond.
const FASTEST: (u64, u64) = (1 << 10, 1 << 8);
const SHORTEST: Duration = Duration::from_micros(500);

/// What one round found of the rings.
#[derive(Debug)]
pub(super) struct Round {
    /// How full the fullest was, in thousandths.
    fullest: u64,
    /// Bytes of the smallest in use.
    smallest: u64,
    /// Whether little has happened for a while.
    calm: bool,
}

impl Default for Round {
    fn default() -> Round {
        Round { fullest: 0, smallest: u64::MAX, calm: false }
    }
}

impl Round {
    /// Takes note of a ring of so many bytes that was so full, in thousandths.
    pub(super) fn add(&mut self, fullness: u64, ring_bytes: u64) {
        self.fullest = self.fullest.max(fullness);
        self.smallest = self.smallest.min(ring_bytes);
    }

    /// Whether it found next to nothing.
    pub(super) fn found_little(&self) -> bool {
        self.fullest <= CALM
    }

    /// It is the last of so many that found little.
    pub(super) fn follow(&mut self, calm: u32) {
        self.calm = calm >= CALM_ROUNDS;
    }

    /// How long the next can wait.
    pub(super) fn pause(&self, telling: Telling) -> Option<Duration> {
        let longest = tick(telling);
        let fastest = if telling == Telling::Sample { FASTEST.1 } else { FASTEST.0 };
        match self.fullest {
            0 => Some(longest),
            // In a calm there may be a burst at any time.
            fullest if fullest <= CALM && self.calm => {
                let full = Duration::from_micros(self.smallest / fastest);
                Some(full.clamp(SHORTEST, longest))
            }
            BUSY.. => None,
            _ => Some(SHORTEST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pause after a round that found the fullest of rings of so many bytes so full.
    fn pause(fullness: u64, ring_bytes: u64, calm: u32) -> Option<u128> {
        let mut round = Round::default();
        round.add(0, 4 << 20);
        round.add(fullness, ring_bytes);
        round.follow(calm);
        round.pause(Telling::Survivors).map(|pause| pause.as_micros())
    }

    #[test]
    fn what_is_nearly_empty_waits_and_what_fills_does_not() {
        assert_eq!(pause(0, 4 << 20, 0), Some(4000));
        assert_eq!(pause(CALM, 4 << 20, 0), Some(500), "not calm yet");
        assert_eq!(pause(CALM, 4 << 20, CALM_ROUNDS), Some(4000));
        assert_eq!(pause(CALM, 1 << 20, CALM_ROUNDS), Some(1024), "as soon as it could be full");
        assert_eq!(pause(CALM, 128 << 10, CALM_ROUNDS), Some(500));
        assert_eq!(pause(CALM + 1, 4 << 20, CALM_ROUNDS), Some(500));
        assert_eq!(pause(BUSY, 4 << 20, CALM_ROUNDS), None);
    }

    #[test]
    fn who_asks_for_a_sample_is_left_alone_for_longer() {
        let mut round = Round::default();
        assert_eq!(round.pause(Telling::Sample), Some(Duration::from_millis(20)));
        round.add(CALM, 4 << 20);
        assert_eq!(round.pause(Telling::Sample), Some(SHORTEST));
        round.follow(CALM_ROUNDS);
        assert_eq!(round.pause(Telling::Sample), Some(Duration::from_micros(4 << 12)));
    }
}
