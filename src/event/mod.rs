//! The vocabulary: what any source, live or recorded, can say of a traced process.
//!
//! Sources yield events in time order; the ledger folds them; the native trace stores them
//! unchanged. An event never holds a name that had to be looked up: frames are a module and
//! an offset, and naming happens later, elsewhere, for the few stacks that survive. The one
//! exception is [`What::Name`], by which a trace carries names for a machine without symbols.

mod heap;
mod id;
mod process;
mod scan;
mod stack;
mod told;

pub use heap::{Alloc, Free, FreedBefore, Function, HeapCreate, Realloc, Snapshot, Tally};
pub use id::{Address, Bytes, HeapId, ModuleId, ProcessId, StackId, Tid, Time};
pub use process::{Exception, Exit, Module, Process};
pub use scan::{Reach, Root, RootKind, Scan, Unread};
pub use stack::{Frame, Name, NamedFunction, StackNode, Trust};
pub use told::{Fact, FactKind, Loss, Lost, Mark, Metric, Sample};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When. Times never go backwards within a source's stream.
    pub time: Time,
    /// Where.
    pub process: ProcessId,
    /// On which thread.
    pub thread: Tid,
    /// What.
    pub what: What,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A block was allocated. A realloc that moved is a [`What::Free`] by
    /// [`Function::Realloc`] when it began and an `Alloc` by [`Function::Realloc`] when it ended.
    Alloc(Alloc),
    /// A block was released.
    Free(Free),
    /// What is known of an earlier free at an address. Said directly before the [`What::Free`]
    /// that frees the address again, by a source that had only counted the block freed before.
    FreedBefore(Box<FreedBefore>),
    /// A block changed its size in place (`old == new`), or a source knows only that it moved.
    Realloc(Realloc),
    /// Defines the next stack node; ids count up from [`StackId::FIRST`].
    Stack(StackNode),
    /// A module was mapped.
    Module(Box<Module>),
    /// The module mapped at this base was unmapped.
    ModuleUnload(Address),
    /// A process image began, or was found running.
    Process(Box<Process>),
    /// The process ended.
    ProcessExit(Exit),
    /// A thread began; a name where known.
    Thread(Box<str>),
    /// The event's thread ended.
    ThreadExit,
    /// A heap was created, with the stack that did so.
    HeapCreate(HeapCreate),
    /// A heap was destroyed, and with it every block in it. Never [`HeapId::DEFAULT`].
    HeapDestroy(HeapId),
    /// Something was lost.
    Loss(Loss),
    /// A mark set by the user.
    Mark(Box<Mark>),
    /// Blocks that were counted, not listed.
    Tally(Box<Tally>),
    /// The live set of one stack at this time, without addresses (UMDH).
    Snapshot(Box<Snapshot>),
    /// A measured quantity of the process.
    Sample(Sample),
    /// A fact about the target, read on it.
    Fact(Box<Fact>),
    /// A point at which verdicts may be computed. Sources place these, never the reader.
    Epoch,
    /// Names of one frame, so that a trace can be read without symbols.
    Name(Box<Name>),
    /// A reachability scan of the process was made, or could not be: it replaces the one before.
    Scan(Box<Scan>),
    /// What the latest scan found of some blocks.
    Reach(Box<Reach>),
    /// An exception that ended the process, or for which its memory was written to a file.
    Exception(Exception),
}
