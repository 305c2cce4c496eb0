//! What a triage says: how each process grew, by whose doing, and whether a full trace is worth it. `docs/json-schema.md`
//! documents it; the field names are a contract.

pub mod text;

use serde::{Deserialize, Serialize};

use super::blamed::survivors;
use super::model::{NotTraced, SCHEMA, StackFrame};
use super::stacks::shown;
use super::text::units::bytes;
use crate::collect::ebpf::{Grown, Kind, Whose};
use crate::event::{ProcessId, StackId};
use crate::ledger::Ledger;
use crate::names::Namer;

/// Growth below this says nothing: one step of a heap is as large.
const LEAST: i64 = 256 << 10;
/// Parts that are shown of each process.
const PARTS_MOST: usize = 10;

/// The result.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Triage {
    /// Version of the form.
    pub schema: u32,
    /// How long the processes were watched.
    pub duration_s: f64,
    /// The processes that still ran in the end.
    pub processes: Vec<Triaged>,
    /// Processes of which nothing is known, and why.
    pub not_traced: Vec<NotTraced>,
}

/// Whether a full trace of a process is worth it, by what grew most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Worth {
    /// It is: memory of an allocator grew.
    Allocations,
    /// Memory that was mapped before the watching: a trace may tell more, if it is an allocator's.
    Perhaps,
    /// Not of allocations: the program mapped the memory itself, and the stacks below are who.
    Mappings,
    /// Not of allocations: parts of files, or shared memory.
    Files,
    /// Not of allocations: stacks.
    Stacks,
    /// It hardly grew.
    Steady,
    /// It grew, and too little of that was seen.
    Unknown,
}

/// One process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Triaged {
    /// The system's number for it.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// Whether a full trace is worth it.
    pub worth: Worth,
    /// The same in a sentence or two.
    pub advice: String,
    /// The command that traces what grew; `None` where none would.
    pub command: Option<String>,
    /// Private memory at first, in bytes.
    pub first_bytes: u64,
    /// Private memory in the end.
    pub last_bytes: u64,
    /// By how much it grew.
    pub growth_bytes: i64,
    /// Memory that was touched during the watching and is there in the end, by all stacks.
    pub touched_bytes: u64,
    /// Records that found no room: so much less is known.
    pub lost: u64,
    /// The same sizes by kind of memory.
    pub kinds: Vec<KindGrown>,
    /// Who touched it, largest first; the ten largest.
    pub parts: Vec<PartShown>,
}

/// How one kind of memory grew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KindGrown {
    /// Which.
    pub kind: Kind,
    /// At first, in bytes.
    pub first_bytes: u64,
    /// In the end.
    pub last_bytes: u64,
    /// By how much it grew.
    pub growth_bytes: i64,
}

/// Whose memory it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// An allocator's.
    Allocator,
    /// The program's own.
    Program,
    /// It was mapped before the watching.
    Older,
}

/// What one stack touched.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PartShown {
    /// What kind of memory.
    pub kind: Kind,
    /// Whose.
    pub owner: Owner,
    /// The allocator's module, or `brk`, which the C library's malloc grows by.
    pub allocator: Option<String>,
    /// How much of it is there in the end.
    pub bytes: u64,
    /// The stack that touched it first, innermost frame first.
    pub stack: Vec<StackFrame>,
}

/// Puts it together. `blocks`: process and stack of each part, in their order.
pub fn assemble(
    ledger: &Ledger,
    namer: &mut Namer,
    duration_s: f64,
    grown: &[Grown],
    blocks: &[(ProcessId, StackId)],
) -> Triage {
    let named = survivors(ledger, namer, blocks.iter().copied());
    let mut blocks = blocks.iter();
    let processes = grown
        .iter()
        .map(|grown| {
            let mut process = judged(grown);
            for part in &grown.parts {
                let Some(key) = blocks.next() else { break };
                if process.parts.len() == PARTS_MOST {
                    continue;
                }
                let stack = named
                    .get(key)
                    .map_or(Vec::new(), |survivor| shown(&survivor.steps, survivor.blame));
                let (owner, allocator) = match &part.whose {
                    Whose::Allocator(name) => (Owner::Allocator, Some(name.to_string())),
                    Whose::Mapped => (Owner::Program, None),
                    Whose::Older => (Owner::Older, None),
                };
                let (kind, bytes) = (part.kind, part.bytes);
                process.parts.push(PartShown { kind, owner, allocator, bytes, stack });
            }
            process
        })
        .collect();
    let not_traced = super::assemble::not_traced(ledger);
    Triage { schema: SCHEMA, duration_s, processes, not_traced }
}

/// By how much something grew.
fn growth(first: u64, last: u64) -> i64 {
    i64::try_from(last).unwrap_or(i64::MAX).saturating_sub_unsigned(first)
}

/// A process without its parts.
pub fn judged(grown: &Grown) -> Triaged {
    let Grown { pid, name, first, last, parts, lost } = grown;
    let kinds: Vec<KindGrown> = Kind::ALL
        .into_iter()
        .map(|kind| KindGrown {
            kind,
            first_bytes: first.of(kind),
            last_bytes: last.of(kind),
            growth_bytes: growth(first.of(kind), last.of(kind)),
        })
        .collect();
    let sum = |of: fn(&KindGrown) -> u64| kinds.iter().map(of).fold(0, u64::saturating_add);
    let (first_bytes, last_bytes) = (sum(|kind| kind.first_bytes), sum(|kind| kind.last_bytes));
    let growth_bytes = growth(first_bytes, last_bytes);
    let (worth, most) = worth(grown, growth_bytes);
    let advice = match worth {
        Worth::Allocations => format!(
            "Its allocator's memory grew by {}: a full trace is worth it, and says which blocks are never freed.",
            bytes(most)
        ),
        Worth::Perhaps => format!(
            "Memory that it had mapped before grew by {}: if that is an allocator's, a full trace says more.",
            bytes(most)
        ),
        Worth::Mappings => format!(
            "It mapped {} itself, past every allocator: a full trace of allocations would not show that; the stacks \
             below are who did.",
            bytes(most)
        ),
        Worth::Files => format!(
            "Files and shared memory grew by {}: a full trace of allocations would not show that.",
            bytes(most)
        ),
        Worth::Stacks => format!(
            "Its stacks grew by {}: a full trace of allocations would not show that.",
            bytes(most)
        ),
        Worth::Steady => format!(
            "It hardly grew while it was watched (less than {}): a full trace is not worth it by that. A slow leak needs a \
             longer look.",
            bytes(LEAST.unsigned_abs())
        ),
        Worth::Unknown => {
            "It grew, and little of that was seen: nothing can be said of the rest.".to_owned()
        }
    };
    let is_worth_it = matches!(worth, Worth::Allocations | Worth::Perhaps);
    Triaged {
        pid: *pid,
        name: name.clone(),
        worth,
        advice,
        command: is_worth_it.then(|| format!("unfreed attach {pid} --duration 5m")),
        first_bytes,
        last_bytes,
        growth_bytes,
        touched_bytes: parts.iter().map(|part| part.bytes).fold(0, u64::saturating_add),
        lost: *lost,
        kinds,
        parts: Vec::new(),
    }
}

/// What grew most, and by how much: what was touched, and never more than its kind grew.
fn worth(grown: &Grown, growth_bytes: i64) -> (Worth, u64) {
    if growth_bytes < LEAST {
        return (Worth::Steady, 0);
    }
    let touched = |meant: &dyn Fn(Kind, &Whose) -> bool| -> u64 {
        let parts = grown.parts.iter().filter(|part| meant(part.kind, &part.whose));
        parts.map(|part| part.bytes).fold(0, u64::saturating_add)
    };
    let by_kind =
        |kind: Kind| growth(grown.first.of(kind), grown.last.of(kind)).try_into().unwrap_or(0u64);
    let private = |kind: Kind| matches!(kind, Kind::Heap | Kind::Anonymous);
    let candidates = [
        (
            Worth::Allocations,
            touched(&|kind, whose| private(kind) && matches!(whose, Whose::Allocator(_)))
                .min(by_kind(Kind::Heap).saturating_add(by_kind(Kind::Anonymous))),
        ),
        (
            Worth::Mappings,
            touched(&|kind, whose| private(kind) && *whose == Whose::Mapped)
                .min(by_kind(Kind::Anonymous)),
        ),
        (
            Worth::Perhaps,
            touched(&|kind, whose| private(kind) && *whose == Whose::Older)
                .min(by_kind(Kind::Anonymous)),
        ),
        (Worth::Stacks, touched(&|kind, _| kind == Kind::Stack)),
        (Worth::Files, by_kind(Kind::File).saturating_add(by_kind(Kind::Shared))),
    ];
    let most = candidates.into_iter().max_by_key(|(_, bytes)| *bytes);
    match most {
        // Of what grew at least a quarter is to be known.
        Some((worth, bytes)) if bytes >= growth_bytes.unsigned_abs() / 4 => (worth, bytes),
        _ => (Worth::Unknown, 0),
    }
}
