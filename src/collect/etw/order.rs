//! Records of several sessions in one order of time. A session delivers a buffer when it is full or a second old, those of several
//! processors one after the other, and another session lags by its own buffers. So a record is handed on once it is
//! older than any session holds records back, by the sessions' own clock.
//!
//! Memory is what sessions deliver in that time, and bounded: beyond the bound records are handed on at once, and one that
//! then comes late is counted by whoever reads them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The most bytes that wait.
const MOST: usize = 256 << 20;

/// Records of one session, as they came.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    time: u64,
    processor: u16,
    at: usize,
    len: usize,
}

/// One record of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct One<'a> {
    /// When, in units of the sessions' clock.
    pub time: u64,
    /// On which processor.
    pub processor: u16,
    /// The record as it would stand in a file.
    pub bytes: &'a [u8],
}

impl Batch {
    /// Puts a record in that `write` writes; `false`, and nothing is put in, where it says that there is none.
    pub fn put(
        &mut self,
        time: u64,
        processor: u16,
        write: impl FnOnce(&mut Vec<u8>) -> bool,
    ) -> bool {
        let at = self.bytes.len();
        if !write(&mut self.bytes) {
            self.bytes.truncate(at);
            return false;
        }
        let len = self.bytes.len() - at;
        self.places.push(Place { time, processor, at, len });
        true
    }

    /// How many bytes its records take.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// How many records it has.
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

/// When it is a batch's turn; of one time by the session's number, then by when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    time: u64,
    session: usize,
    number: u64,
    slot: usize,
}

/// A batch that waits, its records in order, and how many of them were handed on.
#[derive(Debug, Default)]
struct Waiting {
    batch: Batch,
    session: usize,
    number: u64,
    given: usize,
}

/// The sessions.
#[derive(Debug)]
pub struct Order {
    slots: Vec<Waiting>,
    free: Vec<usize>,
    turns: BinaryHeap<Reverse<Turn>>,
    came: u64,
    bytes: usize,
    /// How long a session holds records back, in units of the clock.
    window: u64,
}

impl Order {
    /// Sessions that hold records back for `window` units of their clock.
    pub fn new(window: u64) -> Order {
        let (slots, free, turns) = (Vec::new(), Vec::new(), BinaryHeap::new());
        Order { slots, free, turns, came: 0, bytes: 0, window }
    }

    /// Takes what a session delivered. Of one time, what a session of a lower number says comes first.
    pub fn put(&mut self, session: usize, mut batch: Batch) {
        if batch.is_empty() {
            return;
        }
        // What one processor logged lies in order, so that there is little to be sorted.
        batch.places.sort_by_key(|place| place.time);
        self.bytes += batch.len();
        self.came += 1;
        let waiting = Waiting { batch, session, number: self.came, given: 0 };
        let slot = self.free.pop().unwrap_or(self.slots.len());
        match self.slots.get_mut(slot) {
            Some(place) => *place = waiting,
            None => self.slots.push(waiting),
        }
        self.queue(slot);
    }

    /// Hands on whatever is in order, as the clock shows `now`.
    pub fn take(&mut self, now: u64, each: &mut dyn FnMut(One<'_>)) {
        let old = now.saturating_sub(self.window);
        while self.turns.peek().is_some_and(|Reverse(turn)| turn.time <= old || self.bytes > MOST) {
            self.give(each);
        }
    }

    /// Hands on all that is left.
    pub fn take_all(&mut self, each: &mut dyn FnMut(One<'_>)) {
        while self.give(each) {}
    }

    fn give(&mut self, each: &mut dyn FnMut(One<'_>)) -> bool {
        let Some(Reverse(Turn { slot, .. })) = self.turns.pop() else { return false };
        if let Some(Waiting { batch, given, .. }) = self.slots.get_mut(slot) {
            if let Some(&Place { time, processor, at, len }) = batch.places.get(*given) {
                let bytes = batch.bytes.get(at..at + len).unwrap_or_default();
                each(One { time, processor, bytes });
            }
            *given += 1;
        }
        self.queue(slot);
        true
    }

    /// Puts a batch among those that wait for their turn, or lets it go.
    fn queue(&mut self, slot: usize) {
        let Some(waiting) = self.slots.get_mut(slot) else { return };
        let Waiting { batch, session, number, given } = waiting;
        match batch.places.get(*given) {
            Some(place) => {
                let turn = Turn { time: place.time, session: *session, number: *number, slot };
                self.turns.push(Reverse(turn));
            }
            None => {
                self.bytes -= batch.len();
                *waiting = Waiting::default();
                self.free.push(slot);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(times: &[u64]) -> Batch {
        let mut batch = Batch::default();
        for time in times {
            assert!(batch.put(*time, 1, |out| {
                out.push(*time as u8);
                true
            }));
        }
        batch
    }

    fn taken(order: &mut Order, now: u64) -> Vec<u64> {
        let mut times = Vec::new();
        order.take(now, &mut |one| {
            assert_eq!(one.bytes, [one.time as u8]);
            times.push(one.time);
        });
        times
    }

    #[test]
    fn records_wait_for_as_long_as_a_session_may_lag() {
        let mut order = Order::new(100);
        order.put(1, batch(&[10, 20, 30]));
        assert_eq!(taken(&mut order, 100), [0; 0]);
        order.put(0, batch(&[15, 25]));
        assert_eq!(taken(&mut order, 120), [10, 15, 20]);
        order.put(0, batch(&[40]));
        assert_eq!(taken(&mut order, 130), [25, 30]);
    }

    #[test]
    fn the_processors_of_a_session_need_not_be_in_order() {
        let mut order = Order::new(100);
        order.put(0, batch(&[10, 30, 20, 40]));
        order.put(0, batch(&[5, 35]));
        assert_eq!(taken(&mut order, 200), [5, 10, 20, 30, 35, 40]);
    }

    #[test]
    fn of_one_time_the_lower_session_comes_first() {
        let mut order = Order::new(0);
        for session in [2, 0, 1] {
            let mut one = Batch::default();
            assert!(one.put(7, session, |out| {
                out.push(0);
                true
            }));
            order.put(session.into(), one);
        }
        let mut processors = Vec::new();
        order.take(7, &mut |one| processors.push(one.processor));
        assert_eq!(processors, [0, 1, 2]);
    }

    #[test]
    fn at_the_end_nothing_is_left() {
        let mut order = Order::new(100);
        order.put(2, batch(&[30]));
        order.put(0, batch(&[10, 50]));
        order.put(1, Batch::default());
        let mut times = Vec::new();
        order.take_all(&mut |one| times.push(one.time));
        assert_eq!(times, [10, 30, 50]);
        assert_eq!((order.bytes, order.turns.len(), order.free.len()), (0, 0, order.slots.len()));
    }

    #[test]
    fn a_record_that_is_none_takes_no_place() {
        let mut one = Batch::default();
        assert!(!one.put(1, 0, |out| {
            out.push(7);
            false
        }));
        assert_eq!((one.is_empty(), one.count()), (true, 0));
    }
}
