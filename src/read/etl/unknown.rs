//! Records that become no event, counted by provider and opcode. They are no faults: a log holds what its
//! session was asked to record. The counts come as facts of the capture, the most frequent first.

use std::fmt;

use rustc_hash::FxHashMap;

use super::record::{Provider, Record};

/// So many kinds of providers with a GUID are told apart; the rest is counted together.
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
#[derive(Debug)]
pub struct Unknown {
    /// Of the kernel's hooks, by group and, where there are any of it, by opcode.
    hooks: [Option<Box<[u64; 256]>>; 256],
    /// Of the others, by GUID, and by opcode and id: as numbers, which are hashed fast.
    guids: FxHashMap<(u128, u32), u64>,
    others: u64,
}

impl Default for Unknown {
    fn default() -> Self {
        Unknown { hooks: [const { None }; 256], guids: FxHashMap::default(), others: 0 }
    }
}

impl Unknown {
    /// Counts a record.
    #[inline]
    pub fn add(&mut self, record: &Record<'_>) {
        let guid = match record.provider {
            Provider::Group(group) => {
                let opcodes =
                    self.hooks[usize::from(group)].get_or_insert_with(|| Box::new([0; 256]));
                opcodes[usize::from(record.opcode)] += 1;
                return;
            }
            Provider::Guid(guid) => u128::from_le_bytes(guid),
        };
        let key = (guid, u32::from(record.opcode) << 16 | u32::from(record.id));
        let full = self.guids.len() >= KINDS;
        match self.guids.get_mut(&key) {
            Some(count) => *count += 1,
            None if full => self.others += 1,
            None => drop(self.guids.insert(key, 1)),
        }
    }

    /// How many records.
    pub fn total(&self) -> u64 {
        self.hooks().map(|(_, count)| count).chain(self.guids.values().copied()).sum::<u64>()
            + self.others
    }

    fn hooks(&self) -> impl Iterator<Item = (What, u64)> {
        let groups = (0..=u8::MAX).zip(&self.hooks);
        let groups = groups.filter_map(|(group, opcodes)| Some((group, opcodes.as_ref()?)));
        groups.flat_map(|(group, opcodes)| {
            let told = (0..=u8::MAX).zip(opcodes.iter()).filter(|(_, count)| **count > 0);
            told.map(move |(opcode, count)| {
                (What { provider: Provider::Group(group), opcode, id: 0 }, *count)
            })
        })
    }

    /// The kinds, the most frequent first.
    pub fn kinds(&self) -> Vec<(What, u64)> {
        let guids = self.guids.iter().map(|((guid, event), count)| {
            let provider = Provider::Guid(guid.to_le_bytes());
            (What { provider, opcode: (event >> 16) as u8, id: *event as u16 }, *count)
        });
        let mut kinds: Vec<_> = self.hooks().chain(guids).collect();
        kinds.sort_unstable_by_key(|(what, count)| (std::cmp::Reverse(*count), *what));
        kinds
    }
}
