//! What things are called within one trace.

/// Nanoseconds since the trace began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

impl Time {
    /// The time in seconds.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

/// A process image within one trace. A pid can be reused and an exec replaces the image; both
/// get a new id. Ids are small and count up from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub u32);

impl ProcessId {
    /// Every process of the trace, those that come later too: whose the lost events were is not
    /// known. Only a [`What::Loss`](super::What::Loss) speaks of it. One of [`Lost::Bytes`](super::Lost::Bytes), and of [`Lost::Events`](super::Lost::Events)
    /// directly after it, stands exactly where they were lost: with nothing after it, all that came
    /// before is whole.
    pub const EVERY: ProcessId = ProcessId(u32::MAX);
}

/// An operating-system thread id; 0 where the source does not know it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tid(pub u32);

/// A virtual address in the traced process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub u64);

/// A size in bytes, as the program asked for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

/// A module identity within one trace; the same file mapped by two processes has one id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleId(pub u32);

/// A node of the stack tree. The ids below [`StackId::FIRST`] are roots that need no definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StackId(pub u32);

impl StackId {
    /// The root of stacks that were walked to their outermost caller.
    pub const COMPLETE: StackId = StackId(0);
    /// The root of stacks that end early: no unwind table, a depth limit, unreadable memory.
    pub const TRUNCATED: StackId = StackId(1);
    /// The stack was taken but lost on its way, or its definition was.
    pub const LOST: StackId = StackId(2);
    /// The source takes no stack here.
    pub const NOT_TAKEN: StackId = StackId(3);
    /// The first id that a [`What::Stack`](super::What::Stack) may define.
    pub const FIRST: StackId = StackId(4);

    /// Whether this is one of the four roots.
    pub fn is_root(self) -> bool {
        self < Self::FIRST
    }
}

/// A heap within a process (Windows); [`HeapId::DEFAULT`] where the system has only one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeapId(pub u64);

impl HeapId {
    /// The one heap of systems that have one, and of sources that name none.
    pub const DEFAULT: HeapId = HeapId(0);
}
