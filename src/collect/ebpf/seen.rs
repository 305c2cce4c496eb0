//! Since when a process's allocations are seen. It runs while its probes are being set, and what it does until then
//! nobody sees: that is told of each process, as a time, and never taken for "it did nothing".

use crate::collect::agent::clock::Stamp;

/// What is known of that for one image of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sight {
    /// When the image began; `None`: it ran before anybody asked.
    began: Option<Stamp>,
    /// When probes were on all of its allocators, as it was looked at first.
    probed: Option<Stamp>,
    /// The same of the image before, whose probes on files that both map stayed.
    before: Option<Stamp>,
    /// Whether anything that it did was seen.
    pub(super) told: bool,
    said: bool,
}

impl Sight {
    /// Of the image that takes this one's place.
    pub(super) fn next(&self, began: Option<Stamp>) -> Sight {
        Sight { began, before: self.probed, ..Sight::default() }
    }

    /// Probes are on its allocators. What it maps later is another matter.
    pub(super) fn probed(&mut self, at: Stamp) {
        self.probed.get_or_insert(at);
    }

    /// Whether all of it went by unseen.
    pub(super) fn is_blind(&self) -> bool {
        self.probed.is_none() && !self.told
    }

    /// For how many nanoseconds of its beginning nothing was seen, once that is known; told once.
    pub(super) fn unseen(&mut self) -> Option<u64> {
        let (began, probed) = (self.began?, self.probed?);
        self.say(probed, began)
    }

    /// The same of an image that is over: where its allocators were never found, all that it lived.
    pub(super) fn unseen_until(&mut self, end: Stamp) -> Option<u64> {
        let began = self.began?;
        // Who told something without being looked at had the probes of the image before, if it began before they came.
        let early = self.told.then_some(self.before.unwrap_or(began));
        self.say(self.probed.or(early).unwrap_or(end).min(end), began)
    }

    fn say(&mut self, since: Stamp, began: Stamp) -> Option<u64> {
        if self.said {
            return None;
        }
        self.said = true;
        since.0.checked_sub(began.0).filter(|unseen| *unseen > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(began: Option<Stamp>) -> Sight {
        Sight::default().next(began)
    }

    #[test]
    fn probes_that_come_late_are_told_once() {
        let mut sight = of(Some(Stamp(100)));
        assert!(sight.is_blind());
        assert_eq!(sight.unseen(), None);
        sight.probed(Stamp(140));
        sight.probed(Stamp(190));
        assert_eq!(sight.unseen(), Some(40));
        assert_eq!((sight.unseen(), sight.unseen_until(Stamp(500))), (None, None));
    }

    #[test]
    fn probes_that_were_there_before_miss_nothing() {
        let mut sight = of(Some(Stamp(100)));
        sight.probed(Stamp(90));
        assert_eq!(sight.unseen(), None);
        let mut older = of(None);
        older.probed(Stamp(90));
        assert_eq!((older.unseen(), older.unseen_until(Stamp(500))), (None, None));
    }

    #[test]
    fn what_was_never_found_was_unseen_for_life() {
        let mut sight = of(Some(Stamp(100)));
        assert_eq!(sight.unseen_until(Stamp(130)), Some(30));
        // It told something, so probes of the program before were there.
        let mut told = Sight { told: true, ..of(Some(Stamp(100))) };
        assert_eq!(told.unseen_until(Stamp(130)), None);
        assert!(!told.is_blind());
    }

    /// Its beginning was told so early that the probes came into what it executed next.
    #[test]
    fn probes_that_came_into_the_next_image_are_late_for_that() {
        for (probed, unseen) in [(140, Some(40)), (90, None), (160, Some(50))] {
            let mut before = of(Some(Stamp(80)));
            before.probed(Stamp(probed));
            let mut next = Sight { told: true, ..before.next(Some(Stamp(100))) };
            assert_eq!(next.unseen_until(Stamp(150)), unseen, "{probed}");
        }
    }
}
