//! Records of reachability scans.

use super::cursor::{Cursor, Skip};
use super::sink::Sink;
use super::stack_ids::StackIds;
use super::tags::ROOT_KINDS;
use crate::event::{Bytes, ModuleId, Reach, Root, Scan, Time, Unread};

/// ```text
/// stopped: varint, ns
/// read:    varint, bytes
/// whole:   one byte, 0 or 1
/// failed:  optional string
/// unread:  two varints, bytes of its own and shared, and an optional string; older records end before
/// exact:   one byte, 0 or 1
/// ```
pub(super) fn put_scan(sink: &mut Sink, scan: &Scan) {
    sink.varint(scan.stopped.0);
    sink.varint(scan.read.0);
    sink.byte(scan.whole.into());
    sink.optional_str(scan.failed.as_deref());
    sink.varint(scan.unread.own.0);
    sink.varint(scan.unread.shared.0);
    sink.optional_str(scan.unread.what.as_deref());
    sink.byte(scan.exact.into());
}

pub(super) fn take_scan(cursor: &mut Cursor<'_>) -> Result<Scan, Skip> {
    Ok(Scan {
        stopped: Time(cursor.varint()?),
        read: Bytes(cursor.varint()?),
        whole: cursor.bool()?,
        failed: cursor.optional_str()?,
        unread: if cursor.at_end() { Unread::default() } else { take_unread(cursor)? },
        exact: cursor.at_end() || cursor.bool()?,
    })
}

fn take_unread(cursor: &mut Cursor<'_>) -> Result<Unread, Skip> {
    Ok(Unread {
        own: Bytes(cursor.varint()?),
        shared: Bytes(cursor.varint()?),
        what: cursor.optional_str()?,
    })
}

/// ```text
/// stack:    varint
/// born:     varint, ns
/// blocks:   varint
/// bytes:    varint
/// interior: varint
/// root:     one byte, 0 for none, else its kind plus one; then
///   module: varint, 0 for none, else its id plus one
///   offset: varint
/// ```
pub(super) fn put_reach(sink: &mut Sink, reach: &Reach) {
    sink.varint(reach.stack.0.into());
    sink.varint(reach.born.0);
    sink.varint(reach.blocks);
    sink.varint(reach.bytes.0);
    sink.varint(reach.interior);
    sink.byte(reach.root.map_or(0, |root| root.kind as u8 + 1));
    if let Some(root) = reach.root {
        sink.varint(root.module.map_or(0, |module| u64::from(module.0) + 1));
        sink.varint(root.offset);
    }
}

pub(super) fn take_reach(cursor: &mut Cursor<'_>, stacks: &mut StackIds) -> Result<Reach, Skip> {
    let mut reach = Reach {
        stack: stacks.resolve(cursor.varint()?),
        born: Time(cursor.varint()?),
        blocks: cursor.varint()?,
        bytes: Bytes(cursor.varint()?),
        interior: cursor.varint()?,
        root: None,
    };
    if let Some(code) = cursor.byte()?.checked_sub(1) {
        let kind = *ROOT_KINDS.get(usize::from(code)).ok_or(Skip::Newer)?;
        let module = match cursor.varint()? {
            0 => None,
            id => Some(ModuleId(u32::try_from(id - 1).map_err(|_| Skip::Malformed)?)),
        };
        reach.root = Some(Root { kind, module, offset: cursor.varint()? });
    }
    Ok(reach)
}
