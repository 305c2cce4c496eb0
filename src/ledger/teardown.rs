//! Whether a process tears itself down: the span at its end in which it frees far more than it
//! allocates. Whoever ends a server to end the trace has it free everything, and what grew until
//! then must still be seen. Only counts and recorded times are looked at, so a span is known to have
//! been the last only when the process has ended.

use crate::event::Time;

/// A free raises the level by this, an allocation lowers it by [`ALLOCATION`]: work that allocates
/// what it frees ends the span, taking a structure apart with the help of a few blocks does not.
const FREE: u64 = 2;
const ALLOCATION: u64 = 3;

/// The level at which a span begins: a few blocks that are allocated as a teardown begins do not cut
/// its first frees off. So work has spans too, of 64 blocks allocated and freed.
const FIRST: u64 = 64;

/// The level rises no higher, so that work going on ends a span of any size: 256 blocks allocated
/// and freed do.
const HIGHEST: u64 = 256;

/// A teardown takes at most this share of the observation, or [`SHORT`].
const LONGEST: f64 = 0.1;
const SHORT: f64 = 0.5;

/// The span in which a process has freed most of all it did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Teardown {
    /// The span's number: a new one begins with the first free after an older one ended.
    span: u32,
    level: u64,
    began: Time,
    last: Time,
    allocations: u64,
    frees: u64,
}

/// A process's teardown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TornDown {
    /// When it began.
    pub began: Time,
    /// Blocks that the process allocated in it; of those that a tally counted from before it on, their
    /// share by time.
    pub allocations: u64,
}

impl Teardown {
    /// Blocks were freed. A span ends after a pause longer than `pause` ns, and if within that time it
    /// has not freed more than was allocated.
    #[inline]
    pub(super) fn freed(&mut self, now: Time, count: u64, pause: u64) {
        let since = |time: Time| now.0.saturating_sub(time.0);
        let nothing_yet = self.level <= FIRST && since(self.began) > pause;
        if self.level == 0 || nothing_yet || since(self.last) > pause {
            self.span = self.span.wrapping_add(1);
            (self.level, self.began) = (FIRST, now);
            (self.allocations, self.frees) = (0, 0);
        }
        self.last = now;
        self.frees = self.frees.saturating_add(count);
        self.level = self.level.saturating_add(count.saturating_mul(FREE)).min(HIGHEST);
    }

    /// Blocks were allocated.
    #[inline]
    pub(super) fn allocated(&mut self, count: u64) {
        self.level = self.level.saturating_sub(count.saturating_mul(ALLOCATION));
        self.allocations = self.allocations.saturating_add(count);
    }

    /// Blocks were allocated and freed again between `since` and `now`. A tally that began before the
    /// latest free may be of the work before the span, or of the last blocks that it freed: those that
    /// fall into the span by their share of the time weigh against it, and end it only where they
    /// outweigh it and all of the tally's time is in it.
    pub(super) fn tallied(&mut self, since: Time, now: Time, count: u64) {
        if since >= self.last {
            return self.allocated(count);
        }
        let interval = now.0.saturating_sub(since.0).max(1);
        let inside = now.0.saturating_sub(self.began.0.max(since.0));
        let share = inside as f64 / interval as f64;
        self.allocations = self.allocations.saturating_add((count as f64 * share) as u64);
        if since >= self.began && !self.frees_outweigh() {
            self.level = 0;
        }
    }

    /// Whether it has far more frees than allocations: work has as many.
    fn frees_outweigh(&self) -> bool {
        self.frees / 5 > self.allocations / 4
    }

    /// The number of the span.
    #[inline]
    pub(super) fn span(&self) -> u32 {
        self.span
    }

    /// The teardown of a process that was observed from `began` and ended at `ended`; `None` if it
    /// ended otherwise.
    pub(super) fn of(&self, began: Time, ended: Time) -> Option<TornDown> {
        let took = ended.seconds() - self.began.seconds();
        let longest = (LONGEST * (ended.seconds() - began.seconds())).max(SHORT);
        let torn_down = TornDown { began: self.began, allocations: self.allocations };
        (self.level > 0 && self.frees_outweigh() && took <= longest).then_some(torn_down)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const PAUSE: u64 = 1_000_000_000;

    fn work(teardown: &mut Teardown, times: std::ops::Range<u64>) {
        for time in times {
            teardown.allocated(1);
            teardown.freed(Time(time), 1, PAUSE);
        }
    }

    #[test]
    fn work_is_no_teardown_and_a_teardown_may_allocate_a_little() {
        let mut teardown = Teardown::default();
        work(&mut teardown, 0..1000);
        assert!(teardown.span() > 10);
        assert_eq!(teardown.of(Time(0), Time(1000)), None);
        teardown.allocated(1);
        for n in 1000..2000 {
            teardown.freed(Time(n), 2, PAUSE);
            teardown.allocated(1);
        }
        let torn_down = teardown.of(Time(0), Time(2000)).unwrap();
        assert!((900..=1000).contains(&torn_down.began.0), "{torn_down:?}");
        assert_eq!(teardown.of(Time(0), Time(10_000_000_000)), None);
        work(&mut teardown, 2000..2300);
        assert_eq!(teardown.of(Time(0), Time(2300)), None);
    }

    #[test]
    fn a_tally_of_the_work_before_a_teardown_does_not_end_it() {
        let mut teardown = Teardown::default();
        work(&mut teardown, 0..1000);
        teardown.freed(Time(1000), 5000, PAUSE);
        teardown.tallied(Time(0), Time(1010), 5000);
        let torn_down = teardown.of(Time(0), Time(1010)).unwrap();
        assert!((900..=1000).contains(&torn_down.began.0), "{torn_down:?}");
        assert!((49..=600).contains(&torn_down.allocations), "{torn_down:?}");
        // Work that went on while blocks were freed.
        let mut working = teardown;
        working.tallied(Time(0), Time(1100), 100_000);
        assert_eq!(working.of(Time(0), Time(1100)), None);
        teardown.tallied(Time(1000), Time(1010), 100);
        assert_eq!(teardown.of(Time(0), Time(1010)), None);
    }

    #[test]
    fn a_tally_of_the_last_blocks_that_a_teardown_freed_does_not_end_it() {
        let mut teardown = Teardown::default();
        work(&mut teardown, 0..1000);
        // A client leaves; the blocks of the last request are told when all is over.
        teardown.freed(Time(1005), 5, PAUSE);
        let began = teardown.began;
        teardown.freed(Time(1100), 70_000, PAUSE);
        teardown.tallied(Time(1010), Time(1300), 600);
        assert_eq!(teardown.of(Time(0), Time(1300)).unwrap().began, began);
        // Work that went on ends it, whether it frees older blocks or not.
        let mut working = teardown;
        working.tallied(Time(1010), Time(1300), 80_000);
        assert_eq!(working.of(Time(0), Time(1300)), None);
        teardown.tallied(Time(1300), Time(1400), 100);
        assert_eq!(teardown.of(Time(0), Time(1400)), None);
    }

    #[test]
    fn a_pause_comes_before_a_teardown_not_into_it() {
        let mut teardown = Teardown::default();
        work(&mut teardown, 0..10);
        let later = Time(2 * PAUSE);
        teardown.freed(later, 100, PAUSE);
        let torn_down = TornDown { began: later, allocations: 0 };
        assert_eq!(teardown.of(Time(0), later), Some(torn_down));
    }
}
