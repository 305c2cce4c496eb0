//! A record as it left a ring: checked, stamped, its addresses not yet resolved.

use crate::event::{Address, Bytes, Function, Metric};

use super::clock::Stamp;

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
    Resize {
        address: Address,
        size: Bytes,
        stack: StackHash,
        function: Function,
    },
    Stack(Box<StackDefinition>),
    Module(Box<ModuleSeen>),
    /// It is time to look for modules that no stack has shown.
    RefreshModules,
    ThreadBegan,
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
        matches!(self, Payload::Stack(_) | Payload::Module(_))
    }

    /// How much memory it holds beside its own size, in units of a plain record's.
    pub(super) fn weight(&self) -> usize {
        const PLAIN: usize = size_of::<Record>();
        match self {
            Payload::Stack(definition) => 1 + size_of_val(definition.frames.as_slice()) / PLAIN,
            Payload::Module(seen) => 1 + seen.path.len() / PLAIN,
            Payload::Mark(mark) => 1 + mark.text.len() / PLAIN,
            _ => 1,
        }
    }
}

#[derive(Debug)]
pub(super) struct StackDefinition {
    pub(super) hash: StackHash,
    pub(super) complete: bool,
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
