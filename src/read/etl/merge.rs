//! Buffers that wait for their turn, and which of them holds the earliest record.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::mem;

use super::held::{Held, Place};
use super::record::Ticks;

/// Buffers that wait for their turn.
#[derive(Debug, Default)]
pub(super) struct Merge {
    slots: Vec<Held>,
    /// Slots with nothing in them.
    free: Vec<usize>,
    /// Memory of buffers that were handed out to their end.
    spare: Vec<Held>,
    /// By the time of their next record. The current one is not among them.
    waiting: BinaryHeap<Reverse<Turn>>,
    current: Option<usize>,
    /// What the buffers take that wait.
    footprint: usize,
}

/// When it is a buffer's turn; of equal times the earlier in the file comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    time: Ticks,
    offset: u64,
    slot: usize,
}

impl Merge {
    /// Memory for a buffer.
    pub fn spare(&mut self) -> Held {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes a buffer up.
    pub fn put(&mut self, held: Held) {
        self.footprint += held.footprint();
        let slot = self.free.pop().unwrap_or(self.slots.len());
        if slot == self.slots.len() {
            self.slots.push(held);
        } else if let Some(place) = self.slots.get_mut(slot) {
            *place = held;
        }
        self.queue(slot);
    }

    /// Puts the current buffer back among those that wait.
    pub fn rest(&mut self) {
        if let Some(slot) = self.current.take() {
            self.queue(slot);
        }
    }

    /// Changes the current buffer, if it has another record, for that of those that wait whose record is earlier; `false` if
    /// it has none, or none waits. Of processors that log at once each has its turn for few records.
    pub fn swap(&mut self) -> bool {
        let Some(turn) = self.turn() else { return false };
        let Some(mut first) = self.waiting.peek_mut() else { return false };
        if first.0 < turn {
            self.current = Some(mem::replace(&mut *first, Reverse(turn)).0.slot);
        }
        true
    }

    /// When it is the turn of the current buffer.
    fn turn(&self) -> Option<Turn> {
        let slot = self.current?;
        let held = self.slots.get(slot)?;
        Some(Turn { time: held.next()?.time, offset: held.offset.0, slot })
    }

    /// Makes that buffer the current one whose next record is the earliest.
    pub fn pick(&mut self) -> bool {
        self.current = self.waiting.pop().map(|Reverse(turn)| turn.slot);
        self.current.is_some()
    }

    /// The time of the earliest record in the buffers that wait.
    pub fn waiting(&self) -> Option<Ticks> {
        self.waiting.peek().map(|Reverse(turn)| turn.time)
    }

    /// The time of the earliest record in all buffers.
    pub fn earliest(&self) -> Option<Ticks> {
        let current = self.turn().map(|turn| turn.time);
        current.into_iter().chain(self.waiting()).min()
    }

    /// Memory that is held, in bytes.
    pub fn footprint(&self) -> usize {
        self.footprint
    }

    /// The current buffer.
    #[inline]
    pub fn current(&mut self) -> Option<&mut Held> {
        self.slots.get_mut(self.current?)
    }

    fn queue(&mut self, slot: usize) {
        let Some(held) = self.slots.get_mut(slot) else { return };
        match held.next() {
            Some(Place { time, .. }) => {
                self.waiting.push(Reverse(Turn { time, offset: held.offset.0, slot }));
            }
            None => {
                self.footprint -= held.footprint();
                self.spare.push(mem::take(held));
                self.free.push(slot);
            }
        }
    }
}
