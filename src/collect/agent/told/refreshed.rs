//! Bits that the traced threads set, for blocks of a sample that found no room in the table, and that
//! are only ever wiped all at once: a bit too few would lose a free.
//!
//! Every bucket has two words of bits. From time to time they change roles: the new one is filled
//! with what is known, and when everything said before the change has been handed on, so that
//! nothing can be in the old one alone, the old one is wiped.

use std::sync::atomic::Ordering::{AcqRel, Release};

use unfreed_wire::Key;

use crate::collect::agent::clock::{Stamp, now};
use crate::collect::agent::memory::SessionMemory;

/// Fewer stale bits than this are not worth a change of roles.
const LEAST: usize = 1 << 14;

/// The state of the words.
#[derive(Default)]
pub(super) struct Refreshed {
    /// Which word new bits are set in.
    word: usize,
    /// Blocks freed since the last change: so many bits may be stale.
    stale: usize,
    /// When the roles changed, while the old word has not been wiped.
    changed: Option<Stamp>,
}

impl Refreshed {
    fn add(&self, memory: &SessionMemory, key: Key) {
        memory.bucket(key).told[self.word & 1].fetch_or(key.told_bit(), AcqRel);
    }

    pub(super) fn remove(&mut self) {
        self.stale += 1;
    }

    /// Everything up to this time has been handed on; `keys` are the known blocks, so many.
    pub(super) fn refresh(
        &mut self,
        memory: &SessionMemory,
        handed_on: Stamp,
        count: usize,
        keys: impl Iterator<Item = Key>,
    ) {
        match self.changed {
            None if self.stale > LEAST.max(count / 2) => {
                self.stale = 0;
                self.word ^= 1;
                memory.set_told_word(self.word);
                self.changed = Some(now());
            }
            Some(changed) if handed_on > changed => {
                for key in keys {
                    // What lies in the table is found there.
                    if !memory.is_young(key) {
                        self.add(memory, key);
                    }
                }
                for bucket in memory.buckets() {
                    bucket.told[(self.word ^ 1) & 1].store(0, Release);
                }
                self.changed = None;
            }
            _ => {}
        }
    }
}
