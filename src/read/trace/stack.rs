//! Records about stacks: nodes of the stack tree, blocks that moved, heaps, exceptions and names of frames.

use super::cursor::{Cursor, Skip};
use super::hot::State;
use super::sink::Sink;
use super::stack_ids::StackIds;
use super::tags::{FUNCTIONS, TRUSTS};
use crate::event::{
    Address, Bytes, Exception, Frame, FreedBefore, Function, HeapCreate, HeapId, ModuleId, Name,
    NamedFunction, Realloc, StackId, StackNode, Time, Trust,
};

/// ```text
/// caller: varint (stack id)
/// module: varint, 0 none, else its id + 1
/// offset: varint
/// trust:  one byte
/// ```
pub(super) fn put_node(sink: &mut Sink, node: &StackNode) {
    sink.varint(node.caller.0.into());
    sink.varint(node.frame.module.map_or(0, |module| u64::from(module.0) + 1));
    sink.varint(node.frame.offset);
    sink.byte(node.frame.trust as u8);
}

pub(super) fn take_node(cursor: &mut Cursor<'_>, stacks: &mut StackIds) -> Result<StackNode, Skip> {
    let caller = stacks.resolve(cursor.varint()?);
    let module = match cursor.varint()? {
        0 => None,
        id => Some(ModuleId(u32::try_from(id - 1).map_err(|_| Skip::Malformed)?)),
    };
    let offset = cursor.varint()?;
    let trust = cursor.code(&TRUSTS, Trust::Recorded)?;
    Ok(StackNode { caller, frame: Frame { module, offset, trust } })
}

/// What stands for a node whose record cannot be told: later ids must stay right.
pub(super) const UNREADABLE_NODE: StackNode = StackNode {
    caller: StackId::LOST,
    frame: Frame { module: None, offset: 0, trust: Trust::Recorded },
};

/// ```text
/// old:      signed varint, from the last address (modulo 2^64)
/// new:      signed varint, from old (modulo 2^64); it is the last address from now on
/// size:     varint
/// stack:    varint
/// function: one byte
/// heap:     varint
/// ```
pub(super) fn put_realloc(sink: &mut Sink, state: &mut State, realloc: &Realloc) {
    sink.signed(realloc.old.0.wrapping_sub(state.address.0) as i64);
    sink.signed(realloc.new.0.wrapping_sub(realloc.old.0) as i64);
    sink.varint(realloc.size.0);
    sink.varint(realloc.stack.0.into());
    sink.byte(realloc.function as u8);
    sink.varint(realloc.heap.0);
    state.address = realloc.new;
}

pub(super) fn take_realloc(
    cursor: &mut Cursor<'_>,
    state: &mut State,
    stacks: &mut StackIds,
) -> Result<Realloc, Skip> {
    let old = Address(state.address.0.wrapping_add(cursor.signed()? as u64));
    let new = Address(old.0.wrapping_add(cursor.signed()? as u64));
    state.address = new;
    Ok(Realloc {
        old,
        new,
        size: Bytes(cursor.varint()?),
        stack: stacks.resolve(cursor.varint()?),
        function: cursor.code(&FUNCTIONS, Function::Unknown)?,
        heap: HeapId(cursor.varint()?),
    })
}

/// ```text
/// address: varint, as it is
/// site:    varint (stack id)
/// stack:   varint
/// freed:   varint, ns
/// ```
/// It leaves the last address alone, so that a reader that passes over it reads the free behind it
/// all the same.
pub(super) fn put_freed_before(sink: &mut Sink, before: &FreedBefore) {
    sink.varint(before.address.0);
    sink.varint(before.site.0.into());
    sink.varint(before.stack.0.into());
    sink.varint(before.freed.0);
}

pub(super) fn take_freed_before(
    cursor: &mut Cursor<'_>,
    stacks: &mut StackIds,
) -> Result<FreedBefore, Skip> {
    Ok(FreedBefore {
        address: Address(cursor.varint()?),
        site: stacks.resolve(cursor.varint()?),
        stack: stacks.resolve(cursor.varint()?),
        freed: Time(cursor.varint()?),
    })
}

/// ```text
/// heap:  varint
/// stack: varint
/// ```
pub(super) fn put_heap(sink: &mut Sink, create: &HeapCreate) {
    sink.varint(create.heap.0);
    sink.varint(create.stack.0.into());
}

pub(super) fn take_heap(
    cursor: &mut Cursor<'_>,
    stacks: &mut StackIds,
) -> Result<HeapCreate, Skip> {
    let heap = HeapId(cursor.varint()?);
    Ok(HeapCreate { heap, stack: stacks.resolve(cursor.varint()?) })
}

/// ```text
/// code:    varint
/// address: varint
/// stack:   varint
/// ```
pub(super) fn put_exception(sink: &mut Sink, exception: &Exception) {
    sink.varint(exception.code.into());
    sink.varint(exception.address.0);
    sink.varint(exception.stack.0.into());
}

pub(super) fn take_exception(
    cursor: &mut Cursor<'_>,
    stacks: &mut StackIds,
) -> Result<Exception, Skip> {
    let (code, address) = (cursor.u32()?, Address(cursor.varint()?));
    Ok(Exception { code, address, stack: stacks.resolve(cursor.varint()?) })
}

/// ```text
/// module:    varint
/// offset:    varint
/// functions: list of
///     function: string
///     file:     optional string
///     line:     varint, 0 none, else the line + 1
/// ```
pub(super) fn put_name(sink: &mut Sink, name: &Name) {
    sink.varint(name.module.0.into());
    sink.varint(name.offset);
    sink.list(&name.functions, |sink, named| {
        sink.str(&named.function);
        sink.optional_str(named.file.as_deref());
        sink.varint(named.line.map_or(0, |line| u64::from(line) + 1));
    });
}

pub(super) fn take_name(cursor: &mut Cursor<'_>) -> Result<Name, Skip> {
    let module = ModuleId(cursor.u32()?);
    let offset = cursor.varint()?;
    let functions = cursor.list(|cursor| {
        let function = cursor.str()?;
        let file = cursor.optional_str()?;
        let line = match cursor.varint()? {
            0 => None,
            line => Some(u32::try_from(line - 1).map_err(|_| Skip::Malformed)?),
        };
        Ok(NamedFunction { function, file, line })
    })?;
    Ok(Name { module, offset, functions })
}
