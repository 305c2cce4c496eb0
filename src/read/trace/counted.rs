//! Records that count and measure: losses, marks, tallies, snapshots and samples.

use super::cursor::{Cursor, Skip};
use super::sink::Sink;
use super::stack_ids::StackIds;
use super::tags::{LOSSES, MAX_LIFETIMES, METRICS};
use crate::event::{Bytes, Loss, Lost, Mark, Sample, Snapshot, Tally, Time};

/// ```text
/// what:  one byte
/// count: varint
/// ```
pub(super) fn put_loss(sink: &mut Sink, loss: Loss) {
    sink.byte(loss.what as u8);
    sink.varint(loss.count);
}

/// A loss of a kind not known yet is still a loss: of events of unknown kind.
pub(super) fn take_loss(cursor: &mut Cursor<'_>) -> Result<Loss, Skip> {
    Ok(Loss { what: cursor.code(&LOSSES, Lost::Events)?, count: cursor.varint()? })
}

/// ```text
/// text:  string
/// count: optional varint
/// ```
pub(super) fn put_mark(sink: &mut Sink, mark: &Mark) {
    sink.str(&mark.text);
    sink.optional(mark.count);
}

pub(super) fn take_mark(cursor: &mut Cursor<'_>) -> Result<Mark, Skip> {
    Ok(Mark { text: cursor.str()?, count: cursor.optional()? })
}

/// ```text
/// stack:           varint
/// since:           varint
/// allocated:       varint
/// allocated bytes: varint
/// freed:           varint
/// freed bytes:     varint
/// estimated:       one byte, 0 or 1
/// lifetimes:       list of varints, at most 64
/// resolution:      varint, ns               absent in earlier versions
/// sizes:           byte 0 for none, else 1; smallest, largest: varint
/// ```
pub(super) fn put_tally(sink: &mut Sink, tally: &Tally) {
    sink.varint(tally.stack.0.into());
    sink.varint(tally.since.0);
    sink.varint(tally.allocated);
    sink.varint(tally.allocated_bytes.0);
    sink.varint(tally.freed);
    sink.varint(tally.freed_bytes.0);
    sink.byte(tally.estimated.into());
    let kept = tally.lifetimes.get(..MAX_LIFETIMES).unwrap_or(&tally.lifetimes);
    sink.cut += u64::from(kept.len() < tally.lifetimes.len());
    sink.list(kept, |sink, count| sink.varint(*count));
    sink.varint(tally.resolution.0);
    sink.byte(tally.sizes.is_some().into());
    if let Some((smallest, largest)) = tally.sizes {
        sink.varint(smallest.0);
        sink.varint(largest.0);
    }
}

pub(super) fn take_tally(cursor: &mut Cursor<'_>, stacks: &mut StackIds) -> Result<Tally, Skip> {
    let mut tally = Tally {
        stack: stacks.resolve(cursor.varint()?),
        since: Time(cursor.varint()?),
        allocated: cursor.varint()?,
        allocated_bytes: Bytes(cursor.varint()?),
        freed: cursor.varint()?,
        freed_bytes: Bytes(cursor.varint()?),
        estimated: cursor.bool()?,
        lifetimes: cursor.list(Cursor::varint)?,
        resolution: Time(0),
        sizes: None,
    };
    if !cursor.at_end() {
        tally.resolution = Time(cursor.varint()?);
        if cursor.bool()? {
            tally.sizes = Some((Bytes(cursor.varint()?), Bytes(cursor.varint()?)));
        }
    }
    if tally.lifetimes.len() > MAX_LIFETIMES { Err(Skip::Malformed) } else { Ok(tally) }
}

/// ```text
/// number: varint
/// stack:  varint
/// blocks: varint
/// bytes:  varint
/// ```
pub(super) fn put_snapshot(sink: &mut Sink, snapshot: &Snapshot) {
    sink.varint(snapshot.number.into());
    sink.varint(snapshot.stack.0.into());
    sink.varint(snapshot.blocks);
    sink.varint(snapshot.bytes.0);
}

pub(super) fn take_snapshot(
    cursor: &mut Cursor<'_>,
    stacks: &mut StackIds,
) -> Result<Snapshot, Skip> {
    Ok(Snapshot {
        number: cursor.u32()?,
        stack: stacks.resolve(cursor.varint()?),
        blocks: cursor.varint()?,
        bytes: Bytes(cursor.varint()?),
    })
}

/// ```text
/// metric: one byte
/// value:  varint
/// ```
pub(super) fn put_sample(sink: &mut Sink, sample: Sample) {
    sink.byte(sample.metric as u8);
    sink.varint(sample.value);
}

pub(super) fn take_sample(cursor: &mut Cursor<'_>) -> Result<Sample, Skip> {
    Ok(Sample { metric: cursor.vital_code(&METRICS)?, value: cursor.varint()? })
}
