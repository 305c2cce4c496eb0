//! A trace cut down to the suspects' events. Blocks of other sites are counted instead of told one by one: from epoch to epoch,
//! by process and stack, with sizes and lifetimes, so that what the process did as a whole stays known. Everything else
//! stays as it is. Whether the verdicts are exactly the same is not promised: whoever cuts, judges again and compares.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use crate::event::{
    Address, Alloc, Bytes, Event, Free, HeapId, ProcessId, StackId, Tally, Tid, Time, What,
};

/// Cuts event by event.
#[derive(Debug, Default)]
pub struct Cut {
    kept: BTreeSet<(ProcessId, StackId)>,
    blocks: FxHashMap<(ProcessId, Address), Block>,
    counts: BTreeMap<(ProcessId, StackId), Tally>,
    /// When the counts began.
    since: Time,
}

/// A live block.
#[derive(Clone, Copy, Debug)]
struct Block {
    stack: StackId,
    size: u64,
    born: Time,
    heap: HeapId,
    kept: bool,
}

impl Cut {
    /// One that keeps the blocks of these sites.
    pub fn new(kept: BTreeSet<(ProcessId, StackId)>) -> Self {
        Cut { kept, ..Cut::default() }
    }

    /// Takes an event, and gives those that stand for it, and for what was counted before it.
    pub fn event(&mut self, event: &Event, out: &mut Vec<Event>) {
        let (time, process) = (event.time, event.process);
        match &event.what {
            What::Alloc(alloc) => {
                if self.born(time, process, alloc) {
                    out.push(event.clone());
                }
            }
            What::Free(free) => match self.blocks.remove(&(process, free.address)) {
                Some(block) if !block.kept => self.died(time, process, block),
                _ => out.push(event.clone()),
            },
            What::Realloc(realloc) => {
                let old = self.blocks.remove(&(process, realloc.old));
                let (address, size, stack) = (realloc.new, realloc.size, realloc.stack);
                let (function, heap) = (realloc.function, realloc.heap);
                let alloc = Alloc { address, size, stack, function, heap };
                let told = old.is_none_or(|block| block.kept);
                if let Some(block) = old.filter(|block| !block.kept) {
                    self.died(time, process, block);
                }
                match (told, self.born(time, process, &alloc)) {
                    (true, true) => out.push(event.clone()),
                    (true, false) => {
                        let stack = StackId::NOT_TAKEN;
                        let free = Free { address: realloc.old, stack, function, heap };
                        out.push(Event { what: What::Free(free), ..event.clone() });
                    }
                    (false, true) => out.push(Event { what: What::Alloc(alloc), ..event.clone() }),
                    (false, false) => {}
                }
            }
            What::HeapDestroy(heap) => {
                let gone = |(at, block): (&(ProcessId, Address), &Block)| {
                    (at.0 == process && block.heap == *heap).then_some(*at)
                };
                let gone: Vec<_> = self.blocks.iter().filter_map(gone).collect();
                for at in gone {
                    match self.blocks.remove(&at) {
                        Some(block) if !block.kept => self.died(time, process, block),
                        _ => {}
                    }
                }
                self.flush(time, out);
                out.push(event.clone());
            }
            // What judges, and what asks what lives, must know of all before.
            What::Epoch | What::ProcessExit(_) | What::Process(_) | What::Scan(_) => {
                self.flush(time, out);
                out.push(event.clone());
            }
            _ => out.push(event.clone()),
        }
    }

    /// Whether the block is to be told.
    fn born(&mut self, time: Time, process: ProcessId, alloc: &Alloc) -> bool {
        let at = (process, alloc.address);
        let kept = alloc.address == Address(0) || self.kept.contains(&(process, alloc.stack));
        let (stack, size) = (alloc.stack, alloc.size.0);
        let block = Block { stack, size, born: time, heap: alloc.heap, kept };
        if let Some(old) = self.blocks.insert(at, block).filter(|old| !old.kept) {
            self.died(time, process, old);
        }
        if !kept {
            let tally = self.tally(process, stack);
            tally.allocated += 1;
            tally.allocated_bytes.0 = tally.allocated_bytes.0.saturating_add(size);
            let (least, most) = tally.sizes.unwrap_or((Bytes(size), Bytes(size)));
            tally.sizes = Some((least.min(Bytes(size)), most.max(Bytes(size))));
        }
        kept
    }

    fn died(&mut self, time: Time, process: ProcessId, block: Block) {
        let lived = time.0.saturating_sub(block.born.0).max(1).ilog2() as usize;
        let tally = self.tally(process, block.stack);
        tally.freed += 1;
        tally.freed_bytes.0 = tally.freed_bytes.0.saturating_add(block.size);
        if tally.lifetimes.len() <= lived {
            tally.lifetimes.resize(lived + 1, 0);
        }
        tally.lifetimes[lived] += 1;
    }

    fn tally(&mut self, process: ProcessId, stack: StackId) -> &mut Tally {
        let since = self.since;
        self.counts.entry((process, stack)).or_insert_with(|| Tally {
            stack,
            since,
            allocated: 0,
            allocated_bytes: Bytes(0),
            freed: 0,
            freed_bytes: Bytes(0),
            sizes: None,
            lifetimes: Vec::new(),
            resolution: Time(0),
            estimated: false,
        })
    }

    /// Gives what was counted so far.
    pub fn flush(&mut self, time: Time, out: &mut Vec<Event>) {
        let counts = std::mem::take(&mut self.counts);
        out.extend(counts.into_iter().map(|((process, _), tally)| {
            let what = What::Tally(Box::new(tally));
            Event { time, process, thread: Tid(0), what }
        }));
        self.since = time;
    }
}
