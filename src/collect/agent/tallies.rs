//! Blocks that died young, counted by the traced threads: what has been counted since it was read
//! last, added up by process and stack until it is told.
//!
//! A thread goes on counting while its tallies are read, so that one block may be found in some of
//! the numbers and not yet in others: it is in all of them the next time.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::fence;

use rustc_hash::FxHashMap;
use unfreed_wire::Tally as Slot;

use super::clock::Stamp;
use super::memory::{SessionMemory, WriterIndex};
use super::record::{Counted, StackHash};
use crate::event::{Bytes, Time};

/// The tallies of all writers.
#[derive(Default)]
pub(super) struct Tallies {
    /// By writer: what each of its slots held when it was read last.
    read: Vec<Vec<Read>>,
    sums: FxHashMap<(u32, StackHash), Counted>,
}

/// What a slot held.
#[derive(Clone, Copy, Default)]
struct Read {
    claim: u32,
    blocks: u32,
    bytes: u64,
    lifetimes: [u32; Slot::LIFETIMES],
}

impl Tallies {
    /// Reads what the writer's thread has counted since.
    pub(super) fn read(&mut self, memory: &SessionMemory, index: WriterIndex, process: u32) {
        if !memory.is_process(process) {
            return;
        }
        let slots = memory.tallies(index);
        let n = index.0 as usize;
        if n >= self.read.len() {
            self.read.resize_with(n + 1, Vec::default);
        }
        if self.read[n].len() < slots.len() {
            self.read[n].resize(slots.len(), Read::default());
        }
        for (slot, read) in slots.iter().zip(&mut self.read[n]) {
            let claim = slot.claim.load(Acquire);
            let blocks = slot.blocks.load(Acquire);
            // An odd claim is changing hands; what it held before has all been told.
            if claim & 1 != 0 || (claim, blocks) == (read.claim, read.blocks) {
                continue;
            }
            let stack = StackHash(slot.stack.load(Relaxed));
            let mut now =
                Read { claim, blocks, bytes: slot.bytes.load(Relaxed), ..Read::default() };
            let (smallest, largest) = (slot.smallest.load(Relaxed), slot.largest.load(Relaxed));
            for (to, from) in now.lifetimes.iter_mut().zip(&slot.lifetimes) {
                *to = from.load(Relaxed);
            }
            fence(Acquire);
            if slot.claim.load(Relaxed) != claim {
                continue;
            }
            let before = if read.claim == claim { *read } else { Read::default() };
            let sum = self.sums.entry((process, stack)).or_default();
            sum.blocks += u64::from(blocks.wrapping_sub(before.blocks));
            sum.bytes.0 = sum.bytes.0.wrapping_add(now.bytes.wrapping_sub(before.bytes));
            sum.smallest = sum.smallest.min(Bytes(smallest));
            sum.largest = sum.largest.max(Bytes(largest));
            for (n, sum) in sum.lifetimes.iter_mut().enumerate() {
                *sum += u64::from(now.lifetimes[n].wrapping_sub(before.lifetimes[n]));
            }
            *read = now;
            slot.told.store(Slot::mark(claim, blocks), Release);
        }
    }

    /// Adds a block that was told of by itself.
    pub(super) fn add(&mut self, process: u32, stack: StackHash, size: Bytes, lived: Time) {
        let sum = self.sums.entry((process, stack)).or_default();
        sum.blocks += 1;
        sum.bytes.0 = sum.bytes.0.saturating_add(size.0);
        sum.smallest = sum.smallest.min(size);
        sum.largest = sum.largest.max(size);
        sum.lifetimes[Slot::lifetime_index(lived.0)] += 1;
    }

    /// Everything not told yet of the processes for which `of` holds, in an order that only depends on
    /// what it is.
    pub(super) fn take(&mut self, of: impl Fn(u32) -> bool) -> Vec<(u32, StackHash, Counted)> {
        let mut taken: Vec<_> = self
            .sums
            .extract_if(|(process, _), _| of(*process))
            .filter(|(_, counted)| counted.blocks > 0)
            .map(|((process, stack), counted)| (process, stack, counted))
            .collect();
        taken.sort_by_key(|(process, stack, _)| (*process, stack.0));
        taken
    }
}

/// The interval that is being counted.
#[derive(Clone, Copy)]
pub(super) struct Interval {
    pub(super) since: Stamp,
    /// Lifetimes shorter than this are not told apart.
    pub(super) resolution: Time,
}

impl Interval {
    /// Lifetimes as the vocabulary has them: index n from 2^n ns on, and in index 0 all that are
    /// shorter than the resolution.
    pub(super) fn lifetimes(&self, counted: &Counted) -> Vec<u64> {
        let first = Slot::SHORTEST_POWER as usize;
        let mut lifetimes = vec![0; first + Slot::LIFETIMES];
        for (n, count) in counted.lifetimes.iter().enumerate() {
            let power = first - 1 + n;
            let short = n == 0 || 1u64 << power < self.resolution.0;
            lifetimes[if short { 0 } else { power }] += count;
        }
        while lifetimes.last() == Some(&0) {
            lifetimes.pop();
        }
        lifetimes
    }
}
