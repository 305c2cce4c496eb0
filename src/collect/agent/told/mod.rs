//! Which blocks the traced threads must know to be known here: a filter in the table of young blocks.
//!
//! A block that has been told of is no longer in the table. If its address is given out again
//! although no free was seen, the new block must be told, too, or the old one would seem to live for
//! ever; and where only a sample is told, so must the frees of its blocks for which the table has no
//! room. So every bucket has bits, of which one is set while a block of that hash is known. A bit too
//! many only costs time.

use rustc_hash::FxHashMap;
use unfreed_wire::{Key, Telling};

use super::clock::Stamp;
use super::memory::SessionMemory;
use super::record::{Payload, Record};
use crate::event::Address;

mod addresses;
mod counted;
mod refreshed;

use addresses::Addresses;
use counted::Counted;
use refreshed::Refreshed;

/// The known blocks.
pub(super) struct Told {
    /// By index of their process.
    live: FxHashMap<u32, Addresses>,
    /// Those of processes that have ended, whose bits are still set.
    gone: Vec<(u32, Addresses)>,
    bits: Bits,
}

/// How the bits are kept.
enum Bits {
    /// They are not asked.
    Idle,
    Counted(Counted),
    Refreshed(Refreshed),
}

impl Told {
    pub(super) fn new(telling: Telling) -> Told {
        let bits = match telling {
            Telling::Survivors => Bits::Counted(Counted::default()),
            Telling::Everything => Bits::Idle,
            Telling::Sample => Bits::Refreshed(Refreshed::default()),
        };
        Told { live: FxHashMap::default(), gone: Vec::new(), bits }
    }

    /// A block will be told of: said before it leaves the table.
    pub(super) fn expect(&self, memory: &SessionMemory, key: Key) {
        if let Bits::Counted(_) = self.bits {
            Counted::expect(memory, key);
        }
    }

    /// These records are handed on.
    pub(super) fn hand_on(&mut self, memory: &SessionMemory, records: &[Record]) {
        match &mut self.bits {
            Bits::Idle => return,
            Bits::Counted(bits) => {
                for record in records {
                    let address = record.payload.address();
                    if let Some(key) = address.and_then(|a| key(record.origin.process, a.0)) {
                        bits.prefetch(memory, key);
                    }
                }
            }
            Bits::Refreshed(_) => {}
        }
        records.iter().for_each(|record| self.note(memory, record));
    }

    fn note(&mut self, memory: &SessionMemory, record: &Record) {
        let process = record.origin.process;
        match &record.payload {
            Payload::Alloc { address, .. } => {
                if let Some(key) = key(process, address.0)
                    && self.live.entry(process).or_default().insert(address.0)
                {
                    self.bits.add(memory, key);
                }
            }
            Payload::Resize { address, .. } => {
                // Its thread took the bit back when the resizing began.
                if let Some(key) = key(process, address.0)
                    && self.live.get(&process).is_some_and(|live| live.contains(address.0))
                {
                    self.expect(memory, key);
                }
            }
            Payload::Free { address, .. } => self.forget(memory, process, *address),
            Payload::Again(again) => self.forget(memory, process, again.address),
            Payload::ProcessEnded(_) => {
                self.gone.extend(self.live.remove(&process).map(|gone| (process, gone)));
            }
            _ => {}
        }
    }

    fn forget(&mut self, memory: &SessionMemory, process: u32, address: Address) {
        if let Some(key) = key(process, address.0)
            && self.live.get_mut(&process).is_some_and(|live| live.remove(address.0))
        {
            self.bits.remove(memory, key);
        }
    }

    /// Everything up to this time has been handed on: keeps the filter sharp.
    pub(super) fn refresh(&mut self, memory: &SessionMemory, handed_on: Stamp) {
        // Only now: with the last process the session mostly ends, and nobody asks any more.
        for (process, gone) in self.gone.drain(..) {
            for key in gone.iter().filter_map(|address| key(process, address)) {
                self.bits.remove(memory, key);
            }
        }
        if let Bits::Refreshed(bits) = &mut self.bits {
            let live = &self.live;
            let count = live.values().map(Addresses::len).sum();
            let keys = live
                .iter()
                .flat_map(|(process, live)| live.iter().filter_map(|a| key(*process, a)));
            bits.refresh(memory, handed_on, count, keys);
        }
    }
}

impl Bits {
    fn add(&mut self, memory: &SessionMemory, key: Key) {
        match self {
            Bits::Idle => {}
            Bits::Counted(bits) => bits.add(memory, key),
            // Its thread has set the bit, where one is needed.
            Bits::Refreshed(_) => {}
        }
    }

    fn remove(&mut self, memory: &SessionMemory, key: Key) {
        match self {
            Bits::Idle => {}
            Bits::Counted(bits) => bits.remove(memory, key),
            Bits::Refreshed(bits) => bits.remove(),
        }
    }
}

fn key(process: u32, address: u64) -> Option<Key> {
    Key::new(address, process.wrapping_add(1))
}
