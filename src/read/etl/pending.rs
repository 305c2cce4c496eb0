//! Events that wait for their stacks, in order of time. A stack's record comes shortly after the record it belongs to;
//! where stacks are keys, what a key stands for may come as late as the log's end.

use std::collections::VecDeque;

use super::record::Ticks;
use crate::event::Event;

/// The fewest that stay back, so that the first stack of a kind of record finds its record.
const FEWEST: usize = 64;

/// The most events that wait for a stack's record.
const MOST: usize = 1 << 16;

/// The most events that are held while one waits for what a key stands for.
const MOST_KEYED: usize = 1 << 20;

/// So many records of one time are looked through for that of a stack.
const MOST_AT_ONCE: usize = 1 << 12;

/// Which kind of record may have a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "each is what it is named after")]
pub enum Hook {
    Create,
    Alloc,
    ReAlloc,
    Free,
    Reserve,
    Release,
    /// Of none that has one.
    None,
}

/// How many kinds there are.
pub const HOOKS: usize = 7;

/// What an event waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Nothing.
    Ready,
    /// Its stack's record; or, where its part in the kernel came, the rest.
    Stack,
    /// What a key stands for.
    Key,
}

/// An event that waits.
#[derive(Clone, Debug)]
pub struct Held {
    /// It; none where nothing is to be told, but a stack may come.
    pub event: Option<Event>,
    /// When its record was logged, in units of the log's clock.
    pub ticks: Ticks,
    /// The place of its process.
    pub space: usize,
    /// What kind of record it was.
    pub hook: Hook,
    /// What it waits for.
    pub wait: Wait,
    /// The thread that logged it, which is not always that of the event.
    pub tid: u32,
}

/// The number of a held event, which it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(u64);

/// The events that wait.
#[derive(Debug, Default)]
pub struct Pending {
    queue: VecDeque<Held>,
    gone: u64,
    /// How many wait for a key.
    keyed: usize,
}

impl Pending {
    /// Adds the latest.
    #[inline]
    pub fn push(&mut self, held: Held) -> Number {
        self.queue.push_back(held);
        Number(self.gone + self.queue.len() as u64 - 1)
    }

    /// A held event; `None` once it is gone.
    pub fn get_mut(&mut self, number: Number) -> Option<&mut Held> {
        self.queue.get_mut(usize::try_from(number.0.checked_sub(self.gone)?).ok()?)
    }

    /// Whether an event is still held.
    pub fn holds(&self, number: Number) -> bool {
        number.0 >= self.gone
    }

    /// The event whose record was logged then by this thread.
    #[inline]
    pub fn find(&mut self, ticks: Ticks, tid: u32) -> Option<Number> {
        let is = |held: &Held| held.ticks == ticks && held.tid == tid && held.hook != Hook::None;
        // Mostly it is one of the last. Of several of one time it is the latest: a stack follows its record.
        let last = self.queue.iter().rev().take(4).position(is);
        let at = match last {
            Some(back) => Some(self.queue.len() - 1 - back),
            None => {
                let end = self.queue.partition_point(|held| held.ticks <= ticks);
                let same = self.queue.range(..end).rev().take(MOST_AT_ONCE);
                let mut same = same.take_while(|held| held.ticks == ticks);
                same.position(is).map(|back| end - 1 - back)
            }
        };
        at.map(|at| Number(self.gone + at as u64))
    }

    /// An event waits for a key now, or no more.
    pub fn wait(&mut self, number: Number, wait: Wait) {
        let Some(held) = self.get_mut(number) else { return };
        let before = std::mem::replace(&mut held.wait, wait);
        self.keyed += usize::from(wait == Wait::Key);
        self.keyed -= usize::from(before == Wait::Key);
    }

    /// Takes the first event out if it waits no more, or too long: longer than until `until`.
    #[inline]
    pub fn pop(&mut self, until: Ticks) -> Option<Held> {
        let len = self.queue.len();
        let first = self.queue.front()?;
        let due = match first.wait {
            Wait::Ready => len > FEWEST || first.ticks < until,
            Wait::Stack if self.keyed == 0 => len > MOST || first.ticks < until,
            Wait::Stack => len > MOST_KEYED || first.ticks < until,
            Wait::Key => len > MOST_KEYED || until == Ticks(u64::MAX),
        };
        if !due {
            return None;
        }
        self.keyed -= usize::from(first.wait == Wait::Key);
        self.gone += 1;
        self.queue.pop_front()
    }
}
