//! What an interpreted file says of blocks: how many of each class came and went between two times. A class is one
//! size at one stack; which of its blocks went is not known, so they are told as tallies, stack by stack.

use crate::event::{Bytes, StackId, Tally, Time};

/// One size at one stack.
#[derive(Clone, Copy, Debug)]
struct Class {
    trace: u32,
    size: u64,
}

/// What happened at one stack since it was told last.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// Blocks that live.
    live: u64,
    allocated: u64,
    allocated_bytes: u64,
    freed: u64,
    freed_bytes: u64,
    /// The smallest and the largest size allocated.
    sizes: Option<(u64, u64)>,
}

impl Count {
    fn is_told(&self) -> bool {
        self.allocated == 0 && self.freed == 0
    }
}

/// All classes, and the counts that are not told yet.
#[derive(Debug, Default)]
pub(super) struct Counts {
    classes: Vec<Class>,
    /// By trace.
    counts: Vec<Count>,
    /// The traces whose counts are not told, in order of what happened there.
    untold: Vec<u32>,
}

impl Counts {
    /// What a class takes, in bytes.
    pub(super) const CLASS: usize = size_of::<Class>();
    /// What a trace takes.
    pub(super) const TRACE: usize = size_of::<Count>();

    /// Defines the next class. A trace counts from 1; who defines one that is unknown gives 0.
    pub(super) fn define(&mut self, size: u64, trace: u32) {
        let traces = trace as usize + 1;
        if self.counts.len() < traces {
            self.counts.resize(traces, Count::default());
        }
        self.classes.push(Class { trace, size });
    }

    /// A block of this class was allocated; false where there is no such class.
    pub(super) fn allocated(&mut self, class: u64) -> bool {
        let Some(Class { trace, size }) = find(&self.classes, class) else { return false };
        let count = &mut self.counts[trace as usize];
        if count.is_told() {
            self.untold.push(trace);
        }
        count.live += 1;
        count.allocated += 1;
        count.allocated_bytes = count.allocated_bytes.saturating_add(size);
        let (least, most) = count.sizes.unwrap_or((size, size));
        count.sizes = Some((least.min(size), most.max(size)));
        true
    }

    /// One was freed; false where there is no such class, or no block of its stack lives.
    pub(super) fn freed(&mut self, class: u64) -> bool {
        let Some(Class { trace, size }) = find(&self.classes, class) else { return false };
        let count = &mut self.counts[trace as usize];
        let Some(live) = count.live.checked_sub(1) else { return false };
        count.live = live;
        if count.is_told() {
            self.untold.push(trace);
        }
        count.freed += 1;
        count.freed_bytes = count.freed_bytes.saturating_add(size);
        true
    }

    /// Whether anything is not told yet.
    pub(super) fn is_empty(&self) -> bool {
        self.untold.is_empty()
    }

    /// Tells what happened since `since`, by stack.
    pub(super) fn tell(
        &mut self,
        since: Time,
        stack: impl Fn(u32) -> StackId,
        mut to: impl FnMut(Tally),
    ) {
        for trace in self.untold.drain(..) {
            let count = &mut self.counts[trace as usize];
            to(Tally {
                stack: stack(trace),
                since,
                allocated: count.allocated,
                allocated_bytes: Bytes(count.allocated_bytes),
                freed: count.freed,
                freed_bytes: Bytes(count.freed_bytes),
                sizes: count.sizes.map(|(least, most)| (Bytes(least), Bytes(most))),
                lifetimes: Vec::new(),
                resolution: Time(0),
                estimated: false,
            });
            *count = Count { live: count.live, ..Count::default() };
        }
    }
}

fn find(classes: &[Class], class: u64) -> Option<Class> {
    classes.get(usize::try_from(class).ok()?).copied()
}
