//! Whether a process tears itself down: the span at its end in which it frees far more than it
//! allocates. Whoever ends a server to end the trace has it free everything, and what grew until
//! then must still be seen. Only counts and recorded times are looked at, so a span is known to have
//! been the last only when the process has ended.

use crate::event::Time;

/// A free raises the level by this, an allocation lowers it by [`ALLOCATION`]: work that allocates
/// what it frees ends the span, taking a structure apart with the help of a few blocks does not.
const FREE: u64 = 2;
const ALLOCATION: u64 = 3;

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
}

/// A process's teardown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TornDown {
    /// When it began.
    pub began: Time,
    /// Blocks that the process allocated in it.
    pub allocations: u64,
}

impl Teardown {
    /// Blocks were freed; a pause longer than `pause` ns before that ends a span.
    #[inline]
    pub(super) fn freed(&mut self, now: Time, count: u64, pause: u64) {
        if self.level == 0 || now.0.saturating_sub(self.last.0) > pause {
            self.span = self.span.wrapping_add(1);
            (self.level, self.began, self.allocations) = (0, now, 0);
        }
        self.last = now;
        self.level = self.level.saturating_add(count.saturating_mul(FREE)).min(HIGHEST);
    }

    /// Blocks were allocated.
    #[inline]
    pub(super) fn allocated(&mut self, count: u64) {
        self.level = self.level.saturating_sub(count.saturating_mul(ALLOCATION));
        self.allocations = self.allocations.saturating_add(count);
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
        (self.level > 0 && took <= longest).then_some(torn_down)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: u64 = 1_000_000_000;

    #[test]
    fn work_has_no_teardown_and_a_teardown_may_allocate_a_little() {
        let mut teardown = Teardown::default();
        for n in 0..1000 {
            teardown.allocated(1);
            teardown.freed(Time(n), 1, PAUSE);
        }
        let work = teardown.span();
        teardown.allocated(1);
        for n in 1000..2000 {
            teardown.freed(Time(n), 2, PAUSE);
            teardown.allocated(1);
        }
        assert_eq!(teardown.span(), work + 1);
        let ended = Time(10_000_000_000);
        let torn_down = TornDown { began: Time(1000), allocations: 1000 };
        assert_eq!(teardown.of(Time(0), Time(2000)), Some(torn_down));
        assert_eq!(teardown.of(Time(0), ended), None);
        teardown.freed(ended, 1, PAUSE);
        assert_eq!(teardown.of(Time(0), ended).map(|t| t.began), Some(ended));
        teardown.allocated(100);
        assert_eq!(teardown.of(Time(0), ended), None);
    }
}
