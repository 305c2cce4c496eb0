//! The vocabulary: what any source, live or recorded, can say of a traced process.
//!
//! Sources yield events in time order; the ledger folds them; the native trace stores them
//! unchanged. An event never holds a name that had to be looked up: frames are a module and
//! an offset, and naming happens later, elsewhere, for the few stacks that survive. The one
//! exception is [`What::Name`], by which a trace carries names for a machine without symbols.

use serde::{Deserialize, Serialize};
use unfreed_symbols::ModuleIdentity;

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
    /// known. Only a [`What::Loss`] speaks of it. One of [`Lost::Bytes`], and of [`Lost::Events`]
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
    /// The first id that a [`What::Stack`] may define.
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

/// How a block was allocated or freed.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
#[allow(missing_docs, reason = "each is the function it is named after")]
pub enum Function {
    /// The source does not say.
    #[default]
    Unknown = 0,
    Malloc = 1,
    Calloc = 2,
    Realloc = 3,
    Reallocarray = 4,
    PosixMemalign = 5,
    AlignedAlloc = 6,
    Memalign = 7,
    Valloc = 8,
    Pvalloc = 9,
    /// C++ `operator new` and its aligned and nothrow forms.
    New = 10,
    /// C++ `operator new[]`.
    NewArray = 11,
    Free = 12,
    /// C++ `operator delete`.
    Delete = 13,
    /// C++ `operator delete[]`.
    DeleteArray = 14,
    RtlAllocateHeap = 15,
    RtlReAllocateHeap = 16,
    RtlFreeHeap = 17,
    VirtualAlloc = 18,
    VirtualFree = 19,
    Mmap = 20,
    Munmap = 21,
    /// A heap itself, as a block at its handle: a private heap that is never destroyed leaks too.
    RtlCreateHeap = 22,
    RtlDestroyHeap = 23,
}

impl Function {
    /// The function as its callers write it: `malloc`, `operator new[]`, `RtlAllocateHeap`.
    pub fn name(self) -> &'static str {
        match self {
            Function::Unknown => "an unknown function",
            Function::Malloc => "malloc",
            Function::Calloc => "calloc",
            Function::Realloc => "realloc",
            Function::Reallocarray => "reallocarray",
            Function::PosixMemalign => "posix_memalign",
            Function::AlignedAlloc => "aligned_alloc",
            Function::Memalign => "memalign",
            Function::Valloc => "valloc",
            Function::Pvalloc => "pvalloc",
            Function::New => "operator new",
            Function::NewArray => "operator new[]",
            Function::Free => "free",
            Function::Delete => "operator delete",
            Function::DeleteArray => "operator delete[]",
            Function::RtlAllocateHeap => "RtlAllocateHeap",
            Function::RtlReAllocateHeap => "RtlReAllocateHeap",
            Function::RtlFreeHeap => "RtlFreeHeap",
            Function::VirtualAlloc => "VirtualAlloc",
            Function::VirtualFree => "VirtualFree",
            Function::Mmap => "mmap",
            Function::Munmap => "munmap",
            Function::RtlCreateHeap => "RtlCreateHeap",
            Function::RtlDestroyHeap => "RtlDestroyHeap",
        }
    }
}

/// A block was allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each field is its type")]
pub struct Alloc {
    pub address: Address,
    pub size: Bytes,
    pub stack: StackId,
    pub function: Function,
    pub heap: HeapId,
}

/// A block was released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Free {
    /// The block's address; never NULL.
    pub address: Address,
    /// Where it was freed; mostly [`StackId::NOT_TAKEN`].
    pub stack: StackId,
    /// The function that freed it.
    pub function: Function,
    /// The heap it was freed to.
    pub heap: HeapId,
}

/// An earlier free at an address that is about to be freed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreedBefore {
    /// The address. A block may live there all the same, of which the free was not that one.
    pub address: Address,
    /// The stack that had allocated the block freed before; [`StackId::NOT_TAKEN`] where the
    /// source did not see it allocated.
    pub site: StackId,
    /// Where it was freed, as far as is known: mostly the caller alone.
    pub stack: StackId,
    /// When.
    pub freed: Time,
}

/// A block changed its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Realloc {
    /// Address before.
    pub old: Address,
    /// Address after; the same where the block did not move.
    pub new: Address,
    /// The new size.
    pub size: Bytes,
    /// The stack of the call; the block belongs to this site from now on.
    pub stack: StackId,
    /// The function called.
    pub function: Function,
    /// The heap.
    pub heap: HeapId,
}

/// One node of the stack tree: a frame and its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StackNode {
    /// The caller's node, or a root.
    pub caller: StackId,
    /// The frame.
    pub frame: Frame,
}

/// One frame: a place in a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// The module, or `None` for code outside any (JIT).
    pub module: Option<ModuleId>,
    /// Offset from the module's base (for ELF: the address in the file's own terms, as symbols
    /// have it); the plain address where there is no module. It is the return address: look up
    /// `offset - 1`, except where `trust` is [`Trust::Context`]. Where it is [`Trust::Named`] it is no
    /// address at all.
    pub offset: u64,
    /// How this frame was found.
    pub trust: Trust,
}

impl Frame {
    /// What is set in the offset of a frame of [`Trust::Named`], so that a [`What::Name`] shows whether it names an address.
    pub const NAMED: u64 = 1 << 63;

    /// Whether all that is known is an address and the name of the module that it lies in, but not where that begins.
    pub fn is_address_alone(&self) -> bool {
        self.trust == Trust::Named && self.offset & Self::NAMED == 0
    }
}

/// How a frame was found, best first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Trust {
    /// The interrupted instruction itself, not a return address.
    Context = 0,
    /// By unwind tables (`.eh_frame`, `.pdata`), or the caller of the traced function.
    Table = 1,
    /// By the frame pointer, where no table was found.
    FramePointer = 2,
    /// As the recorded source gives it, which does not say how.
    #[default]
    Recorded = 3,
    /// From the function's code, where no table was found.
    Code = 4,
    /// The recorded source gives its function by name and no address. The offset is [`Frame::NAMED`] and a number
    /// that only tells one such frame of a module from another; its names are those that a [`What::Name`] gives for
    /// it, best before the frame. Without [`Frame::NAMED`] it is a plain address in a module whose base is not known.
    Named = 5,
}

/// A module was mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its id in this trace.
    pub id: ModuleId,
    /// What it is. Said again for the same id when more became known.
    pub identity: ModuleIdentity,
    /// First address of the mapping.
    pub base: Address,
    /// Length of the mapping.
    pub size: Bytes,
}

/// A process image began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// The system's number for it.
    pub pid: u32,
    /// The parent's number; 0 where unknown.
    pub parent: u32,
    /// Name, as in `mosquitto` or `Inetinfo.exe`.
    pub name: String,
    /// Command line, arguments apart.
    pub command: Vec<String>,
    /// Whether allocations are seen from the process's beginning. If not, blocks may be older than
    /// the trace.
    pub from_start: bool,
    /// Whether the process was sampled, and how: on average one sampling point in so many bytes
    /// allocated, at distances drawn from an exponential distribution. A block of `s` bytes (one of
    /// none counts as 1) that holds a point is told, so with probability `1 - exp(-s / mean)`, and so
    /// is its free, always; of the others nothing is. A realloc draws anew. `None`: every block is
    /// told. What a [`Tally`] of a sampled process counts is complete.
    pub sampled: Option<Bytes>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It exited with this status.
    Status(i32),
    /// It was ended by this signal.
    Signal(i32),
    /// It ended; how is not known.
    Unknown,
    /// It was replaced by another image (exec).
    Replaced,
    /// It still ran when tracing ended, or when it was looked at last; not known to have ended.
    StillRunning,
}

/// A heap was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each field is its type")]
pub struct HeapCreate {
    pub heap: HeapId,
    pub stack: StackId,
}

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

/// Blocks of one site and interval that were counted where they happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Their stack.
    pub stack: StackId,
    /// The interval began at this time and ends at the event's.
    pub since: Time,
    /// Blocks allocated.
    pub allocated: u64,
    /// Bytes allocated.
    pub allocated_bytes: Bytes,
    /// Blocks freed.
    pub freed: u64,
    /// Bytes freed.
    pub freed_bytes: Bytes,
    /// The smallest and the largest block counted so far; `None` where the source does not say.
    pub sizes: Option<(Bytes, Bytes)>,
    /// Blocks freed by lifetime: index n counts those that lived at least 2^n ns and less than
    /// 2^(n+1) ns (index 0 also those below 1 ns). At most 64.
    pub lifetimes: Vec<u64>,
    /// Lifetimes shorter than this were not told apart and are all counted in index 0; 0 where
    /// all were.
    pub resolution: Time,
    /// Whether the counts are estimates from sampling.
    pub estimated: bool,
}

/// The live set of one stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Which snapshot: all entries of one carry the same number, counting up from 0.
    pub number: u32,
    /// The stack.
    pub stack: StackId,
    /// Live blocks.
    pub blocks: u64,
    /// Live bytes, as requested.
    pub bytes: Bytes,
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

/// An exception, as a crash dump tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The system's code for it: `0xc0000005` is an access violation.
    pub code: u32,
    /// The instruction at which it was raised.
    pub address: Address,
    /// The stack of the thread that raised it; the innermost frame is the instruction itself.
    pub stack: StackId,
}

impl Exception {
    /// What people call an exception of Windows by its code; `None` for those without a name of their own.
    pub fn name_of(code: u32) -> Option<&'static str> {
        Some(match code {
            0x8000_0001 => "guard page violation",
            0x8000_0002 => "datatype misalignment",
            0x8000_0003 => "breakpoint",
            0x8000_0004 => "single step",
            0xc000_0005 => "access violation",
            0xc000_0006 => "in-page error",
            0xc000_0008 => "invalid handle",
            0xc000_000d => "invalid parameter",
            0xc000_0017 => "no memory",
            0xc000_001d => "illegal instruction",
            0xc000_0025 => "noncontinuable exception",
            0xc000_008c => "array bounds exceeded",
            0xc000_008e => "floating-point division by zero",
            0xc000_0094 => "integer division by zero",
            0xc000_0095 => "integer overflow",
            0xc000_0096 => "privileged instruction",
            0xc000_00fd => "stack overflow",
            0xc000_0135 => "DLL not found",
            0xc000_0374 => "heap corruption",
            0xc000_0409 => "stack buffer overrun or fast fail",
            0xc000_0417 => "invalid parameter of a C runtime function",
            0xc000_0420 => "assertion failure",
            0xe06d_7363 => "C++ exception",
            0xe043_4352 | 0xe043_4f4d => ".NET exception",
            _ => return None,
        })
    }
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
    /// Where the first such word is: as [`Frame::offset`] has it in a module, elsewhere its address, 0 in a register.
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

/// The names at one frame, innermost inlined function first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The module.
    pub module: ModuleId,
    /// The frame's offset, as [`Frame::offset`] has it.
    pub offset: u64,
    /// Its functions: the last is the real one, those before it were inlined into it.
    pub functions: Vec<NamedFunction>,
}

/// A named function at a frame.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NamedFunction {
    /// Demangled name.
    pub function: String,
    /// Source file, where known.
    pub file: Option<String>,
    /// Source line, where known.
    pub line: Option<u32>,
}
