//! Who makes a process's memory grow: which pages were touched first, by which stacks, in memory that which stacks had mapped.
//! In the end the kernel is asked which of these pages are still there.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::sizes::{Area, Kind, Sizes};
use crate::collect::agent::clock::Stamp;

const PAGE: u64 = 4096;
const HUGE: u64 = 2 << 20;
/// Pages of all processes that are kept in mind.
const PAGES_MOST: usize = 8 << 20;
/// A fault so near to the stack pointer is one of a stack that grows.
const STACK_NEAR: u64 = 64 << 10;

/// Whose memory it is that grew.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whose {
    /// An allocator's, of this module: a trace of allocations says more.
    Allocator(Arc<str>),
    /// The program's, which mapped it past all allocators.
    Mapped,
    /// It was mapped before anybody looked.
    Older,
}

/// What one stack has made grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What kind of memory.
    pub kind: Kind,
    /// Whose.
    pub whose: Whose,
    /// How much of it is there in the end.
    pub bytes: u64,
}

/// How a process grew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grown {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// How large it was as it was seen first.
    pub first: Sizes,
    /// How large it is in the end.
    pub last: Sizes,
    /// By whom, largest first.
    pub parts: Vec<Part>,
    /// What was told of it and lost.
    pub lost: u64,
}

#[derive(Clone, Copy, Debug)]
struct Touch {
    stack: u64,
    near_stack: bool,
}

/// What is known so far, by image.
#[derive(Debug, Default)]
pub(super) struct Growth {
    pages: FxHashMap<u32, FxHashMap<u64, Touch>>,
    kept: usize,
    /// Pages for which there was no room.
    pub(super) without_room: u64,
    ranges: FxHashMap<u32, BTreeMap<u64, (u64, u64)>>,
    /// How large each was at first.
    first: FxHashMap<u32, Sizes>,
    /// Between its two measurements: what was touched before was there at first, and what is touched after is not there in
    /// the end, as far as is told.
    between: FxHashMap<u32, Range<Stamp>>,
    /// Stacks on which an allocator is.
    allocators: FxHashMap<u64, Arc<str>>,
}

impl Growth {
    /// It was so large from this moment on.
    pub(super) fn begin(&mut self, image: u32, at: Stamp, sizes: Sizes) {
        self.first.insert(image, sizes);
        self.between.insert(image, at..Stamp(u64::MAX));
    }

    /// Its last measurement begins.
    pub(super) fn measured_last(&mut self, image: u32, at: Stamp) {
        if let Some(between) = self.between.get_mut(&image) {
            between.end = at;
        }
    }

    /// Its memory is gone.
    pub(super) fn end(&mut self, image: u32) {
        self.first.remove(&image);
        self.between.remove(&image);
        self.ranges.remove(&image);
        self.kept -= self.pages.remove(&image).map_or(0, |pages| pages.len());
    }

    pub(super) fn touched(&mut self, image: u32, at: Stamp, address: u64, stack: u64, sp: u64) {
        if !self.between.get(&image).is_some_and(|between| between.contains(&at)) {
            return;
        }
        if self.kept >= PAGES_MOST {
            self.without_room += 1;
            return;
        }
        let touch = Touch { stack, near_stack: address.abs_diff(sp) < STACK_NEAR };
        // Whoever touches it anew has it, since it was given back in between.
        let before = self.pages.entry(image).or_default().insert(address & !(PAGE - 1), touch);
        self.kept += usize::from(before.is_none());
    }

    pub(super) fn mapped(&mut self, image: u32, address: u64, length: u64, stack: u64) {
        // The kernel's errors are the highest addresses.
        let Some(end) = address.checked_add(length).filter(|end| *end < 1 << 63) else { return };
        self.ranges.entry(image).or_default().insert(address, (end, stack));
    }

    pub(super) fn define(&mut self, stack: u64, allocator: impl FnOnce() -> Option<Arc<str>>) {
        if let Some(allocator) = allocator() {
            self.allocators.insert(stack, allocator);
        }
    }

    /// How large an image was at first.
    pub(super) fn first(&self, image: u32) -> Sizes {
        self.first.get(&image).copied().unwrap_or_default()
    }

    /// What of an image's memory is there that was not, by stack; largest first.
    pub(super) fn parts(&self, image: u32, pid: u32, areas: &[Area]) -> Vec<(u64, Part)> {
        let Some(pages) = self.pages.get(&image) else { return Vec::new() };
        let Ok(present) = File::open(format!("/proc/{pid}/pagemap")) else { return Vec::new() };
        let mut addresses: Vec<u64> = pages.keys().copied().collect();
        addresses.sort_unstable();
        let mut sums: BTreeMap<(u64, Kind, Whose), u64> = BTreeMap::new();
        for (at, address) in addresses.iter().enumerate() {
            let after = areas.partition_point(|area| area.at.start <= *address);
            let area = after.checked_sub(1).map(|at| &areas[at]);
            let Some(area) = area.filter(|area| area.at.contains(address)) else { continue };
            if !are_present(&present, *address, 1) {
                continue;
            }
            let region = address & !(HUGE - 1);
            let shares = |other: Option<&u64>| other.is_some_and(|o| o & !(HUGE - 1) == region);
            let alone = !shares(addresses.get(at + 1))
                && !shares(at.checked_sub(1).and_then(|at| addresses.get(at)));
            let is_huge = area.is_huge
                && alone
                && area.at.start <= region
                && region + HUGE <= area.at.end
                && are_present(&present, region, (HUGE / PAGE) as usize);
            let touch = pages[address];
            let is_stack = area.kind == Kind::Anonymous && touch.near_stack;
            let kind = if is_stack { Kind::Stack } else { area.kind };
            let whose = self.whose(image, *address, kind, touch.stack);
            *sums.entry((touch.stack, kind, whose)).or_default() +=
                if is_huge { HUGE } else { PAGE };
        }
        let mut parts: Vec<(u64, Part)> = sums
            .into_iter()
            .map(|((stack, kind, whose), bytes)| (stack, Part { kind, whose, bytes }))
            .collect();
        parts.sort_by_key(|(_, part)| std::cmp::Reverse(part.bytes));
        parts
    }

    fn whose(&self, image: u32, address: u64, kind: Kind, stack: u64) -> Whose {
        if let Some(allocator) = self.allocators.get(&stack) {
            return Whose::Allocator(allocator.clone());
        }
        let range = self.ranges.get(&image).and_then(|ranges| {
            let (_, (end, by)) = ranges.range(..=address).next_back()?;
            (address < *end).then_some(*by)
        });
        match range {
            Some(by) => match self.allocators.get(&by) {
                Some(allocator) => Whose::Allocator(allocator.clone()),
                None => Whose::Mapped,
            },
            // Only the C library's malloc uses it, and those that stand in its place.
            None if kind == Kind::Heap => Whose::Allocator(Arc::from("brk")),
            None => Whose::Older,
        }
    }
}

/// Whether pages are there, or in swap.
fn are_present(pagemap: &File, address: u64, pages: usize) -> bool {
    const THERE: u64 = 3 << 62;
    let mut words = vec![0; pages * 8];
    let read = pagemap.read_exact_at(&mut words, address / PAGE * 8);
    read.is_ok()
        && words.chunks_exact(8).all(|word| {
            let word: [u8; 8] = word.try_into().unwrap_or_default();
            u64::from_ne_bytes(word) & THERE != 0
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_whose_stack_mapped_it() {
        let mut growth = Growth::default();
        growth.define(7, || Some(Arc::from("libc.so.6")));
        growth.define(8, || None);
        growth.mapped(1, 0x10000, 0x4000, 7);
        growth.mapped(1, 0x20000, 0x4000, 8);
        growth.mapped(1, (-12i64) as u64, 0x4000, 7);
        let whose = |address, kind| growth.whose(1, address, kind, 8);
        assert_eq!(whose(0x13fff, Kind::Anonymous), Whose::Allocator(Arc::from("libc.so.6")));
        assert_eq!(whose(0x20000, Kind::Anonymous), Whose::Mapped);
        assert_eq!(whose(0x24000, Kind::Anonymous), Whose::Older);
        assert_eq!(whose(0x90000, Kind::Heap), Whose::Allocator(Arc::from("brk")));
        // Touched by the allocator itself.
        let own = growth.whose(1, 0x24000, Kind::Anonymous, 7);
        assert_eq!(own, Whose::Allocator(Arc::from("libc.so.6")));
    }

    #[test]
    fn only_what_is_touched_between_the_measurements_counts() {
        let mut growth = Growth::default();
        growth.begin(1, Stamp(100), Sizes::default());
        for (address, at) in [(0x1000, 99), (0x2000, 100), (0x3000, 150)] {
            growth.touched(1, Stamp(at), address, 7, 0);
        }
        growth.measured_last(1, Stamp(200));
        for (address, at) in [(0x4000, 199), (0x5000, 200)] {
            growth.touched(1, Stamp(at), address, 7, 0);
        }
        growth.touched(2, Stamp(150), 0x6000, 7, 0);
        let mut touched: Vec<u64> = growth.pages[&1].keys().copied().collect();
        touched.sort_unstable();
        assert_eq!(touched, [0x2000, 0x3000, 0x4000]);
        assert_eq!((growth.kept, growth.pages.len()), (3, 1));
    }
}
