//! Which blocks something still refers to.

use serde::{Deserialize, Serialize};

use super::{Bytes, ModuleId, StackId, Time};

/// A reachability scan: which live blocks something in their process still refers to. Each of these is in
/// one of the [`Reach`] events that follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// How long the process stood still for it, in nanoseconds.
    pub stopped: Time,
    /// Bytes of its memory that were read.
    pub read: Bytes,
    /// Whether all its blocks were known, and all memory that may refer to them was read. Where blocks were not
    /// known, the memory between known ones may hold others, and counted as referring to what it has addresses of.
    pub whole: bool,
    /// Why there is no result; `None` where there is one.
    pub failed: Option<String>,
    /// What was not read.
    pub unread: Unread,
    /// Whether the memory is exactly of the moment of the event. If not, it is a core dump's: what was freed in
    /// between seems lost.
    pub exact: bool,
}

/// Memory that may refer to blocks and was not read: what only it refers to seems lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// What the process alone writes to.
    pub own: Bytes,
    /// What it shares with others.
    pub shared: Bytes,
    /// What it is, and whatever else is not known of the moment of the scan, in words.
    pub what: Option<String>,
}

/// Live blocks of one stack that the same refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Their stack.
    pub stack: StackId,
    /// They were allocated in a span of time that began then.
    pub born: Time,
    /// What they were reached from; `None`: nothing refers to them.
    pub root: Option<Root>,
    /// How many.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: Bytes,
    /// Of them, those to whose inside something refers, and nothing to their beginning.
    pub interior: u64,
}

/// What blocks were reached from, perhaps by way of other blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// What kind of memory it is.
    pub kind: RootKind,
    /// The module that the memory belongs to.
    pub module: Option<ModuleId>,
    /// Where the first such word is: as [`Frame::offset`](super::Frame::offset) has it in a module, elsewhere its address, 0 in a register.
    pub offset: u64,
}

/// What kind of memory refers to a block. Where several do, the first in this order is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum RootKind {
    /// A module's data.
    Global = 0,
    /// Thread-local storage, or what the C library keeps of a thread.
    ThreadLocal = 1,
    /// Memory that the program mapped by itself.
    Mapping = 2,
    /// Memory between known blocks, in a process of which not all blocks are known.
    Untold = 3,
    /// A stack.
    Stack = 4,
    /// A register.
    Register = 5,
}
