//! Who takes a source's events, and may tell it which blocks live: the one thing that a source has to ask
//! for. Events go one way; a scan needs the sizes and stacks of all live blocks at one moment, and whoever
//! folds events has these already. To keep them a second time would double the memory of a trace.

use std::io;

use crate::event::{Address, Bytes, Event, ProcessId, StackId, Time};

/// Takes events.
pub trait Sink {
    /// Takes the next event.
    ///
    /// # Errors
    /// It could not be taken; no more are given.
    fn take(&mut self, event: &Event) -> io::Result<()>;

    /// Hands out every block of a process that lives after all events taken so far, in any order;
    /// `None` where nobody keeps them.
    fn living(&self, process: ProcessId, each: &mut dyn FnMut(Living)) -> Option<Coverage> {
        let _ = (process, each);
        None
    }
}

impl<F: FnMut(&Event) -> io::Result<()>> Sink for F {
    fn take(&mut self, event: &Event) -> io::Result<()> {
        self(event)
    }
}

/// One live block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Living {
    /// Where it begins.
    pub address: Address,
    /// Its size as requested.
    pub size: Bytes,
    /// Its stack.
    pub stack: StackId,
    /// The beginning of the span of time in which it was allocated: blocks of a stack and a span are told
    /// together.
    pub born: Time,
}

/// Whether the blocks handed out are all that the process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// They are.
    Whole,
    /// It may have others: older than the trace, not in the sample, lost.
    Part,
}
