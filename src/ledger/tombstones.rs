//! The recent frees of one process, by address: what a second free is told by. A window of at most
//! [`WINDOW`] addresses; a free displaces the oldest of the few that share its places, so a free is
//! remembered for about as many frees as the window is wide. What fell out accuses nobody.

use super::blocks::hash;
use super::sites::SiteId;
use crate::event::{Address, StackId, Time};

/// Places in the window when it is fully grown: 32,768 frees, 1 MiB a process.
pub const WINDOW: usize = 1 << 15;
const FIRST_WINDOW: usize = 1 << 9;
/// Places among which a free finds one: so few that they lie side by side, so many that frees that
/// share them seldom displace each other early.
const GROUP: usize = 4;

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
        self.put(tombstone);
    }

    pub(super) fn find(&self, address: Address) -> Option<&Tombstone> {
        let at = self.group(address);
        let group = self.places.get(at..at + GROUP)?;
        group.iter().find(|found| found.address == address && address != EMPTY.address)
    }

    pub(super) fn find_mut(&mut self, address: Address) -> Option<&mut Tombstone> {
        let at = self.group(address);
        let group = self.places.get_mut(at..at + GROUP)?;
        group.iter_mut().find(|found| found.address == address && address != EMPTY.address)
    }

    /// In the place of the same address, else in an empty one, else in the oldest's.
    #[inline]
    fn put(&mut self, tombstone: Tombstone) {
        let at = self.group(tombstone.address);
        let Some(group) = self.places.get_mut(at..at + GROUP) else { return };
        let age = |place: &&mut Tombstone| match place.address {
            address if address == tombstone.address => (0, Time(0)),
            address if address == EMPTY.address => (1, Time(0)),
            _ => (2, place.freed),
        };
        if let Some(place) = group.iter_mut().min_by_key(age) {
            *place = tombstone;
        }
    }

    /// Where the group of an address begins.
    #[inline]
    fn group(&self, address: Address) -> usize {
        // A power of two, or nothing yet: then 0, where there is no group.
        let places = self.places.len().wrapping_sub(1) & (WINDOW - 1);
        (hash(address) >> 20) as usize & places & !(GROUP - 1)
    }

    #[cold]
    fn grow(&mut self) {
        let len = (self.places.len() * 4).clamp(FIRST_WINDOW, WINDOW);
        let old = std::mem::replace(&mut self.places, vec![EMPTY; len].into_boxed_slice());
        for tombstone in old {
            if tombstone.address != EMPTY.address {
                self.put(tombstone);
            }
        }
    }
}
