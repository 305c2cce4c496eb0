//! Records of heaps and of memory taken from the system, as blocks.

use super::heap::{HeapRecord, Odd};
use super::kind::Kind;
use super::pending::{Hook, Number};
use super::recent::Untold;
use super::record::Record;
use super::spaces::Region;
use super::translate::Translator;
use super::virtual_alloc::Range;
use crate::event::{
    Address, Alloc, Bytes, Free, Function, HeapCreate, HeapId, Metric, Realloc, Sample, StackId,
    What,
};

/// A process whose heaps' first record comes later than this after its start, in nanoseconds, and is not the creation
/// of a heap, is traced since later.
const FIRST_RECORD: u64 = 1_000_000_000;

impl Translator<'_> {
    #[inline]
    pub(super) fn heap(&mut self, record: &Record<'_>) {
        self.tallies.heap += 1;
        let Some(pid) = record.process else {
            self.odd(record, "a record of a heap does not say of which process: lost");
            self.lost_anywhere += 1;
            return;
        };
        let of = match HeapRecord::read(record) {
            Ok(of) => of,
            Err(Odd::Opcode) => return self.unknown.add(record),
            Err(Odd::Length) => {
                let what = "a record of a heap has not the length that goes with its header: lost";
                self.odd(record, what);
                let at = self.at(pid);
                self.id(at);
                self.spaces.lose_event(at);
                return;
            }
        };
        let at = self.at(pid);
        if self.spaces.get(at).heaps_from_start.is_none() {
            self.first_of_heaps(at, record, of);
        }
        let tid = record.thread.unwrap_or_default();
        let (stack, not_taken) = (StackId::NOT_TAKEN, StackId::NOT_TAKEN);
        match of {
            HeapRecord::Alloc { heap, size, address } => {
                self.recent.allocated(tid, address, size);
                self.segment(at, address);
                let function = Function::RtlAllocateHeap;
                let alloc = Alloc { address, size, stack, function, heap };
                self.hold(record, at, Hook::Alloc, Some(What::Alloc(alloc)));
            }
            HeapRecord::Free { heap, address } => {
                self.recent.freed(tid, address);
                let free = Free { address, stack, function: Function::RtlFreeHeap, heap };
                // Freeing NULL does nothing.
                let what = (address != Address(0)).then_some(What::Free(free));
                self.hold(record, at, Hook::Free, what);
            }
            HeapRecord::ReAlloc { heap, new, old, size } => {
                let untold = self.recent.summed_up(tid, old, new, size);
                let function = Function::RtlReAllocateHeap;
                let what = match untold {
                    Untold::Nothing => None,
                    Untold::All => {
                        Some(What::Realloc(Realloc { old, new, size, stack, function, heap }))
                    }
                    Untold::Free => {
                        let stack = not_taken;
                        Some(What::Free(Free { address: old, stack, function, heap }))
                    }
                    Untold::Alloc => {
                        Some(What::Alloc(Alloc { address: new, size, stack, function, heap }))
                    }
                };
                self.tallies.summaries += u64::from(what.is_none());
                self.hold(record, at, Hook::ReAlloc, what);
            }
            HeapRecord::Create { heap, committed } => {
                self.segment(at, Address(heap.0));
                let create = HeapCreate { heap, stack };
                self.hold(record, at, Hook::Create, Some(What::HeapCreate(create)));
                if let Some(committed) = committed {
                    self.commit(at, heap, committed);
                }
            }
            HeapRecord::Destroy { heap } => {
                self.id(at);
                self.say(at, What::HeapDestroy(heap));
                self.spaces.get_mut(at).committed.destroyed(heap);
                self.say_committed(at, false);
            }
            HeapRecord::Resize { heap, address, committed } => {
                self.segment(at, address);
                self.commit(at, heap, committed);
            }
            HeapRecord::Snapshot { heap, committed, pid } => {
                let at = pid.map_or(at, |pid| self.at(pid));
                self.segment(at, Address(heap.0));
                self.commit(at, heap, committed);
            }
            HeapRecord::Other => {}
        }
    }

    /// The first record of a process's heaps.
    #[cold]
    fn first_of_heaps(&mut self, at: usize, record: &Record<'_>, of: HeapRecord) {
        let soon = self.times.ticks(FIRST_RECORD);
        let space = self.spaces.get_mut(at);
        let at_once = space
            .started
            .is_some_and(|started| record.time.0 - started.0.min(record.time.0) <= soon);
        let created = matches!(of, HeapRecord::Create { .. });
        space.heaps_from_start = Some(space.started.is_some() && (at_once || created));
        // It may have been told as seen from its start, by what it took from the system.
        if space.id.is_some() && space.heaps_from_start == Some(false) {
            self.say_process(at);
        }
    }

    fn commit(&mut self, at: usize, heap: HeapId, committed: Bytes) {
        self.id(at);
        self.spaces.get_mut(at).committed.set(heap, committed);
        self.say_committed(at, false);
    }

    pub(super) fn say_committed(&mut self, at: usize, last: bool) {
        let now = self.times.of(self.now);
        let committed = &mut self.spaces.get_mut(at).committed;
        let due = if last { committed.untold(now) } else { committed.due(now) };
        if let Some(value) = due {
            self.say(at, What::Sample(Sample { metric: Metric::HeapCommitted, value }));
        }
    }

    pub(super) fn range(&mut self, record: &Record<'_>) {
        self.tallies.ranges += 1;
        let Some(range) = Range::read(record) else {
            self.odd(
                record,
                "a record of memory taken from the system has not the length that it should: lost",
            );
            self.lost_anywhere += 1;
            return;
        };
        let Range { base, size, pid, .. } = range;
        let (stack, heap) = (StackId::NOT_TAKEN, HeapId::DEFAULT);
        if Kind::of(record) == Kind::VirtualAlloc && range.reserves() && base != Address(0) {
            let at = self.at(pid);
            let function = Function::VirtualAlloc;
            let alloc = Alloc { address: base, size, stack, function, heap };
            let number = self.hold(record, at, Hook::Reserve, Some(What::Alloc(alloc)));
            self.spaces.get_mut(at).regions.insert(base, Region { size, number });
        } else if Kind::of(record) == Kind::VirtualFree && range.releases() {
            let at = self.at(pid);
            // What was taken before the log began, or by a heap, was not told.
            if self.spaces.get_mut(at).regions.remove(&base).is_some() {
                let function = Function::VirtualFree;
                let free = Free { address: base, stack, function, heap };
                self.hold(record, at, Hook::Release, Some(What::Free(free)));
            }
        }
    }

    /// A heap has this address: the memory around it was taken from the system for the heap, whose blocks are
    /// told.
    #[inline]
    fn segment(&mut self, at: usize, address: Address) {
        if !self.spaces.get(at).regions.is_empty() {
            self.find_segment(at, address);
        }
    }

    fn find_segment(&mut self, at: usize, address: Address) {
        let Some((base, region)) = self.spaces.get(at).region(address) else { return };
        if self.pending.get_mut(region.number).is_some() {
            self.forget_range(region.number);
            return;
        }
        self.spaces.get_mut(at).regions.remove(&base);
        self.tallies.segments += 1;
        self.tallies.segment_bytes = self.tallies.segment_bytes.saturating_add(region.size.0);
        let (stack, heap) = (StackId::NOT_TAKEN, HeapId::DEFAULT);
        let function = Function::VirtualFree;
        self.say(at, What::Free(Free { address: base, stack, function, heap }));
    }

    /// Takes back that memory was taken from the system, while that waits.
    pub(super) fn forget_range(&mut self, number: Number) {
        let Some(held) = self.pending.get_mut(number) else { return };
        let at = held.space;
        let Some(What::Alloc(alloc)) = held.event.take().map(|event| event.what) else { return };
        self.spaces.get_mut(at).regions.remove(&alloc.address);
        self.tallies.segments += 1;
        self.tallies.segment_bytes = self.tallies.segment_bytes.saturating_add(alloc.size.0);
    }
}
