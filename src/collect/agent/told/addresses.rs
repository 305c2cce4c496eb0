//! A set of addresses: the known blocks of one process.
//!
//! A program gives out neighbouring addresses one after the other, so it is kept by regions: a bit for
//! every address in 2 KiB that a block can have, 41 bytes in a table of which seven to fourteen
//! sixteenths are filled as it grows. So blocks of 100 bytes that lie side by side take 3 to 5 bytes each,
//! and one that is alone in its region at most 94. A region with no address in it leaves the table.

use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;

/// What the addresses are multiples of, as those that a [`Key`](unfreed_wire::Key) can name.
const GRANULE_SHIFT: u32 = 3;
const WORD_SHIFT: u32 = GRANULE_SHIFT + u64::BITS.trailing_zeros();
const WORDS: usize = 4;
const REGION_SHIFT: u32 = WORD_SHIFT + WORDS.trailing_zeros();

/// The addresses.
#[derive(Default)]
pub(super) struct Addresses {
    regions: FxHashMap<u64, [u64; WORDS]>,
    len: usize,
}

impl Addresses {
    /// Puts a multiple of 8 in; whether it is new.
    pub(super) fn insert(&mut self, address: u64) -> bool {
        let region = self.regions.entry(address >> REGION_SHIFT).or_default();
        let word = &mut region[word(address)];
        let new = *word & bit(address) == 0;
        *word |= bit(address);
        self.len += usize::from(new);
        new
    }

    /// Takes it out; whether it was there.
    pub(super) fn remove(&mut self, address: u64) -> bool {
        let Entry::Occupied(mut region) = self.regions.entry(address >> REGION_SHIFT) else {
            return false;
        };
        let word = &mut region.get_mut()[word(address)];
        let known = *word & bit(address) != 0;
        *word &= !bit(address);
        if known {
            self.len -= 1;
            if *region.get() == [0; WORDS] {
                region.remove();
            }
        }
        known
    }

    pub(super) fn contains(&self, address: u64) -> bool {
        let region = self.regions.get(&(address >> REGION_SHIFT));
        region.is_some_and(|region| region[word(address)] & bit(address) != 0)
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All, in no order that means anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = u64> {
        self.regions.iter().flat_map(|(region, words)| {
            words.iter().enumerate().flat_map(move |(n, word)| {
                let first = (region << REGION_SHIFT) + ((n as u64) << WORD_SHIFT);
                let bits = (0..u64::from(u64::BITS)).filter(move |bit| word >> bit & 1 != 0);
                bits.map(move |bit| first + (bit << GRANULE_SHIFT))
            })
        })
    }
}

fn word(address: u64) -> usize {
    (address >> WORD_SHIFT) as usize % WORDS
}

fn bit(address: u64) -> u64 {
    1 << ((address >> GRANULE_SHIFT) % u64::from(u64::BITS))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_changes_leave_what_a_plain_set_has(
            changes in prop::collection::vec((any::<bool>(), 1u64..1200), 0..400),
            far in prop::collection::vec(0u64..1 << 44, 0..20),
        ) {
            let (mut addresses, mut plain) = (Addresses::default(), BTreeSet::new());
            let near = changes.into_iter().map(|(add, n)| (add, n * 8));
            for (add, address) in near.chain(far.into_iter().map(|n| (true, n * 8))) {
                prop_assert_eq!(addresses.contains(address), plain.contains(&address));
                if add {
                    prop_assert_eq!(addresses.insert(address), plain.insert(address));
                } else {
                    prop_assert_eq!(addresses.remove(address), plain.remove(&address));
                }
                prop_assert_eq!(addresses.len(), plain.len());
            }
            let regions: BTreeSet<u64> = plain.iter().map(|a| a >> REGION_SHIFT).collect();
            prop_assert_eq!(addresses.regions.len(), regions.len());
            let all: BTreeSet<u64> = addresses.iter().collect();
            prop_assert_eq!(all, plain);
        }
    }
}
