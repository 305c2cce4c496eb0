//! The time, as the collector publishes it: the agent asks no clock, which a program may have
//! forbidden itself, and which costs more than everything else that is done for a block.
//!
//! Stamps are as coarse as the clock, a few milliseconds. Their order where it matters, for one
//! address, does not come from the clock: see [`crate::young`].

use crate::session::Joined;

/// What refers to something is stamped later than that: the time itself, stacks, modules, processes.
const STACKS_BEFORE: u64 = 1;
const MODULES_BEFORE: u64 = 2;
const PROCESS_BEFORE: u64 = 3;

/// The time now.
#[inline(always)]
pub(crate) fn stamp(session: Joined) -> u64 {
    session.clock()
}

/// The stamp of a stack's definition.
#[inline(always)]
pub(crate) fn stack_stamp(session: Joined) -> u64 {
    session.clock().saturating_sub(STACKS_BEFORE)
}

/// The stamp of a module's definition.
pub(crate) fn module_stamp(session: Joined) -> u64 {
    session.clock().saturating_sub(MODULES_BEFORE)
}

/// The stamp of a process's beginning.
pub(crate) fn process_stamp(session: Joined) -> u64 {
    session.clock().saturating_sub(PROCESS_BEFORE)
}
