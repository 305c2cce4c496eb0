//! One row of numbers for the snapshots of all recordings: each file of UMDH begins its own at 0.

use rustc_hash::FxHashMap;

/// The snapshots of a case.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    numbers: FxHashMap<(usize, u32), u32>,
}

impl Snapshots {
    /// The case's number for a recording's snapshot. Snapshots come in the order of time.
    pub fn number(&mut self, part: usize, number: u32) -> u32 {
        let next = self.numbers.len() as u32;
        *self.numbers.entry((part, number)).or_insert(next)
    }
}
