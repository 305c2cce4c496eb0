//! Reading a ring: whatever is between its tail and its head, checked word by word.

use std::sync::atomic::{AtomicU64, Ordering};

use unfreed_wire::{Kind, RecordHeader, STACK_GENERATION_SHIFT, StackEnd, words};

use super::clock::Stamp;
use super::memory::{SessionMemory, WriterIndex};
use super::record::{
    Again, Generation, ModuleSeen, Origin, Payload, Record, StackDefinition, StackHash,
};
use crate::event::{Address, Bytes, Function, Time};

/// Longest record the agent writes.
const LONGEST: usize = words::STACK + 256;

/// What one reading of a ring gave.
#[derive(Debug, Default)]
pub(super) struct Drained {
    /// Bytes read.
    pub(super) bytes: u64,
    /// Bytes that made no sense and were skipped.
    pub(super) damaged_bytes: u64,
}

/// Reads everything published, hands each record on, and moves the tail.
pub(super) fn drain(
    memory: &SessionMemory,
    index: WriterIndex,
    origin: Origin,
    mut record: impl FnMut(Record),
) -> Drained {
    let writer = memory.writer(index);
    let ring = Ring { words: memory.ring(index) };
    let capacity = memory.ring_bytes(index);
    let head = writer.head.load(Ordering::Acquire);
    let mut tail = writer.tail.load(Ordering::Relaxed);
    let mut drained = Drained { bytes: head.wrapping_sub(tail), damaged_bytes: 0 };
    if drained.bytes > capacity || !head.is_multiple_of(8) {
        // Only a program that overwrote its own ring state gets here.
        drained.damaged_bytes = drained.bytes.min(capacity);
        writer.tail.store(head, Ordering::Release);
        return drained;
    }
    while tail != head {
        let available = head.wrapping_sub(tail) / 8;
        let at = tail / 8;
        let header = RecordHeader::unpack(ring.word(at));
        let length = header.words as u64;
        let whole = length >= 2 && length <= available && length <= LONGEST as u64;
        if !whole || !parse(&ring, at, header, origin, &mut record) {
            drained.damaged_bytes += head.wrapping_sub(tail);
            break;
        }
        tail = tail.wrapping_add(length * 8);
    }
    writer.tail.store(head, Ordering::Release);
    drained
}

struct Ring<'a> {
    words: &'a [AtomicU64],
}

impl Ring<'_> {
    fn word(&self, position: u64) -> u64 {
        self.words[position as usize & (self.words.len() - 1)].load(Ordering::Relaxed)
    }
}

/// Whether the record made sense; if so it was handed on.
fn parse(
    ring: &Ring<'_>,
    at: u64,
    header: RecordHeader,
    origin: Origin,
    record: &mut impl FnMut(Record),
) -> bool {
    let Some(kind) = Kind::from_u8(header.kind) else { return false };
    let length = header.words as usize;
    let word = |n: u64| ring.word(at + n);
    let mut hand_on = |stamp: u64, payload| {
        record(Record { stamp: Stamp(stamp), origin, payload });
    };
    let function = function(header.function);
    let stamp = word(1);
    match kind {
        Kind::Alloc if length == words::ALLOC => hand_on(
            stamp,
            Payload::Alloc {
                address: Address(word(2)),
                size: Bytes(word(3)),
                stack: StackHash(word(4)),
                function,
            },
        ),
        Kind::Free if length == words::FREE => {
            hand_on(stamp, Payload::Free { address: Address(word(2)), function });
        }
        Kind::Again if length == words::AGAIN => {
            let again = Again {
                address: Address(word(2)),
                function,
                stack: StackHash(word(3)),
                site: StackHash(word(4)),
                from: Address(word(5)),
                freed: Stamp(word(6)),
            };
            hand_on(stamp, Payload::Again(Box::new(again)));
        }
        Kind::Pair if length == words::PAIR => {
            let (size, lived) = (Bytes(word(3)), Time(stamp.saturating_sub(word(4))));
            hand_on(stamp, Payload::Pair { stack: StackHash(word(2)), size, lived });
        }
        Kind::Realloc if length == words::REALLOC => {
            let (after, old, new) = (word(2), Address(word(3)), Address(word(4)));
            let (size, stack) = (Bytes(word(5)), StackHash(word(6)));
            if old == new {
                hand_on(after, Payload::Resize { address: new, size, stack, function });
            } else {
                // Its two halves happened at two moments, with other threads in between.
                hand_on(stamp, Payload::Free { address: old, function });
                hand_on(after, Payload::Alloc { address: new, size, stack, function });
            }
        }
        Kind::Stack if length > words::STACK => {
            let frames = (words::STACK as u64..length as u64).map(word).collect();
            let end = header.detail & ((1 << STACK_GENERATION_SHIFT) - 1);
            let complete = StackEnd::from_u32(end) == StackEnd::Complete;
            let generation = Generation(header.detail >> STACK_GENERATION_SHIFT);
            let hash = StackHash(word(2));
            let definition = StackDefinition { hash, complete, generation, frames };
            hand_on(stamp, Payload::Stack(Box::new(definition)));
        }
        Kind::Module if length >= words::MODULE => {
            let room = (length - words::MODULE) * 8;
            let mut path = Vec::with_capacity(room);
            for n in words::MODULE..length {
                path.extend_from_slice(&word(n as u64).to_le_bytes());
            }
            path.truncate((word(5) as usize).min(room));
            let seen = ModuleSeen { path, load_bias: word(2), start: word(3), end: word(4) };
            hand_on(stamp, Payload::Module(Box::new(seen), Generation(header.detail)));
        }
        Kind::Thread if length == words::THREAD => {
            let began = Payload::ThreadBegan(Box::default());
            hand_on(stamp, if header.detail == 0 { began } else { Payload::ThreadEnded });
        }
        _ => return false,
    }
    true
}

/// The allocator function of this number.
pub(in crate::collect) fn function(number: u8) -> Function {
    match number {
        1 => Function::Malloc,
        2 => Function::Calloc,
        3 => Function::Realloc,
        4 => Function::Reallocarray,
        5 => Function::PosixMemalign,
        6 => Function::AlignedAlloc,
        7 => Function::Memalign,
        8 => Function::Valloc,
        9 => Function::Pvalloc,
        10 => Function::New,
        11 => Function::NewArray,
        12 => Function::Free,
        13 => Function::Delete,
        14 => Function::DeleteArray,
        _ => Function::Unknown,
    }
}
