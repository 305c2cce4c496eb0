//! A record as it left a ring: checked, stamped, its addresses not yet resolved.

use unfreed_wire::Tally;

use crate::event::{Address, Bytes, Function, HeapId, Metric, Time};

use super::clock::Stamp;
use crate::collect::scan::Group;

/// Where a record came from: index of the process in the session, and the thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::collect) struct Origin {
    pub(in crate::collect) process: u32,
    pub(in crate::collect) tid: u32,
}

impl Origin {
    /// No process in particular: what is said concerns all of them.
    pub(in crate::collect) const EVERYBODY: Origin = Origin { process: u32::MAX, tid: 0 };
}

/// One record, or something the collector itself has to say at a moment.
#[derive(Debug)]
pub(in crate::collect) struct Record {
    pub(in crate::collect) stamp: Stamp,
    pub(in crate::collect) origin: Origin,
    pub(in crate::collect) payload: Payload,
}

/// The name that an agent gave a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::collect) struct StackHash(pub(in crate::collect) u64);

/// Counts how often a process unloaded modules: what lies at an address is only certain within one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::collect) struct Generation(pub(in crate::collect) u32);

#[derive(Debug)]
pub(in crate::collect) enum Payload {
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
    /// An allocation or a free in one of Windows' heaps.
    InHeap(HeapId, Box<Payload>),
    HeapCreated {
        heap: HeapId,
        stack: StackHash,
    },
    HeapDestroyed(HeapId),
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
    /// An allocation or a free in a heap.
    pub(in crate::collect) fn in_heap(heap: HeapId, what: Payload) -> Payload {
        Payload::InHeap(heap, Box::new(what))
    }

    /// Whether this only defines what other records refer to.
    pub(in crate::collect) fn is_definition(&self) -> bool {
        matches!(self, Payload::Stack(_) | Payload::Module(..))
    }

    /// Where a block came or went.
    pub(in crate::collect) fn address(&self) -> Option<Address> {
        match self {
            Payload::Alloc { address, .. } | Payload::Free { address, .. } => Some(*address),
            _ => None,
        }
    }

    /// Takes it out of its record, and leaves in its place what takes no memory.
    pub(in crate::collect) fn take(&mut self) -> Payload {
        std::mem::replace(self, Payload::Epoch)
    }

    /// How much memory it holds beside its own size, in units of a plain record's.
    pub(in crate::collect) fn weight(&self) -> usize {
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
pub(in crate::collect) struct Again {
    pub(in crate::collect) address: Address,
    pub(in crate::collect) function: Function,
    pub(in crate::collect) stack: StackHash,
    /// The stack that had allocated the block freed before.
    pub(in crate::collect) site: StackHash,
    /// Where that free was called from.
    pub(in crate::collect) from: Address,
    pub(in crate::collect) freed: Stamp,
}

/// Blocks that were counted, and where.
#[derive(Debug)]
pub(in crate::collect) struct Tallied {
    pub(in crate::collect) stack: StackHash,
    pub(in crate::collect) since: Stamp,
    pub(in crate::collect) counted: Counted,
    /// As the vocabulary has them.
    pub(in crate::collect) lifetimes: Vec<u64>,
    pub(in crate::collect) resolution: Time,
}

/// How many blocks, and of what kind.
#[derive(Clone, Debug)]
pub(in crate::collect) struct Counted {
    pub(in crate::collect) blocks: u64,
    pub(in crate::collect) bytes: Bytes,
    pub(in crate::collect) smallest: Bytes,
    pub(in crate::collect) largest: Bytes,
    /// By [`Tally::lifetime_index`].
    pub(in crate::collect) lifetimes: [u64; Tally::LIFETIMES],
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
pub(in crate::collect) struct StackDefinition {
    pub(in crate::collect) hash: StackHash,
    pub(in crate::collect) complete: bool,
    /// Of the modules that its frames lie in.
    pub(in crate::collect) generation: Generation,
    /// Frame words, innermost first.
    pub(in crate::collect) frames: Vec<u64>,
}

/// A module, from the agent or from the process's map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::collect) struct ModuleSeen {
    /// Empty for the program itself.
    pub(in crate::collect) path: Vec<u8>,
    pub(in crate::collect) load_bias: u64,
    pub(in crate::collect) start: u64,
    pub(in crate::collect) end: u64,
}

#[derive(Debug)]
pub(in crate::collect) struct ProcessBegan {
    pub(in crate::collect) pid: u32,
    pub(in crate::collect) parent: u32,
    pub(in crate::collect) name: String,
    pub(in crate::collect) command: Vec<String>,
    /// Path of its program.
    pub(in crate::collect) program: String,
    /// Whether it ran before it was traced.
    pub(in crate::collect) attached: bool,
    /// Index of the traced process it was forked from, where it was.
    pub(in crate::collect) forked_from: Option<u32>,
}
