//! Events handed on in order of time, once their stacks have come or are given up; and the epochs between them.

use super::pending::{Held, Wait};
use super::record::Ticks;
use super::translate::Translator;
use crate::event::{Event, ProcessId, StackId, Tid, Time, What};

/// An epoch is at least this long, in nanoseconds.
pub(super) const EPOCH: u64 = 1_000_000_000;

impl Translator<'_> {
    /// Hands on what waits no more, up to `most` events.
    #[inline]
    pub fn hand_on(&mut self, out: &mut Vec<Event>, most: usize) {
        let until = Ticks(self.now.0.saturating_sub(self.window));
        while out.len() < most {
            match self.pending.pop(until) {
                Some(held) => self.emit(held, out),
                None => return,
            }
        }
    }

    /// Hands on what waits, at the end; false once nothing is left.
    pub(super) fn hand_on_rest(&mut self, out: &mut Vec<Event>, most: usize) -> bool {
        while out.len() < most {
            match self.pending.pop(Ticks(u64::MAX)) {
                Some(held) => self.emit(held, out),
                None => return false,
            }
        }
        true
    }

    #[inline]
    fn emit(&mut self, held: Held, out: &mut Vec<Event>) {
        let Held { event, space, hook, wait, .. } = held;
        let walked = &mut self.walked[hook as usize];
        let missing = match wait {
            Wait::Ready => false,
            Wait::Stack => {
                walked.missed += 1;
                walked.came > 0
            }
            Wait::Key => true,
        };
        let Some(mut event) = event else { return };
        if missing {
            self.spaces.lose_stack(space);
            set(&mut event.what, StackId::LOST);
        }
        if event.time >= self.epoch {
            self.end_epoch(event.time, out);
        }
        self.last = event.time;
        let time = event.time;
        if let Some(stack) = stack_of(&event.what).filter(|stack| self.stacks.is_untold(*stack)) {
            let (process, thread) = (event.process, event.thread);
            let nodes = self.stacks.untold(stack);
            out.extend(nodes.map(|node| Event { time, process, thread, what: What::Stack(node) }));
        }
        out.push(event);
    }

    #[cold]
    fn end_epoch(&mut self, time: Time, out: &mut Vec<Event>) {
        let end = Time(time.0 / EPOCH * EPOCH);
        self.last = self.last.max(end);
        self.say_losses(out);
        out.push(Event {
            time: self.last,
            process: ProcessId(0),
            thread: Tid(0),
            what: What::Epoch,
        });
        self.epoch = Time(end.0.saturating_add(EPOCH));
    }
}

/// The stack of an event.
#[inline]
fn stack_of(what: &What) -> Option<StackId> {
    Some(match what {
        What::Alloc(alloc) => alloc.stack,
        What::Free(free) => free.stack,
        What::Realloc(realloc) => realloc.stack,
        What::HeapCreate(create) => create.stack,
        _ => return None,
    })
}

/// Gives an event its stack.
#[inline]
pub(super) fn set(what: &mut What, stack: StackId) {
    match what {
        What::Alloc(alloc) => alloc.stack = stack,
        What::Free(free) => free.stack = stack,
        What::Realloc(realloc) => realloc.stack = stack,
        What::HeapCreate(create) => create.stack = stack,
        _ => {}
    }
}
