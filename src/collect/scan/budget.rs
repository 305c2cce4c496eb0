//! How much memory copies may take that nobody has walked yet.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

/// Bytes that are held, and how many may be.
pub(super) struct Budget {
    most: u64,
    held: Mutex<u64>,
    changed: Condvar,
}

impl Budget {
    pub(super) fn new(most: u64) -> Budget {
        Budget { most, held: Mutex::new(0), changed: Condvar::new() }
    }

    /// Waits until less than that is held; `false` if the time is over before. What comes next may be
    /// larger than all that is left: how large is known only afterwards.
    pub(super) fn has_room(&self, deadline: Instant) -> bool {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let left = deadline.saturating_duration_since(Instant::now());
        let full = |held: &mut u64| *held >= self.most;
        let waited = self.changed.wait_timeout_while(held, left, full);
        let (held, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *held < self.most
    }

    pub(super) fn is_full(&self) -> bool {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) >= self.most
    }

    pub(super) fn take(&self, bytes: u64) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        *held = held.saturating_add(bytes);
    }

    pub(super) fn give_back(&self, bytes: u64) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        *held = held.saturating_sub(bytes);
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_finds_no_room_waits_for_it() {
        let budget = Budget::new(10);
        assert!(budget.has_room(Instant::now()));
        budget.take(12);
        assert!(!budget.has_room(Instant::now()));
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| budget.has_room(Instant::now() + Duration::from_secs(600)));
            budget.give_back(12);
            assert!(waits.join().is_ok_and(|found| found));
        });
    }
}
