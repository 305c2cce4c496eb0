//! Blocks and times as lines, which wait in a spool until what they refer to is written.

use std::io::{self, Write};

use rustc_hash::FxHashMap;

use super::super::Spool;
use crate::event::{
    Address, Alloc, Bytes, Event, HeapId, Metric, ProcessId, StackId, Tally, Time, What,
};

/// Times stand at least so many milliseconds apart.
const TICK: u64 = 10;
/// Resident memory is in units of this.
pub(super) const PAGE: u64 = 4096;

/// How much is written at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Most {
    /// Blocks: a file of some ten gigabytes.
    pub blocks: u64,
    /// Sizes by stack: memory of some hundred megabytes.
    pub classes: usize,
}

pub(super) const MOST: Most = Most { blocks: 1 << 30, classes: 1 << 22 };

/// Blocks of one size and stack.
pub(super) type Class = (u64, StackId);

/// Classes, numbered in the order of their first use.
#[derive(Default)]
pub(super) struct Classes {
    numbers: FxHashMap<Class, u32>,
    pub in_order: Vec<Class>,
}

/// How the spool says that a counted block was freed: its class is one of those that are numbered after all that
/// are allocated.
pub(super) const COUNTED_FREE: u8 = b'_';

impl Classes {
    fn number(&mut self, class: Class, most: usize) -> io::Result<u32> {
        if let Some(known) = self.numbers.get(&class) {
            return Ok(*known);
        }
        if self.in_order.len() >= most {
            return Err(too_large(format!("its blocks have more than {most} sizes, by stack")));
        }
        let next = self.in_order.len() as u32;
        self.in_order.push(class);
        self.numbers.insert(class, next);
        Ok(next)
    }
}

/// What was written of blocks.
pub(super) struct Blocks<'a> {
    pub spool: io::BufWriter<&'a mut dyn Spool>,
    /// What is allocated. heaptrack_gui wants each of these allocated for the first time in the order of their numbers.
    pub allocated: Classes,
    /// What is freed of counted blocks: an allocation that is freed at once would count as temporary if both were
    /// of one class.
    pub freed: Classes,
    blocks: FxHashMap<(ProcessId, Address), (u32, HeapId)>,
    /// Live blocks by stack.
    live: FxHashMap<StackId, u64>,
    stamp: u64,
    pub allocations: u64,
    pub live_blocks: u64,
    pub live_bytes: u64,
    pub most: Most,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(spool: &'a mut dyn Spool) -> Self {
        Blocks {
            spool: io::BufWriter::new(spool),
            allocated: Classes::default(),
            freed: Classes::default(),
            blocks: FxHashMap::default(),
            live: FxHashMap::default(),
            stamp: 0,
            allocations: 0,
            live_blocks: 0,
            live_bytes: 0,
            most: MOST,
        }
    }

    /// Takes what is told of blocks; `known` is the stack as the file has it.
    pub(super) fn event(
        &mut self,
        event: &Event,
        known: impl Fn(StackId) -> StackId,
    ) -> io::Result<()> {
        let process = event.process;
        match &event.what {
            What::Sample(sample) if sample.metric == Metric::Rss => {
                self.stamp(event.time)?;
                writeln!(self.spool, "R {:x}", sample.value / PAGE)
            }
            What::Alloc(alloc) => self.alloc(event.time, process, alloc, known),
            What::Free(free) => self.free(event.time, (process, free.address)),
            What::Realloc(realloc) => {
                self.free(event.time, (process, realloc.old))?;
                let (address, size, stack) = (realloc.new, realloc.size, realloc.stack);
                let (function, heap) = (realloc.function, realloc.heap);
                self.alloc(
                    event.time,
                    process,
                    &Alloc { address, size, stack, function, heap },
                    known,
                )
            }
            What::Tally(tally) => self.tally(event.time, tally, known),
            What::HeapCreate(heap) => {
                let alloc = Alloc {
                    address: Address(heap.heap.0),
                    size: Bytes(0),
                    stack: heap.stack,
                    function: Default::default(),
                    heap: HeapId::DEFAULT,
                };
                self.alloc(event.time, process, &alloc, known)
            }
            What::HeapDestroy(heap) => {
                let within = |(at, (_, of)): (&(ProcessId, Address), &(u32, HeapId))| {
                    (at.0 == process && of == heap).then_some(*at)
                };
                let mut gone: Vec<_> = self.blocks.iter().filter_map(within).collect();
                gone.sort_unstable();
                gone.push((process, Address(heap.0)));
                gone.into_iter().try_for_each(|at| self.free(event.time, at))
            }
            _ => Ok(()),
        }
    }

    fn alloc(
        &mut self,
        time: Time,
        process: ProcessId,
        alloc: &Alloc,
        known: impl Fn(StackId) -> StackId,
    ) -> io::Result<()> {
        // NULL is a failed allocation, not a block.
        if alloc.address == Address(0) {
            return Ok(());
        }
        let at = (process, alloc.address);
        self.free(time, at)?;
        self.stamp(time)?;
        self.room_for(1)?;
        let class = self.allocated.number((alloc.size.0, known(alloc.stack)), self.most.classes)?;
        self.blocks.insert(at, (class, alloc.heap));
        self.born(class)
    }

    fn free(&mut self, time: Time, at: (ProcessId, Address)) -> io::Result<()> {
        let Some((class, _)) = self.blocks.remove(&at) else { return Ok(()) };
        self.stamp(time)?;
        self.gone(self.allocated.in_order[class as usize]);
        writeln!(self.spool, "- {class:x}")
    }

    /// Blocks that were counted. Where as many were freed as allocated, they are the same.
    fn tally(
        &mut self,
        time: Time,
        tally: &Tally,
        known: impl Fn(StackId) -> StackId,
    ) -> io::Result<()> {
        self.room_for(tally.allocated)?;
        self.stamp(time)?;
        let stack = known(tally.stack);
        let pairs = tally.allocated == tally.freed && tally.allocated_bytes == tally.freed_bytes;
        for (size, blocks) in shared(tally.allocated_bytes.0, tally.allocated) {
            if blocks == 0 {
                continue;
            }
            let born = self.allocated.number((size, stack), self.most.classes)?;
            for _ in 0..blocks {
                self.born(born)?;
                if pairs {
                    self.died((size, stack))?;
                }
            }
        }
        if pairs {
            return Ok(());
        }
        let freed = tally.freed.min(self.live.get(&stack).copied().unwrap_or(0));
        for (size, blocks) in shared(tally.freed_bytes.0, freed) {
            (0..blocks).try_for_each(|_| self.died((size, stack)))?;
        }
        Ok(())
    }

    fn room_for(&self, blocks: u64) -> io::Result<()> {
        let most = self.most.blocks;
        match self.allocations.checked_add(blocks) {
            Some(sum) if sum <= most => Ok(()),
            _ => Err(too_large(format!(
                "it has more than {most} allocations, and heaptrack's form has a line for each"
            ))),
        }
    }

    fn born(&mut self, class: u32) -> io::Result<()> {
        let (size, stack) = self.allocated.in_order[class as usize];
        *self.live.entry(stack).or_default() += 1;
        self.allocations += 1;
        self.live_blocks += 1;
        self.live_bytes = self.live_bytes.saturating_add(size);
        writeln!(self.spool, "+ {class:x}")
    }

    /// A counted block is freed.
    fn died(&mut self, class: Class) -> io::Result<()> {
        self.gone(class);
        let number = self.freed.number(class, self.most.classes)?;
        writeln!(self.spool, "{} {number:x}", char::from(COUNTED_FREE))
    }

    fn gone(&mut self, (size, stack): Class) {
        if let Some(live) = self.live.get_mut(&stack) {
            *live = live.saturating_sub(1);
        }
        self.live_blocks = self.live_blocks.saturating_sub(1);
        self.live_bytes = self.live_bytes.saturating_sub(size);
    }

    /// Writes the time, where the last one is too long ago.
    fn stamp(&mut self, time: Time) -> io::Result<()> {
        let now = time.0 / 1_000_000;
        if now < self.stamp.saturating_add(TICK) {
            return Ok(());
        }
        self.stamp = now;
        writeln!(self.spool, "c {now:x}")
    }

    /// Writes the time of the end.
    pub(super) fn end(&mut self, last: Time) -> io::Result<()> {
        writeln!(self.spool, "c {:x}", (last.0 / 1_000_000).max(self.stamp))
    }
}

/// So many blocks of so many bytes together, in at most two sizes.
fn shared(bytes: u64, blocks: u64) -> [(u64, u64); 2] {
    let size = bytes.checked_div(blocks).unwrap_or(0);
    let larger = bytes.checked_rem(blocks).unwrap_or(0);
    [(size, blocks - larger), (size.saturating_add(1), larger)]
}

fn too_large(why: String) -> io::Error {
    let what = format!("{why}: record a shorter time, or a sample (`unfreed record --sample`)");
    io::Error::new(io::ErrorKind::FileTooLarge, what)
}
