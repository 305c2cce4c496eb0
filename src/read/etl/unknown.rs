//! Records that become no event, counted by provider and opcode. They are no faults: a log holds what its
//! session was asked to record. The counts come as facts of the capture, the most frequent first.

use std::fmt;

use rustc_hash::FxHashMap;

use super::record::{Provider, Record};

/// So many kinds are told apart; the rest is counted together.
const KINDS: usize = 4096;

/// Which records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct What {
    /// Who logged them.
    pub provider: Provider,
    /// What kind of event, of those of the provider.
    pub opcode: u8,
    /// The number of a manifest-based event.
    pub id: u16,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.provider {
            Provider::Group(group) => write!(f, "hook {group:#04x}{:02x}", self.opcode),
            Provider::Guid(guid) => {
                let [a0, a1, a2, a3, b0, b1, c0, c1, d @ ..] = *guid;
                let (a, d) = (u32::from_le_bytes([a0, a1, a2, a3]), u64::from_be_bytes(d));
                let (b, c) = (u16::from_le_bytes([b0, b1]), u16::from_le_bytes([c0, c1]));
                write!(f, "{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}", d >> 48, d & 0xffff_ffff_ffff)?;
                write!(f, " opcode {} id {}", self.opcode, self.id)
            }
        }
    }
}

/// The counts.
#[derive(Debug, Default)]
pub struct Unknown {
    counts: FxHashMap<What, u64>,
    others: u64,
}

impl Unknown {
    /// Counts a record.
    pub fn add(&mut self, record: &Record<'_>) {
        let Record { provider, opcode, id, .. } = *record;
        let full = self.counts.len() >= KINDS;
        match self.counts.get_mut(&What { provider, opcode, id }) {
            Some(count) => *count += 1,
            None if full => self.others += 1,
            None => {
                self.counts.insert(What { provider, opcode, id }, 1);
            }
        }
    }

    /// How many records.
    pub fn total(&self) -> u64 {
        self.counts.values().sum::<u64>() + self.others
    }

    /// The kinds, the most frequent first.
    pub fn kinds(&self) -> Vec<(What, u64)> {
        let mut kinds: Vec<_> = self.counts.iter().map(|(what, count)| (*what, *count)).collect();
        kinds.sort_unstable_by_key(|(what, count)| (std::cmp::Reverse(*count), *what));
        kinds
    }
}
