//! A record as it left a ring: checked, stamped, its addresses not yet resolved.

use unfreed_wire::Tally;

use crate::event::{Address, Bytes, Function, Metric, Time};

use super::clock::Stamp;
use crate::collect::scan::Group;

/// Where a record came from: index of the process in the session, and the thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) process: u32,
    pub(super) tid: u32,
}

impl Origin {
    /// No process in particular: what is said concerns all of them.
    pub(super) const EVERYBODY: Origin = Origin { process: u32::MAX, tid: 0 };
}

/// One record, or something the collector itself has to say at a moment.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) stamp: Stamp,
    pub(super) origin: Origin,
    pub(super) payload: Payload,
}

/// The name that an agent gave a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct StackHash(pub(super) u64);

/// Counts how often a process unloaded modules: what lies at an address is only certain within one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Generation(pub(super) u32);

#[derive(Debug)]
pub(super) enum Payload {
    Alloc {
        address: Address,
        size: Bytes,
        stack: StackHash,
        function: Function,
    },
    Free {
        address: Address,
        function: Function,
    },
    /// A free where another was shortly before.
    Again(Box<Again>),
    /// A block that was allocated and freed, to be counted.
    Pair {
        stack: StackHash,
        size: Bytes,
        lived: Time,
    },
    /// Blocks that were counted.
    Tally(Box<Tallied>),
    Scan(Box<crate::event::Scan>),
    /// What a scan found.
    Reach(Box<Group>),
    Resize {
        address: Address,
        size: Bytes,
        stack: StackHash,
        function: Function,
    },
    Stack(Box<StackDefinition>),
    Module(Box<ModuleSeen>, Generation),
    /// The modules in the process's map, some of which no stack may have shown.
    Map(Vec<ModuleSeen>),
    /// With its name.
    ThreadBegan(Box<str>),
    ThreadEnded,
    ProcessBegan(Box<ProcessBegan>),
    ProcessEnded(crate::event::Exit),
    Lost {
        what: crate::event::Lost,
        count: u64,
    },
    Mark(Box<crate::event::Mark>),
    Sample {
        metric: Metric,
        value: u64,
    },
    Fact(Box<crate::event::Fact>),
    Epoch,
}

impl Payload {
    /// Whether this only defines what other records refer to.
    pub(super) fn is_definition(&self) -> bool {
        matches!(self, Payload::Stack(_) | Payload::Module(..))
    }

    /// Where a block came or went.
    pub(super) fn address(&self) -> Option<Address> {
        match self {
            Payload::Alloc { address, .. } | Payload::Free { address, .. } => Some(*address),
            _ => None,
        }
    }

    /// Takes it out of its record, and leaves in its place what takes no memory.
    pub(super) fn take(&mut self) -> Payload {
        std::mem::replace(self, Payload::Epoch)
    }

    /// How much memory it holds beside its own size, in units of a plain record's.
    pub(super) fn weight(&self) -> usize {
        const PLAIN: usize = size_of::<Record>();
        match self {
            Payload::Stack(definition) => 1 + size_of_val(definition.frames.as_slice()) / PLAIN,
            Payload::Module(seen, _) => 1 + seen.path.len() / PLAIN,
            Payload::Map(modules) => 1 + 2 * modules.len(),
            Payload::Tally(_) => 1 + size_of::<Tallied>() / PLAIN,
            Payload::Mark(mark) => 1 + mark.text.len() / PLAIN,
            _ => 1,
        }
    }
}

/// A free where another was shortly before, and what is known of that one.
#[derive(Debug)]
pub(super) struct Again {
    pub(super) address: Address,
    pub(super) function: Function,
    pub(super) stack: StackHash,
    /// The stack that had allocated the block freed before.
    pub(super) site: StackHash,
    /// Where that free was called from.
    pub(super) from: Address,
    pub(super) freed: Stamp,
}

/// Blocks that were counted, and where.
#[derive(Debug)]
pub(super) struct Tallied {
    pub(super) stack: StackHash,
    pub(super) since: Stamp,
    pub(super) counted: Counted,
    /// As the vocabulary has them.
    pub(super) lifetimes: Vec<u64>,
    pub(super) resolution: Time,
}

/// How many blocks, and of what kind.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    pub(super) blocks: u64,
    pub(super) bytes: Bytes,
    pub(super) smallest: Bytes,
    pub(super) largest: Bytes,
    /// By [`Tally::lifetime_index`].
    pub(super) lifetimes: [u64; Tally::LIFETIMES],
}

impl Default for Counted {
    fn default() -> Counted {
        Counted {
            blocks: 0,
            bytes: Bytes(0),
            smallest: Bytes(u64::MAX),
            largest: Bytes(0),
            lifetimes: [0; Tally::LIFETIMES],
        }
    }
}

#[derive(Debug)]
pub(super) struct StackDefinition {
    pub(super) hash: StackHash,
    pub(super) complete: bool,
    /// Of the modules that its frames lie in.
    pub(super) generation: Generation,
    /// Frame words, innermost first.
    pub(super) frames: Vec<u64>,
}

/// A module, from the agent or from the process's map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ModuleSeen {
    /// Empty for the program itself.
    pub(super) path: Vec<u8>,
    pub(super) load_bias: u64,
    pub(super) start: u64,
    pub(super) end: u64,
}

#[derive(Debug)]
pub(super) struct ProcessBegan {
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(super) name: String,
    pub(super) command: Vec<String>,
    /// Path of its program.
    pub(super) program: String,
    /// Index of the traced process it was forked from, where it was.
    pub(super) forked_from: Option<u32>,
}
