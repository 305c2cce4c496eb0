//! What was measured, lost, marked or found out beside the blocks.

use serde::{Deserialize, Serialize};

/// Something was lost. Never silent, never zero when not measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// What was lost.
    pub what: Lost,
    /// How many.
    pub count: u64,
}

/// What can be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Lost {
    /// Allocations that were not recorded: their blocks are unknown.
    Allocations = 0,
    /// Frees that were not recorded: their blocks may look alive.
    Frees = 1,
    /// Stacks of recorded allocations.
    Stacks = 2,
    /// Events of unknown kind (a lost buffer).
    Events = 3,
    /// Bytes of a recording that could not be read or written.
    Bytes = 4,
    /// Libraries whose allocations and frees the source does not see: they were loaded so that they
    /// find the C library's functions before its own (`RTLD_DEEPBIND`).
    Libraries = 5,
}

/// A mark set by the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Free text.
    pub text: String,
    /// How many of what the text says ("1,000 messages sent"), since the last mark.
    pub count: Option<u64>,
}

/// A measured quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Which quantity.
    pub metric: Metric,
    /// Its value, in the metric's unit.
    pub value: u64,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Metric {
    /// Resident bytes.
    Rss = 0,
    /// Private bytes (committed, not shared).
    PrivateBytes = 1,
    /// Virtual bytes.
    VirtualBytes = 2,
    /// Open handles or file descriptors.
    Handles = 3,
    /// Threads.
    Threads = 4,
    /// CPU time used, nanoseconds.
    CpuTime = 5,
    /// Bytes that the process's heaps have committed, as they themselves tell.
    HeapCommitted = 6,
    /// Bytes in the heaps of a managed runtime (.NET's `# Bytes in all Heaps`).
    ManagedHeap = 7,
}

/// A fact about the target: a setting, a package, a product level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What kind of fact.
    pub kind: FactKind,
    /// Of what (a registry value's path, a package's or product's name).
    pub subject: String,
    /// Its value; `None` states that it was looked for and is absent.
    pub value: Option<String>,
}

/// What kinds of fact there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum FactKind {
    /// A setting: a registry value, a configuration option.
    Setting = 0,
    /// An installed package and its version.
    Package = 1,
    /// A product and its level: subject `Exchange Server 5.5`, value `SP4`.
    Product = 2,
    /// Something of the machine: kernel, distribution, processors.
    System = 3,
    /// How the trace was taken: agent version, sampling.
    Capture = 4,
    /// A process that ran and was not traced: its program and pid; the value says why.
    NotTraced = 5,
    /// A module of the event's process that releases blocks past the tracer, so that they look alive:
    /// its path, and the process; the value says why.
    FreesUnseen = 6,
    /// A module of the event's process that allocates past the tracer: the same.
    AllocationsUnseen = 7,
    /// The snapshots of the event's process list some of its stacks only: what one does not list is unknown then,
    /// neither empty nor freed. Of which source, and the value says what it lists.
    ListsSome = 8,
    /// Of the beginning of the event's process, which began while others were traced, nothing was seen: its name and
    /// pid; the value is for how many nanoseconds.
    SeenLate = 9,
}
