//! The words of a copied memory that may be pointers: those whose value lies where blocks can lie. A bit for each
//! word read tells which were kept, so that a gigabyte of text or numbers takes 16 MiB and no more.

use std::ops::Range;

/// Addresses are told apart in spans of 4 MiB.
const SPAN: u32 = 22;
/// Programs have no higher ones, unless they ask for them.
const ADDRESS_BITS: u32 = 48;

/// Where blocks can lie.
pub(crate) struct Targets {
    spans: Vec<u64>,
}

impl Targets {
    pub(crate) fn new(ranges: impl Iterator<Item = Range<u64>>) -> Targets {
        let mut spans = vec![0; 1 << (ADDRESS_BITS - SPAN - 6)];
        for range in ranges.filter(|range| range.end <= 1 << ADDRESS_BITS) {
            for span in range.start >> SPAN..=range.end.saturating_sub(1) >> SPAN {
                spans[(span >> 6) as usize] |= 1 << (span & 63);
            }
        }
        Targets { spans }
    }

    #[inline(always)]
    fn may_hold(&self, value: u64) -> bool {
        value >> ADDRESS_BITS == 0
            && self.spans[(value >> (SPAN + 6)) as usize] >> (value >> SPAN & 63) & 1 != 0
    }
}

/// The words kept, by address.
#[derive(Default)]
pub(crate) struct Words {
    runs: Vec<Run>,
    /// A bit for each word: whether it was kept.
    bits: Vec<u64>,
    /// How many were kept before each of these.
    ranks: Vec<u64>,
    values: Vec<u64>,
}

/// Words that follow each other in memory.
#[derive(Clone, Copy, Debug)]
struct Run {
    start: u64,
    end: u64,
    /// Where its bits begin.
    bits: usize,
}

impl Words {
    /// Takes in what lies at an address, which is higher than all before and begins a word. Rests shorter than a
    /// word are left out.
    pub(crate) fn add(&mut self, start: u64, bytes: &[u8], targets: &Targets) {
        let words = bytes.len() / 8;
        self.runs.push(Run { start, end: start + words as u64 * 8, bits: self.bits.len() });
        for chunk in bytes[..words * 8].chunks(64 * 8) {
            self.ranks.push(self.values.len() as u64);
            let from = self.values.len();
            self.values.resize(from + 64, 0);
            let into = &mut self.values[from..from + 64];
            let (mut bits, mut kept) = (0, 0);
            for (n, word) in chunk.chunks_exact(8).enumerate() {
                let value = word.try_into().map_or(0, u64::from_le_bytes);
                let keep = targets.may_hold(value);
                into[kept & 63] = value;
                kept += usize::from(keep);
                bits |= u64::from(keep) << n;
            }
            self.values.truncate(from + kept);
            self.bits.push(bits);
        }
    }

    /// Bytes of memory that they take.
    pub(super) fn held(&self) -> u64 {
        // Of what was reserved and not used the kernel gives nothing.
        let words = self.bits.len() + self.ranks.len() + self.values.len();
        (words * size_of::<u64>()) as u64
    }

    /// The words kept of a range: address and value.
    pub(super) fn within(&self, range: Range<u64>) -> impl Iterator<Item = (u64, u64)> + '_ {
        let first = self.runs.partition_point(|run| run.end <= range.start);
        let runs = self.runs[first..].iter().take_while(move |run| run.start < range.end);
        runs.flat_map(move |run| {
            let from = range.start.max(run.start).next_multiple_of(8);
            let until = range.end.min(run.end);
            let (first, end) = ((from - run.start) / 8, until.saturating_sub(run.start) / 8);
            self.bits_within(*run, first, end)
        })
    }

    /// The same for words of one run, counted from its start.
    fn bits_within(&self, run: Run, first: u64, end: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
        let chunks = if first < end { first / 64..end.div_ceil(64) } else { 0..0 };
        chunks.flat_map(move |chunk| {
            let at = run.bits + chunk as usize;
            let (all, rank) = (self.bits[at], self.ranks[at] as usize);
            let low = first.saturating_sub(chunk * 64).min(64);
            let high = (end - chunk * 64).min(64);
            let below = |n: u64| if n == 64 { u64::MAX } else { (1 << n) - 1 };
            let mut left = all & below(high) & !below(low);
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                let before = (all & below(bit.into())).count_ones() as usize;
                let address = run.start + (chunk * 64 + u64::from(bit)) * 8;
                Some((address, self.values[rank + before]))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_may_point_is_kept() {
        let targets = Targets::new(std::iter::once(0x5555_0000_0000..0x5555_0000_1000));
        let values = [0, 0x5555_0000_0010, u64::MAX, 0x5555_0040_0000, 0x5555_0000_0fff, 7];
        let bytes: Vec<u8> = values.iter().flat_map(|value: &u64| value.to_le_bytes()).collect();
        let mut words = Words::default();
        words.add(0x1000, &bytes, &targets);
        let kept: Vec<(u64, u64)> = words.within(0..u64::MAX).collect();
        assert_eq!(kept, [(0x1008, 0x5555_0000_0010), (0x1020, 0x5555_0000_0fff)]);
    }

    proptest! {
        /// As the plain way has it, whatever is asked for.
        #[test]
        fn any_range_gives_its_words(
            runs in prop::collection::vec((0_u64..50, prop::collection::vec(any::<bool>(), 0..300)), 0..5),
            start in 0_u64..9000, length in 0_u64..9000,
        ) {
            let targets = Targets::new(std::iter::once(1 << 30..(1 << 30) + 1));
            let (mut words, mut plain, mut at) = (Words::default(), Vec::new(), 0);
            for (gap, kept) in runs {
                at += gap * 8;
                let mut bytes = Vec::new();
                for (n, keep) in kept.iter().enumerate() {
                    let value = if *keep { (1 << 30) + n as u64 } else { n as u64 };
                    let address = at + n as u64 * 8;
                    bytes.extend(value.to_le_bytes());
                    if *keep && address >= start && address + 8 <= start + length {
                        plain.push((address, value));
                    }
                }
                words.add(at, &bytes, &targets);
                at += bytes.len() as u64;
            }
            let found: Vec<(u64, u64)> = words.within(start..start + length).collect();
            prop_assert_eq!(found, plain);
        }
    }
}
