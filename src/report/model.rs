//! The report's model: what every rendering and the JSON are made of, in the order in which
//! people ask. `docs/json-schema.md` documents it; the field names are a contract.

use serde::{Deserialize, Serialize};
use unfreed_symbols::Found;

use super::diff::DiffReport;
pub use super::history::{Bar, History, LiveSpan};
use super::known;
pub use super::uncertain::{SiteUncertainty, TotalsUncertainty, Uncertainty};
use crate::event::{Exit, Metric, RootKind, Trust};
use crate::fixes::Match;
pub use crate::read::case::Placed;
pub use crate::verdict::{Burst, Counted, Held, Unjudged, Unmeasured};

/// The version of the JSON schema.
pub const SCHEMA: u32 = 1;

/// Everything a report says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Where the events came from.
    pub source: Source,
    /// The processes traced.
    pub target: Vec<Target>,
    /// Seconds from the first event to the last epoch mark.
    pub duration_s: f64,
    /// What was lost.
    pub losses: Losses,
    /// Processes that ran and were not traced, and modules of traced ones whose calls went past the
    /// tracer: nothing is known of what they allocated, nor of what such a module freed.
    pub not_traced: Vec<NotTraced>,
    /// What could not be read, with offsets.
    pub faults: Vec<Fault>,
    /// Sums over all processes.
    pub totals: Totals,
    /// Every module seen, with its identity.
    pub modules: Vec<ListedModule>,
    /// The suspects, most important first.
    pub suspects: Vec<Suspect>,
    /// Exceptions, as crash dumps tell of them. They are no suspects.
    #[serde(default)]
    pub crashes: Vec<Crash>,
    /// How many sites were dismissed, by verdict.
    pub dismissed: Dismissed,
    /// What would decide the undecided sites, most bytes first.
    pub undecided: Vec<Undecided>,
    /// The least confidence at which an accumulating site is a suspect, 0 to 1.
    pub min_confidence: f64,
    /// The smallest leak that would have been a suspect at [`DEFAULT_MIN_CONFIDENCE`]; `None` where
    /// nothing could be seen.
    ///
    /// [`DEFAULT_MIN_CONFIDENCE`]: crate::verdict::DEFAULT_MIN_CONFIDENCE
    pub smallest_detectable_bytes_per_s: Option<f64>,
    /// Why that is `None`.
    pub unmeasured: Option<Unmeasured>,
    /// Where most allocations came in a short part of the observation: the rest of it tells little of
    /// what leaks only under such work.
    #[serde(default)]
    pub burst: Option<Burst>,
    /// How many processes that allocated it says nothing of.
    pub processes_unmeasured: u64,
    /// Whether the trace says anything: it has a suspect, or could have shown one. Without that,
    /// "no suspect" means nothing.
    pub conclusive: bool,
    /// What became of the suspects since an earlier trace; `None` where none was held against it.
    #[serde(default)]
    pub baseline: Option<DiffReport>,
}

/// Where the events came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// `agent`, `ebpf`, `etw`, `etl`, `umdh`, `heaptrack`, `minidump`.
    pub kind: String,
    /// Version of the unfreed that took the trace.
    pub version: String,
    /// When the trace began: seconds since 1970-01-01 UTC.
    pub started_unix_s: f64,
    /// Minutes east of UTC on the traced machine.
    pub utc_offset_minutes: i32,
    /// Whether no process ran before the trace began; if one did, its older blocks are unknown.
    pub from_start: bool,
    /// How many snapshots of the live set there are; 0 where blocks were told one by one.
    #[serde(default)]
    pub snapshots: u64,
    /// The recordings, where several were read as one; else none.
    #[serde(default)]
    pub files: Vec<SourceFile>,
    /// What a reader could not tell, or had to take for granted.
    #[serde(default)]
    pub notes: Vec<Note>,
}

/// One of several recordings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Its path, as given.
    pub name: String,
    /// As [`Source::kind`].
    pub kind: String,
    /// When it begins; `None` where it does not say.
    pub started_unix_s: Option<f64>,
    /// How it was put on one clock with the others.
    pub placed: Placed,
    /// Events that it told.
    pub events: u64,
    /// Events of blocks that were left out, since an earlier file lists the blocks of the same process.
    pub listed_twice: u64,
}

/// Something to know of a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// What it is about.
    pub about: String,
    /// What there is to know.
    pub text: Option<String>,
}

/// One traced process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// The system's number for it.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// Its command line.
    pub command: Vec<String>,
    /// Since when it was watched.
    pub seen_from: SeenFrom,
    /// For how many seconds of its beginning nothing was seen: it began while others were traced, and had to be
    /// attached to. `None` where nothing was missed, or it ran before.
    #[serde(default)]
    pub unseen_first_s: Option<f64>,
    /// How it ended.
    pub exit: Exit,
    /// Blocks it allocated.
    pub allocations: u64,
    /// How far that may be off; `None` where it was counted.
    pub allocations_uncertainty: Option<Uncertainty>,
    /// If it was sampled: mean bytes allocated from one sampling point to the next.
    pub sampled_bytes: Option<u64>,
    /// Its reachability scan; `None` where none was asked for.
    #[serde(default)]
    pub scan: Option<ScanShown>,
    /// What was measured of it as a whole.
    #[serde(default)]
    pub counters: Vec<Counted>,
    /// How its memory grew; `None` where that was not measured.
    #[serde(default)]
    pub memory: Option<MemoryShown>,
}

/// How the memory of one process grew, and how much of it the traced blocks explain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryShown {
    /// Which quantity: `private-bytes` or `rss`.
    pub metric: Metric,
    /// First and last measurement, in seconds after the trace began.
    pub from_s: f64,
    /// See [`MemoryShown::from_s`].
    pub to_s: f64,
    /// Value at the first, in bytes.
    pub first_bytes: u64,
    /// Value at the last.
    pub last_bytes: u64,
    /// By how much it grew.
    pub growth_bytes: i64,
    /// By how much live blocks of heaps grew; `None` where no blocks were traced.
    pub live_blocks_bytes: Option<i64>,
    /// By how much grew what the program mapped itself (`VirtualAlloc`, `mmap`).
    pub mapped_bytes: Option<i64>,
    /// By how much grew what heaps had committed, as they told; `None` where they did not.
    pub heap_committed_bytes: Option<i64>,
    /// By how much managed heaps grew; `None` where that was not measured.
    pub managed_heap_bytes: Option<i64>,
    /// What nothing of this explains; `None` where no blocks were traced.
    pub unexplained_bytes: Option<i64>,
    /// Runtimes with a heap of their own that the process had loaded.
    pub runtimes: Vec<String>,
}

/// A reachability scan of one process. Where it could not be made there are no numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScanShown {
    /// Why there is no result; `None` where there is one.
    pub failed: Option<String>,
    /// How long the process stood still, in seconds; `None` where a core dump of it was looked at.
    pub stopped_s: Option<f64>,
    /// Bytes of its memory that were read.
    pub read_bytes: Option<u64>,
    /// Whether all its blocks were known and all its memory was read. Where blocks were not known, the memory between
    /// known ones counted as referring to what it has addresses of.
    pub whole: Option<bool>,
    /// Bytes that may refer to blocks and were not read.
    #[serde(default)]
    pub unread_bytes: Option<u64>,
    /// What these are, and what else of the moment of the scan is not known.
    #[serde(default)]
    pub unread: Option<String>,
    /// Blocks that lived.
    pub blocks: Option<u64>,
    /// Their bytes.
    pub bytes: Option<u64>,
    /// Blocks that nothing referred to.
    pub lost_blocks: Option<u64>,
    /// Their bytes.
    pub lost_bytes: Option<u64>,
}

/// What a reachability scan found of one site's blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// Blocks that lived as it was made.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blocks that nothing referred to.
    pub lost_blocks: u64,
    /// Their bytes.
    pub lost_bytes: u64,
    /// Blocks to whose inside something referred, and nothing to their beginning.
    pub interior_blocks: u64,
    /// What led to the others, most blocks first.
    pub roots: Vec<RootShown>,
}

/// A kind of memory that refers to blocks, in one module or in none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootShown {
    /// What kind.
    pub kind: RootKind,
    /// The module's name.
    pub module: Option<String>,
    /// Where the lowest such word lies, hexadecimal: in the module's file's own terms, or the plain address
    /// outside any; `None` for a register.
    pub address: Option<String>,
    /// Blocks that it led to, perhaps by way of others.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Since when a process image was watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeenFrom {
    /// From its beginning.
    Start,
    /// From its beginning, as a traced process's child that executed nothing: the blocks it
    /// inherited count as its parent's.
    Fork,
    /// It ran before the trace began: its older blocks are unknown.
    Running,
}

/// What was lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Losses {
    /// Allocation and free events.
    pub events: u64,
    /// Of those, frees: each can make a freed block look alive.
    pub frees: u64,
    /// Stacks of recorded allocations.
    pub stacks: u64,
    /// Bytes of the recording.
    pub bytes: u64,
}

/// A process that ran and was not traced, or a module of a traced one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotTraced {
    /// Its program and pid; for a module its path, and its process's name and pid.
    pub program: String,
    /// Why it was not.
    pub why: String,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Where in the file, in bytes from its start.
    pub offset: u64,
    /// What was found there and what was done about it.
    pub what: String,
    /// How often.
    pub count: u64,
}

/// Sums over all processes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Blocks allocated.
    pub allocations: u64,
    /// Blocks freed.
    pub frees: u64,
    /// Blocks never freed.
    pub live_blocks: u64,
    /// Their bytes.
    pub live_bytes: u64,
    /// Frees of blocks whose allocation was not seen.
    pub frees_unmatched: u64,
    /// Blocks that must have been freed unseen: their address was given out again.
    pub frees_unseen: u64,
    /// Libraries whose allocations and frees are not seen at all, over all processes.
    #[serde(default)]
    pub libraries_unseen: u64,
    /// Whether a process was sampled: then the first four are estimates.
    pub estimated: bool,
    /// How far these may be off; `None` where they were counted.
    pub uncertainty: Option<TotalsUncertainty>,
}

/// A module, as the JSON names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// File name.
    pub name: String,
    /// Path on the traced machine.
    pub path: String,
    /// File version, else the package's.
    pub version: Option<String>,
    /// Owning package.
    pub package: Option<String>,
    /// ELF build-id.
    pub build_id: Option<String>,
    /// PDB: name, GUID and age.
    pub pdb: Option<String>,
}

/// A module of the recording's list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedModule {
    /// What it is.
    #[serde(flatten)]
    pub module: Module,
    /// Whether another company made it than the traced program and the system; `None` where nothing tells.
    pub third_party: Option<bool>,
    /// The published fixes that it is too old for.
    pub lacks: Vec<Lacking>,
}

/// A published fix that a module lacks by its version, whether or not anything is seen of what it mends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lacking {
    /// The fix's id in the catalogue.
    pub fix: String,
    /// The first version that has it.
    pub version: String,
}

/// What a suspect is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Accumulates and was found unreferenced.
    Leak,
    /// Accumulates.
    Growth,
    /// Freed more often than allocated.
    OverRelease,
}

/// One suspect.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Suspect {
    /// What it is.
    pub kind: Kind,
    /// The site's verdict: the words of the design.
    pub verdict: String,
    /// 0 to 1.
    pub confidence: f64,
    /// The verdict in two plain sentences.
    pub explanation: String,
    /// What the verdict rests on.
    pub evidence: Vec<Evidence>,
    /// Which process: its name.
    pub process: String,
    /// Which process: its pid. An exec keeps the pid.
    pub pid: u32,
    /// Which process image: its index in [`Report::target`]. A program that executes itself anew
    /// keeps pid and name, and is another image.
    pub target: usize,
    /// The blame frame's function, or `module+0xoffset`.
    pub function: String,
    /// The blame frame's module.
    pub module: Module,
    /// Blocks ever allocated at the site.
    pub allocations: u64,
    /// Live blocks.
    pub live_blocks: u64,
    /// Live bytes.
    pub live_bytes: u64,
    /// Blocks that were freed only when the process shut down. Where there are any, the live blocks
    /// and bytes are those before it did.
    pub freed_at_end: u64,
    /// Bytes per allocation.
    pub bytes_per_call: Option<BytesPerCall>,
    /// Blocks that stayed per marked event ("1,000 messages sent"), where marks carry counts.
    pub blocks_per_event: Option<f64>,
    /// Whether the counts are estimates from sampling.
    pub estimated: bool,
    /// How far these may be off; `None` where they were counted.
    pub uncertainty: Option<SiteUncertainty>,
    /// Rate at which the site's live bytes grow; 0 for an over-release, NaN (in the JSON `null`) where it is
    /// known only by how much.
    #[serde(with = "known")]
    pub growth_bytes_per_s: f64,
    /// Seconds after the trace's beginning at which the first of the live blocks was allocated.
    pub since_s: f64,
    /// Whether the blocks are still referenced.
    pub held: Held,
    /// What was found of that; `None` where it was not measured.
    #[serde(default)]
    pub reached: Option<Reached>,
    /// The allocation stack, innermost frame first; the blame frame is marked.
    pub stack: Vec<StackFrame>,
    /// Whether the stack reaches the outermost caller.
    pub stack_complete: bool,
    /// For an over-release: how often, and where it was freed.
    pub over_release: Option<OverRelease>,
    /// Known fixes, best first.
    pub fixes: Vec<Match>,
    /// How its blocks came and went.
    #[serde(default)]
    pub history: History,
}

/// An exception in a crash dump.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Crash {
    /// The process's name.
    pub process: String,
    /// Its pid.
    pub pid: u32,
    /// Its index in [`Report::target`].
    pub target: usize,
    /// The thread that raised it.
    pub thread: u32,
    /// The exception's code, hexadecimal.
    pub code: String,
    /// What Windows's exceptions of that code are called; `None` for codes without a name.
    pub name: Option<String>,
    /// The instruction that raised it, hexadecimal.
    pub address: String,
    /// The module that the instruction is in; `None` outside any.
    pub module: Option<Module>,
    /// The thread's stack, innermost first, as far as it is known.
    pub stack: Vec<StackFrame>,
    /// Whether that is all of it.
    pub stack_complete: bool,
    /// Known fixes that may explain it, best first.
    pub fixes: Vec<Match>,
}

/// A block that was freed twice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OverRelease {
    /// How often that happened at this site and place.
    pub count: u64,
    /// The stack of the first free, which is suspected; empty where none was taken.
    pub first_free: Vec<StackFrame>,
    /// Whether that stack reaches the outermost caller; if not, mostly one frame is known.
    #[serde(default)]
    pub first_free_complete: bool,
    /// The stack of the second free; empty where none was taken.
    pub second_free: Vec<StackFrame>,
}

/// One number a verdict rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Which, as `docs/verdicts.md` names it.
    pub fact: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: String,
    /// The standard error, where it is an estimate from sampling.
    pub standard_error: Option<f64>,
}

/// Bytes per allocation at a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is its name")]
pub struct BytesPerCall {
    pub min: u64,
    pub median: u64,
    pub max: u64,
}

/// One frame of a suspect's stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackFrame {
    /// Module name, or `None` outside any.
    pub module: Option<String>,
    /// Function, or `None`: then `module+0xoffset` is all that is known.
    pub function: Option<String>,
    /// Source file.
    pub file: Option<String>,
    /// Source line.
    pub line: Option<u32>,
    /// Offset within the module (the plain address outside any), hexadecimal; `None` where the source
    /// gives the function by name alone.
    pub address: Option<String>,
    /// How the frame was found.
    pub trust: Trust,
    /// How the name was found; `None` where there is none.
    pub found: Option<Found>,
    /// Whether this function was inlined into the next frame's.
    pub inlined: bool,
    /// Whether this is the blame frame.
    pub blame: bool,
}

/// How many sites are no suspects, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is a verdict")]
pub struct Dismissed {
    pub cache: u64,
    pub steady: u64,
    #[serde(rename = "one-off")]
    pub one_off: u64,
    pub undecided: u64,
    /// Sites judged to accumulate, or freed too often, below the confidence bound.
    pub below_bound: u64,
    /// Of those, the ones freed too often.
    pub below_bound_over_release: u64,
    /// Second frees that accuse nobody, because what was lost or not seen may explain them.
    pub over_releases_unjudged: u64,
    /// The same by the reason.
    #[serde(default)]
    pub unjudged_by: Unjudged,
}

/// Sites whose verdict would be decided by the same thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Undecided {
    /// What would decide them.
    pub decided_by: String,
    /// How many sites.
    pub sites: u64,
    /// Their live bytes.
    pub live_bytes: u64,
    /// How far that may be off; `None` where it was counted.
    pub live_bytes_uncertainty: Option<Uncertainty>,
}
