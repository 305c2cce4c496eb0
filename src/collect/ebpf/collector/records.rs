//! What each record of the probe says: allocations, frees, stacks.

use super::{Collector, NO_IMAGE};
use crate::collect::agent::clock::Stamp;
use crate::collect::agent::procfs;
use crate::collect::agent::record::{
    Generation, Origin, Payload, Record, StackDefinition, StackHash,
};
use crate::collect::ebpf::drain::{self, Copy, Told, Walked};
use crate::collect::ebpf::layout::Slot;
use crate::collect::ebpf::target::Target;
use crate::collect::ebpf::walk::walk;
use crate::event::Lost;

impl Collector<'_> {
    pub(super) fn take(&mut self, record: drain::Record) {
        let drain::Record { stamp, slot, tid, told } = record;
        if stamp > self.until {
            return;
        }
        let image = self.image(slot);
        let origin = Origin { process: image, tid };
        let payload = match told {
            Told::Forked { parent, child } => return self.forked(stamp, parent, child),
            Told::Executed { pid, name } => return self.executed(stamp, pid, &name),
            Told::Ended { pid } => {
                self.met_end(stamp, pid, tid);
                self.thread_ended(stamp, slot, tid);
                return self.ended(pid);
            }
            // What a process still told when its end was seen already.
            _ if image == NO_IMAGE => return,
            // What was probed of it before it was Wine's.
            Told::Alloc { .. } | Told::Free { .. } | Told::OwnFree { .. }
                if self.wine.contains(&slot) =>
            {
                return;
            }
            Told::MapChanged => return self.look_at(slot),
            Told::Stack(walked) => return self.define(origin, slot, *walked),
            Told::Copied(copy) => return self.walk(origin, slot, &copy),
            Told::HeapAlloc { heap, address, size, stack, function } => {
                self.meet_thread(stamp, origin, slot);
                let stack = StackHash(stack);
                Payload::in_heap(heap, Payload::Alloc { address, size, stack, function })
            }
            Told::HeapFree { heap, address, function } => {
                Payload::in_heap(heap, Payload::Free { address, function })
            }
            Told::HeapCreated { heap, stack } => {
                self.meet_thread(stamp, origin, slot);
                Payload::HeapCreated { heap, stack: StackHash(stack) }
            }
            Told::HeapDestroyed { heap } => Payload::HeapDestroyed(heap),
            Told::Alloc { address, size, stack, function } => {
                self.meet_thread(stamp, origin, slot);
                let renamed = self.targets.get(&slot).and_then(|target| target.renamed.get(&stack));
                let function = renamed.copied().unwrap_or(function);
                Payload::Alloc { address, size, stack: StackHash(stack), function }
            }
            Told::Free { address, function } => Payload::Free { address, function },
            Told::OwnFree { address, stack, function } => {
                let target = self.targets.get(&slot);
                if target.is_some_and(|target| target.teardown.contains(&stack)) {
                    return;
                }
                Payload::Free { address, function }
            }
            Told::Touched { address, stack, sp } => {
                return self.growth.touched(image, stamp, address, stack, sp);
            }
            Told::Mapped { address, length, stack } => {
                return self.growth.mapped(image, address, length, stack);
            }
            // The block lives on and is not known any more: nothing will be said of it.
            Told::Kept => Payload::Lost { what: Lost::Allocations, count: 1 },
        };
        self.out.push(Record { stamp, origin, payload });
    }

    /// Takes note of a thread that allocates, and that its process is seen.
    fn meet_thread(&mut self, stamp: Stamp, origin: Origin, slot: Slot) {
        if self.threads.insert((origin.process, origin.tid)) {
            self.name_thread(stamp, origin, slot);
            if let Some(target) = self.targets.get_mut(&slot) {
                target.sight.told = true;
            }
        }
    }

    fn define(&mut self, origin: Origin, slot: Slot, mut walked: Walked) {
        if walked.left_the_map {
            self.look.insert(slot);
        }
        if let Some(target) = self.targets.get_mut(&slot) {
            self.growth.define(walked.name, || target.allocator_on(&walked.frames));
            target.note_teardown(&walked);
            target.name_by_caller(&mut walked);
        }
        let definition = StackDefinition {
            hash: StackHash(walked.name),
            complete: walked.complete,
            generation: Generation(walked.generation),
            frames: walked.frames,
        };
        let payload = Payload::Stack(Box::new(definition));
        self.out.push(Record { stamp: Stamp(0), origin: Origin { tid: 0, ..origin }, payload });
    }

    /// Walks what the probe could not: a stack through code that it had not been told of.
    fn walk(&mut self, origin: Origin, slot: Slot, copy: &Copy) {
        if self.targets.get_mut(&slot).is_some_and(Target::is_to_be_looked_at) {
            self.look_at(slot);
        }
        let Some(target) = self.targets.get(&slot) else { return };
        let (frames, complete) = walk(copy, &target.mappings, |mapping| self.modules.rows(mapping));
        let walked = Walked {
            name: copy.name,
            generation: target.generation,
            complete,
            left_the_map: false,
            frames,
        };
        self.define(origin, slot, walked);
    }

    fn name_thread(&mut self, stamp: Stamp, origin: Origin, slot: Slot) {
        let pid = self.targets.get(&slot).map_or(0, |target| target.pid);
        let name = procfs::thread_name(pid, origin.tid);
        self.out.push(Record { stamp, origin, payload: Payload::ThreadBegan(name) });
    }
}
