//! Allocations and frees: nearly everything a trace holds, so their records are short and their
//! path is straight. All other records are in `record.rs`.

use super::cursor::{Cursor, Skip, unzigzag};
use super::sink::{Sink, zigzag};
use super::stack_ids::StackIds;
use super::tags::{ALLOC_CODES, ALLOC_SHORT, FREE_CODES, FREE_SHORT, FUNCTIONS, hot};
use crate::event::{
    Address, Alloc, Bytes, Event, Free, Function, HeapId, ProcessId, Tid, Time, What,
};

/// What records are stored as differences to. It begins anew with each chunk.
#[derive(Clone, Copy, Default)]
pub(super) struct State {
    pub time: Time,
    pub process: ProcessId,
    pub thread: Tid,
    pub address: Address,
    pub heap: HeapId,
}

impl State {
    /// The state in which a chunk begins.
    pub fn at(time: Time) -> Self {
        Self { time, ..Self::default() }
    }
}

/// Where and when an event was.
#[derive(Clone, Copy)]
pub(super) struct Stamp {
    pub time: Time,
    pub process: ProcessId,
    pub thread: Tid,
}

/// An allocation.
///
/// ```text
/// tag       1 0 c a h f f f
/// c   process: varint, thread: varint
///     time: varint, since the record before (modulo 2^64)
///     address: signed varint, from the last address (modulo 2^64); with `a` in units of 16
/// h   heap: signed varint, from the last heap (modulo 2^64)
/// f=7 function: one byte
///     size: varint
///     stack: varint
/// ```
#[inline]
pub(super) fn put_alloc(sink: &mut Sink, state: &mut State, stamp: Stamp, alloc: &Alloc) {
    let short = ALLOC_CODES[alloc.function as usize];
    prefix(sink, state, stamp, hot::HOT | short, alloc.address, alloc.heap);
    if short == hot::FUNCTION_FOLLOWS {
        sink.byte(alloc.function as u8);
    }
    sink.varint(alloc.size.0);
    sink.varint(alloc.stack.0.into());
}

/// A free.
///
/// ```text
/// tag       1 1 c a h f f f
///     as an allocation, without size
/// ```
#[inline]
pub(super) fn put_free(sink: &mut Sink, state: &mut State, stamp: Stamp, free: &Free) {
    let short = FREE_CODES[free.function as usize];
    prefix(sink, state, stamp, hot::HOT | hot::FREE | short, free.address, free.heap);
    if short == hot::FUNCTION_FOLLOWS {
        sink.byte(free.function as u8);
    }
    sink.varint(free.stack.0.into());
}

#[inline]
fn prefix(
    sink: &mut Sink,
    state: &mut State,
    stamp: Stamp,
    mut tag: u8,
    address: Address,
    heap: HeapId,
) {
    let moved = address.0.wrapping_sub(state.address.0) as i64;
    let aligned = moved & 15 == 0;
    let context = stamp.process != state.process || stamp.thread != state.thread;
    let other_heap = heap != state.heap;
    tag |= u8::from(aligned) * hot::ALIGNED;
    tag |= u8::from(context) * hot::CONTEXT;
    tag |= u8::from(other_heap) * hot::HEAP;
    sink.byte(tag);
    if context {
        put_context(sink, state, stamp);
    }
    sink.varint(stamp.time.0.wrapping_sub(state.time.0));
    sink.varint(zigzag(if aligned { moved >> 4 } else { moved }));
    if other_heap {
        sink.signed(heap.0.wrapping_sub(state.heap.0) as i64);
        state.heap = heap;
    }
    state.time = stamp.time;
    state.address = address;
}

/// Process and thread, which later records share until they change.
pub(super) fn put_context(sink: &mut Sink, state: &mut State, stamp: Stamp) {
    sink.varint(stamp.process.0.into());
    sink.varint(stamp.thread.0.into());
    state.process = stamp.process;
    state.thread = stamp.thread;
}

/// Reads what [`put_context`] wrote.
pub(super) fn take_context(cursor: &mut Cursor<'_>, state: &mut State) -> Result<(), Skip> {
    state.process = ProcessId(cursor.u32()?);
    state.thread = Tid(cursor.u32()?);
    Ok(())
}

/// Reads an allocation or a free whose tag has been read, and appends it.
#[inline]
pub(super) fn take(
    tag: u8,
    cursor: &mut Cursor<'_>,
    state: &mut State,
    stacks: &mut StackIds,
    events: &mut Vec<Event>,
) -> Result<(), Skip> {
    if tag & hot::CONTEXT != 0 {
        take_context(cursor, state)?;
    }
    state.time = Time(state.time.0.wrapping_add(cursor.varint()?));
    let shift = if tag & hot::ALIGNED != 0 { 4 } else { 0 };
    let moved = unzigzag(cursor.varint()?) << shift;
    state.address = Address(state.address.0.wrapping_add(moved as u64));
    if tag & hot::HEAP != 0 {
        state.heap = HeapId(state.heap.0.wrapping_add(cursor.signed()? as u64));
    }
    let free = tag & hot::FREE != 0;
    let known = if free { &FREE_SHORT } else { &ALLOC_SHORT };
    let function = match known.get(usize::from(tag & hot::FUNCTION)) {
        Some(function) => *function,
        None => cursor.code(&FUNCTIONS, Function::Unknown)?,
    };
    let size = if free { Bytes(0) } else { Bytes(cursor.varint()?) };
    let stack = stacks.resolve(cursor.varint()?);
    if !cursor.within() {
        return Err(Skip::Malformed);
    }
    let State { time, process, thread, address, heap } = *state;
    let what = if free {
        What::Free(Free { address, stack, function, heap })
    } else {
        What::Alloc(Alloc { address, size, stack, function, heap })
    };
    events.push(Event { time, process, thread, what });
    Ok(())
}
