//! What is told of processes whose growth was watched.

use super::Collector;
use crate::collect::agent::clock::now;
use crate::collect::agent::record::{Origin, Payload, Record, StackHash};
use crate::collect::ebpf::growth::Grown;
use crate::collect::ebpf::layout::Slot;
use crate::collect::ebpf::sizes::{areas, sum};
use crate::event::{Address, Bytes, Function};

/// Parts of one process that are told: the rest is of no weight.
const PARTS_MOST: usize = 64;

impl Collector<'_> {
    /// Looks at every process that still runs, and tells each part as one block.
    pub(super) fn tell_growth(&mut self) {
        let running: Vec<Slot> = self.targets.keys().copied().collect();
        for slot in running {
            let image = self.image(slot);
            let Some(target) = self.targets.get(&slot) else { continue };
            let areas = areas(target.pid);
            let mut parts = self.growth.parts(image, target.pid, &areas);
            parts.truncate(PARTS_MOST);
            let mut grown = Grown {
                pid: target.pid,
                name: target.name.clone(),
                first: self.growth.first(image),
                last: sum(&areas),
                parts: Vec::new(),
                lost: self.losses.of(slot).others + self.growth.without_room,
            };
            for (stack, part) in parts {
                let payload = Payload::Alloc {
                    // Each its own: nothing is at stake but the order.
                    address: Address(grown.parts.len() as u64 + 1),
                    size: Bytes(part.bytes),
                    stack: StackHash(stack),
                    function: Function::Unknown,
                };
                let origin = Origin { process: image, tid: 0 };
                self.out.push(Record { stamp: now(), origin, payload });
                grown.parts.push(part);
            }
            self.grown.push(grown);
        }
        self.translator.translate(&mut self.out);
    }

    /// How the processes grew, once the watching is over.
    pub(in crate::collect::ebpf) fn grown(&mut self) -> Vec<Grown> {
        std::mem::take(&mut self.grown)
    }
}
