//! Stack ids of a file, and those the reader yields. Nodes get their ids by counting; where a
//! damaged chunk defined some, their ids are missing. Consumers count too, so the reader
//! renumbers: what it yields counts up without gaps, and a stack whose definition was lost
//! reads as [`StackId::LOST`]. No id is ever yielded that was not defined before.

use crate::event::StackId;

/// A run of ids whose definitions were lost.
#[derive(Clone, Copy, Debug)]
struct Gap {
    from: u32,
    to: u32,
    /// How many were lost in this gap and all before it.
    lost: u32,
}

/// From the file's ids to those yielded.
#[derive(Debug)]
pub(super) struct StackIds {
    /// The file's next id.
    next: u32,
    /// Ids below are the same in the file and outside.
    solid: u32,
    gaps: Vec<Gap>,
    /// References to stacks that the file had not defined.
    pub undefined: u64,
}

impl Default for StackIds {
    fn default() -> Self {
        let first = StackId::FIRST.0;
        Self { next: first, solid: first, gaps: Vec::new(), undefined: 0 }
    }
}

impl StackIds {
    /// Goes on at the next id that a chunk states; false where it was defined already.
    pub fn enter(&mut self, next: u32) -> bool {
        let missing = match next.checked_sub(self.next) {
            None => return false,
            Some(0) => return true,
            Some(missing) => missing,
        };
        match self.gaps.last_mut() {
            Some(gap) if gap.to == self.next => {
                gap.to = next;
                gap.lost += missing;
            }
            last => {
                let lost = last.map_or(0, |gap| gap.lost) + missing;
                self.gaps.push(Gap { from: self.next, to: next, lost });
            }
        }
        self.next = next;
        true
    }

    /// Counts a definition; false where there are no more ids.
    pub fn define(&mut self) -> bool {
        let Some(next) = self.next.checked_add(1) else { return false };
        self.next = next;
        if self.gaps.is_empty() {
            self.solid = next;
        }
        true
    }

    /// The id to yield for one of the file.
    #[inline]
    pub fn resolve(&mut self, id: u64) -> StackId {
        if id < u64::from(self.solid) { StackId(id as u32) } else { self.resolve_slow(id) }
    }

    #[cold]
    fn resolve_slow(&mut self, id: u64) -> StackId {
        let Some(id) = u32::try_from(id).ok().filter(|id| *id < self.next) else {
            self.undefined += 1;
            return StackId::LOST;
        };
        let before = self.gaps.partition_point(|gap| gap.from <= id);
        match before.checked_sub(1).and_then(|last| self.gaps.get(last)) {
            None => StackId(id),
            Some(gap) if id < gap.to => StackId::LOST,
            Some(gap) => StackId(id - gap.lost),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_after_gaps_count_on_and_lost_ones_are_lost() {
        let mut ids = StackIds::default();
        assert!(ids.define() && ids.define());
        assert!(ids.enter(10) && ids.enter(12));
        assert!(ids.define());
        assert!(ids.enter(20));
        assert!(ids.define());
        let seen: Vec<u32> = (0..22).map(|id| ids.resolve(id).0).collect();
        let lost = StackId::LOST.0;
        let mut expected = vec![0, 1, 2, 3, 4, 5];
        expected.extend([lost; 6]);
        expected.push(6);
        expected.extend([lost; 7]);
        expected.extend([7, lost]);
        assert_eq!(seen, expected);
        assert_eq!(ids.undefined, 1);
    }

    #[test]
    fn a_chunk_cannot_define_again() {
        let mut ids = StackIds::default();
        assert!(ids.define());
        assert!(!ids.enter(StackId::FIRST.0));
    }

    #[test]
    fn the_last_id_is_not_passed() {
        let mut ids = StackIds::default();
        assert!(ids.enter(u32::MAX));
        assert!(!ids.define());
    }
}
