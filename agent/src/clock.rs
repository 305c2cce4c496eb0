//! The time, as the collector publishes it: the agent asks no clock, which a program may have
//! forbidden itself, and which costs more than everything else that is done for a block.
//!
//! Stamps are as coarse as the clock, about a millisecond. Their order where it matters, for one
//! address, does not come from the clock: see [`crate::young`].

use crate::session::Joined;

/// Begins before what is stamped with the time itself, for what this refers to.
const DEFINITIONS_BEFORE: u64 = 1;
const PROCESS_BEFORE: u64 = 2;

/// The time now.
#[inline(always)]
pub(crate) fn stamp(session: Joined) -> u64 {
    session.clock()
}

/// The stamp of a definition: whatever refers to it is later.
#[inline(always)]
pub(crate) fn definition_stamp(session: Joined) -> u64 {
    session.clock().saturating_sub(DEFINITIONS_BEFORE)
}

/// The stamp of a process's beginning: all it defines is later.
pub(crate) fn process_stamp(session: Joined) -> u64 {
    session.clock().saturating_sub(PROCESS_BEFORE)
}
