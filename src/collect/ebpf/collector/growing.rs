//! What is told of processes whose growth was watched.

use std::collections::BTreeMap;

use super::Collector;
use crate::collect::agent::clock::now;
use crate::collect::agent::record::{Origin, Payload, Record, StackHash};
use crate::collect::ebpf::growth::{Grown, Part};
use crate::collect::ebpf::layout::Slot;
use crate::collect::ebpf::sizes::{areas, sum};
use crate::event::{Address, Bytes, Function};

/// Parts of one process that are told with their stacks.
const PARTS_MOST: usize = 64;
/// No stack's name.
const NO_STACK: u64 = 0;

impl Collector<'_> {
    /// Measures each process at the moment up to which is told what it touches: it may grow on at any pace.
    pub(super) fn measure_last(&mut self) {
        for (slot, target) in &self.targets {
            if let Some(image) = self.images.get(slot.0 as usize) {
                self.growth.measured_last(*image, now());
            }
            self.last.insert(*slot, areas(target.pid));
        }
    }

    /// Looks at every process that still runs, and tells each part as one block.
    pub(super) fn tell_growth(&mut self) {
        let running: Vec<Slot> = self.targets.keys().copied().collect();
        for slot in running {
            let image = self.image(slot);
            let Some(target) = self.targets.get(&slot) else { continue };
            let Some(areas) = self.last.remove(&slot) else { continue };
            let mut parts = self.growth.parts(image, target.pid, &areas);
            fold_small(&mut parts);
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

/// Puts the small ones together, by kind and by whose they are: many together may be most of it, as where something
/// calls itself.
fn fold_small(parts: &mut Vec<(u64, Part)>) {
    let small = parts.split_off(parts.len().min(PARTS_MOST));
    let mut sums = BTreeMap::new();
    for (_, Part { kind, whose, bytes }) in small {
        *sums.entry((kind, whose)).or_default() += bytes;
    }
    let folded = sums.into_iter().map(|((kind, whose), bytes)| Part { kind, whose, bytes });
    parts.extend(folded.map(|part| (NO_STACK, part)));
    parts.sort_by_key(|(_, part)| std::cmp::Reverse(part.bytes));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::ebpf::growth::Whose;
    use crate::collect::ebpf::sizes::Kind;

    #[test]
    fn small_parts_are_summed_and_none_is_lost() {
        let part = |bytes| Part { kind: Kind::Stack, whose: Whose::Older, bytes };
        let mut parts: Vec<(u64, Part)> = (1..=500).map(|n| (n, part(4096))).collect();
        fold_small(&mut parts);
        assert_eq!(parts.len(), PARTS_MOST + 1);
        assert_eq!(parts[0], (NO_STACK, part(436 * 4096)));
        assert_eq!(parts.iter().map(|(_, part)| part.bytes).sum::<u64>(), 500 * 4096);
    }
}
