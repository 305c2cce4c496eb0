//! The recent frees of one process, by address: what a second free is told by. A window of at most
//! [`WINDOW`] addresses; a free displaces whatever older one shares its place, so a free is
//! remembered for about as many frees as the window is wide. What fell out accuses nobody.

use super::blocks::hash;
use super::sites::SiteId;
use crate::event::{Address, StackId, Time};

/// Places in the window when it is fully grown: 32,768 frees, 1 MiB a process.
pub const WINDOW: usize = 1 << 15;
const FIRST_WINDOW: usize = 1 << 8;

/// A block that was freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tombstone {
    pub(super) address: Address,
    pub(super) freed: Time,
    pub(super) site: SiteId,
    pub(super) stack: StackId,
    /// The free may have been another block's: see [`super::blocks::Block::tainted`]. Or nobody
    /// knows whose it was, and the site means nothing.
    pub(super) tainted: bool,
}

/// NULL is never freed, so it marks an empty place.
const EMPTY: Tombstone = Tombstone {
    address: Address(0),
    freed: Time(0),
    site: SiteId(0),
    stack: StackId::NOT_TAKEN,
    tainted: false,
};

/// The window.
#[derive(Debug, Default)]
pub(super) struct Tombstones {
    places: Box<[Tombstone]>,
    frees: usize,
}

impl Tombstones {
    #[inline]
    pub(super) fn bury(&mut self, tombstone: Tombstone) {
        if self.places.len() < WINDOW && self.frees >= self.places.len() / 2 {
            self.grow();
        }
        self.frees = self.frees.saturating_add(1);
        let place = self.place(tombstone.address);
        self.places[place] = tombstone;
    }

    pub(super) fn find(&self, address: Address) -> Option<&Tombstone> {
        let found = self.places.get(self.place(address))?;
        (found.address == address && address != EMPTY.address).then_some(found)
    }

    pub(super) fn find_mut(&mut self, address: Address) -> Option<&mut Tombstone> {
        let place = self.place(address);
        let found = self.places.get_mut(place)?;
        (found.address == address && address != EMPTY.address).then_some(found)
    }

    #[inline]
    fn place(&self, address: Address) -> usize {
        // A power of two, or nothing yet: then 0, which `find` does not find.
        (hash(address) >> 20) as usize & self.places.len().wrapping_sub(1) & (WINDOW - 1)
    }

    #[cold]
    fn grow(&mut self) {
        let len = (self.places.len() * 4).clamp(FIRST_WINDOW, WINDOW);
        let old = std::mem::replace(&mut self.places, vec![EMPTY; len].into_boxed_slice());
        for tombstone in old {
            if tombstone.address != EMPTY.address {
                let place = self.place(tombstone.address);
                self.places[place] = tombstone;
            }
        }
    }
}
