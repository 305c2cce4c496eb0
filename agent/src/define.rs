//! Definitions: what a record refers to must have been written before it, once. A stack is named by
//! a hash and written out the first time; so is every module that its frames lie in.

use core::sync::atomic::{AtomicU64, Ordering::*};

use unfreed_wire::{Kind, RecordHeader, STACK_GENERATION_MASK, STACK_GENERATION_SHIFT, words};

use crate::clock::{module_stamp, stack_stamp};
use crate::ring::{Need, Ring};
use crate::unwind::{self, Object, Registers, Trail};

const SEEN: usize = 1 << 16;

/// Hashes of the stacks that this process has defined. One that is pushed out is defined again.
static STACKS_SEEN: [AtomicU64; SEEN] = [const { AtomicU64::new(0) }; SEEN];

/// Walks the stack and makes sure that its definition is in some ring.
#[inline(always)]
pub(crate) fn stack_hash(ring: &Ring, registers: Registers) -> u64 {
    let trail = ring.trail();
    let generation = unwind::generation();
    let limit = ring.session.max_depth();
    let walked = unwind::walk(registers, limit, generation, trail, |object| {
        announce_module(ring, object, generation)
    });
    // A forked child defines its own: the collector keeps each process's apart.
    let hash = walked.hash ^ (ring.session.process as u64) << 48;
    if trail.defined() != hash {
        // Two places, side by side: two stacks of one place would push each other out for ever.
        let place = (hash as usize >> 20) % SEEN;
        let places = [&STACKS_SEEN[place], &STACKS_SEEN[place ^ 1]];
        if places.iter().any(|seen| seen.load(Acquire) == hash)
            || define(ring, trail, generation, hash, places)
        {
            trail.set_defined(hash);
        }
    }
    hash
}

/// Defines a stack, in the place of the one that was defined before at its first place, which takes the
/// second. Whether there was room in the ring.
#[cold]
#[inline(never)]
fn define(
    ring: &Ring,
    trail: &Trail,
    generation: u64,
    hash: u64,
    [first, second]: [&AtomicU64; 2],
) -> bool {
    let defined = define_stack(ring, trail, generation, hash);
    if defined {
        second.store(first.load(Acquire), Release);
        first.store(hash, Release);
    }
    defined
}

fn define_stack(ring: &Ring, trail: &Trail, generation: u64, hash: u64) -> bool {
    let header = RecordHeader {
        kind: Kind::Stack as u8,
        function: 0,
        words: (words::STACK + trail.depth()) as u16,
        detail: trail.end() as u32 | (generation as u32) << STACK_GENERATION_SHIFT,
    };
    let head: [u64; words::STACK] = [header.pack(), stack_stamp(ring.session), hash];
    let frames = (0..trail.depth()).map(|n| trail.frame(n));
    let written = ring.append_both(&head, frames, Need::Other);
    if !written {
        ring.counters().lost_stacks.fetch_add(1, Relaxed);
    }
    written
}

const MODULES: usize = 1 << 10;
const NAME_WORDS: usize = 64;

static MODULES_SEEN: [AtomicU64; MODULES] = [const { AtomicU64::new(0) }; MODULES];

/// Tells of a module, once in each generation. Returns whether the collector will know it.
fn announce_module(ring: &Ring, object: &Object, generation: u64) -> bool {
    let process = (ring.session.process as u64) << 32;
    let place = object.start ^ object.end.rotate_left(24) ^ object.load_bias.rotate_left(40);
    let key = place ^ (generation ^ process).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let seen = &MODULES_SEEN[((object.start >> 12 ^ object.start >> 22) as usize) % MODULES];
    if seen.load(Acquire) == key {
        return true;
    }
    let name = object.name();
    let length = name.len().min(NAME_WORDS * 8);
    let mut record = [0u64; words::MODULE + NAME_WORDS];
    let whole = words::MODULE + length.div_ceil(8);
    let header = RecordHeader {
        kind: Kind::Module as u8,
        function: 0,
        words: whole as u16,
        detail: generation as u32 & STACK_GENERATION_MASK,
    };
    record[0] = header.pack();
    record[1] = module_stamp(ring.session);
    record[2] = object.load_bias;
    record[3] = object.start;
    record[4] = object.end;
    record[5] = name.len() as u64;
    for (n, byte) in name[..length].iter().enumerate() {
        record[words::MODULE + n / 8] |= (*byte as u64) << (n % 8 * 8);
    }
    let written = ring.append(&record[..whole], Need::Other);
    if written {
        seen.store(key, Release);
    }
    written
}
