//! Where a walk begins: every part of a process's memory that is no block, and what it is. Left out is what is
//! nobody's any more: the dead part of a stack, and the allocator's own memory between blocks, which is full of
//! addresses of blocks that were once there.
//!
//! Whose the memory between blocks is must be guessed. `brk`'s is the allocator's, and so are glibc's arenas, which are
//! told by their headers. Elsewhere a page that holds a part of a block is the allocator's; any other may
//! have been mapped by the program itself, though the kernel shows it as one mapping with the allocator's: it
//! counts as referring to blocks. That way a block is rather taken for referenced than for lost.

use std::ops::Range;

use super::copy::Copied;
use super::index::Index;
use super::maps::{Is, Mapping};
use super::pages::page;
use crate::collect::sink::Coverage;
use crate::event::RootKind;

/// Below the stack pointer a function may keep so much (x86-64 ABI).
const RED_ZONE: u64 = 128;
/// What libc keeps beside a thread's pointer.
const THREAD: u64 = 4096;
/// glibc's arenas begin at multiples of this.
const ARENA: u64 = 64 << 20;

/// A part of memory that refers to blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) range: Range<u64>,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Of a module, which is mapped from here on; `allocator`: of the C library, whose lists of free memory point into
    /// the blocks beside it.
    Global {
        base: u64,
        allocator: bool,
    },
    ThreadLocal,
    Stack,
    /// Memory that holds blocks, or none.
    Memory,
}

/// All areas, in order of address.
pub(super) fn areas(copied: &Copied, index: &Index) -> Vec<Area> {
    let mut areas = Vec::new();
    for mapping in &copied.mappings {
        let whole = mapping.start..mapping.end;
        match &mapping.is {
            Is::Other => {}
            // The kernel makes one mapping of a module's `.bss` and the allocator's memory behind it.
            Is::Module { .. } if mapping.bare && index.any_within(whole.clone()) => {
                split(copied, mapping, &mut areas);
            }
            Is::Module { path, base } => {
                let what = What::Global { base: *base, allocator: is_libc(path) };
                areas.push(Area { range: whole, what });
            }
            Is::Stack => {
                let pointers = copied.threads.iter().map(|thread| thread.stack);
                let lowest = pointers.filter(|pointer| mapping.holds(*pointer)).min();
                // The first thread may run elsewhere just now: then all of it counts.
                let start = lowest.map_or(mapping.start, |lowest| lowest.saturating_sub(RED_ZONE));
                let range = start.max(mapping.start)..mapping.end;
                areas.push(Area { range, what: What::Stack });
            }
            Is::Heap | Is::Anonymous => split(copied, mapping, &mut areas),
        }
    }
    areas
}

/// A mapping may be the stacks of several threads, with what is thread-local at their upper ends.
fn split(copied: &Copied, mapping: &Mapping, areas: &mut Vec<Area>) {
    let Range { start: first, end } = mapping.start..mapping.end;
    let mut threads: Vec<_> =
        copied.threads.iter().filter(|thread| mapping.holds(thread.local)).collect();
    threads.sort_unstable_by_key(|thread| thread.local);
    let mut at = first;
    for thread in threads {
        let storage = storage(thread.local, copied.thread_local);
        let storage = storage.start.clamp(at, end)..storage.end.clamp(at, end);
        if (at..storage.start).contains(&thread.stack) {
            let from = thread.stack.saturating_sub(RED_ZONE).max(at);
            // All below it is dead, if the stack is known to be all there is.
            if !(mapping.guarded && at == first) {
                areas.push(Area { range: at..from, what: What::Memory });
            }
            areas.push(Area { range: from..storage.start, what: What::Stack });
        } else {
            areas.push(Area { range: at..storage.start, what: What::Memory });
        }
        at = storage.end;
        areas.push(Area { range: storage, what: What::ThreadLocal });
    }
    areas.push(Area { range: at..end, what: What::Memory });
}

/// Where a thread's own storage lies: below its pointer on x86-64, above on ARM.
fn storage(pointer: u64, bytes: u64) -> Range<u64> {
    if cfg!(target_arch = "aarch64") {
        pointer.saturating_sub(THREAD)..pointer.saturating_add(bytes + 16)
    } else {
        pointer.saturating_sub(bytes)..pointer.saturating_add(THREAD)
    }
}

fn is_libc(path: &[u8]) -> bool {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    [&b"libc.so"[..], b"libc-", b"ld-musl"].iter().any(|of| name.starts_with(of))
}

/// Tells the allocator's memory from the program's, for addresses in rising order.
pub(super) struct Memory<'a> {
    index: &'a Index,
    coverage: Coverage,
    /// What certainly is the allocator's, in order of address.
    allocators: Vec<Range<u64>>,
    /// The page looked at last, and what it is.
    last: (u64, Option<RootKind>),
}

impl<'a> Memory<'a> {
    pub(super) fn new(copied: &Copied, index: &'a Index, coverage: Coverage) -> Memory<'a> {
        let mut allocators = Vec::new();
        for mapping in &copied.mappings {
            match mapping.is {
                Is::Heap => allocators.push(mapping.start..mapping.end),
                Is::Anonymous => {
                    let first = mapping.start.next_multiple_of(ARENA);
                    let arenas = (first..mapping.end).step_by(ARENA as usize);
                    allocators.extend(
                        arenas
                            .map(|start| start..(start + ARENA).min(mapping.end))
                            .filter(|range| is_arena(copied, range)),
                    );
                }
                _ => {}
            }
        }
        allocators.retain(|range| index.any_within(range.clone()));
        Memory { index, coverage, allocators, last: (u64::MAX, None) }
    }

    /// What a word there is, which is in no block; `None` where it refers to nothing.
    pub(super) fn kind(&mut self, address: u64) -> Option<RootKind> {
        let page = page();
        let start = address / page * page;
        if self.last.0 != start {
            let at = self.allocators.partition_point(|range| range.end <= address);
            let certain = self.allocators.get(at).is_some_and(|range| range.start <= address);
            let kind = match self.coverage {
                _ if !certain && !self.index.any_within(start..start + page) => {
                    Some(RootKind::Mapping)
                }
                Coverage::Whole => None,
                // Blocks that nobody told of may be there.
                Coverage::Part => Some(RootKind::Untold),
            };
            self.last = (start, kind);
        }
        self.last.1
    }
}

/// Whether one of glibc's arenas, or a further part of one, begins here: its first word leads to the arena, which lies
/// close behind such a beginning.
fn is_arena(copied: &Copied, range: &Range<u64>) -> bool {
    let first = copied.words.within(range.start..range.start + 8).next();
    first.is_some_and(|(_, arena)| {
        let start = arena / ARENA * ARENA;
        (16..=64).contains(&(arena - start))
            && copied.mappings.iter().any(|mapping| mapping.holds(start))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::stop::Thread;
    use super::super::words::Words;
    use super::*;
    use crate::event::Unread;

    fn areas_of(is: Is, threads: &[(u64, u64)]) -> Vec<(u64, u64, What)> {
        let (start, end) = (0x10_0000, 0x20_0000);
        let (shared, writable, bare, guarded) = (false, true, false, true);
        let mapping = Mapping { start, end, is, shared, writable, bare, guarded };
        let thread = |(stack, local): &(u64, u64)| Thread {
            registers: Vec::new(),
            stack: *stack,
            local: *local,
        };
        let copied = Copied {
            mappings: vec![mapping],
            threads: threads.iter().map(thread).collect(),
            words: Words::default(),
            thread_local: 0x100,
            standing: 1,
            stopped: Duration::ZERO,
            read: 0,
            unread: Unread::default(),
        };
        let areas = areas(&copied, &Index::new(Vec::new())).into_iter();
        areas.map(|area| (area.range.start, area.range.end, area.what)).collect()
    }

    #[test]
    fn below_a_stack_pointer_nothing_is_alive() {
        use What::{Memory, Stack, ThreadLocal};
        let areas = areas_of(Is::Stack, &[(0x18_0000, 0x7000_0000)]);
        assert_eq!(areas, [(0x18_0000 - 128, 0x20_0000, Stack)]);
        // It runs elsewhere: nothing is known to be dead.
        assert_eq!(areas_of(Is::Stack, &[(0x9000, 0)]), [(0x10_0000, 0x20_0000, Stack)]);
        #[cfg(target_arch = "x86_64")]
        assert_eq!(
            areas_of(Is::Anonymous, &[(0x1c_0000, 0x1d_0000), (0x12_0000, 0x13_0000)]),
            [
                (0x12_0000 - 128, 0x13_0000 - 0x100, Stack),
                (0x13_0000 - 0x100, 0x13_1000, ThreadLocal),
                // Whose this is, nobody knows.
                (0x13_1000, 0x1c_0000 - 128, Memory),
                (0x1c_0000 - 128, 0x1d_0000 - 0x100, Stack),
                (0x1d_0000 - 0x100, 0x1d_1000, ThreadLocal),
                (0x1d_1000, 0x20_0000, Memory),
            ]
        );
        // On a coroutine's stack: its own may be used up to any depth.
        #[cfg(target_arch = "x86_64")]
        assert_eq!(
            areas_of(Is::Anonymous, &[(0x9000, 0x18_0000)]),
            [
                (0x10_0000, 0x18_0000 - 0x100, Memory),
                (0x18_0000 - 0x100, 0x18_1000, ThreadLocal),
                (0x18_1000, 0x20_0000, Memory),
            ]
        );
    }
}
