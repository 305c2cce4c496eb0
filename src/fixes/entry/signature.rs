//! What a tracer sees of a fault. Every part is optional but the kind of evidence; the loader sees
//! to it that enough is there to tell the fault from others. Sizes and counts say what they are
//! counted per, for "40 bytes" per allocation and per call of a function are two things.

use serde::{Deserialize, Serialize};

use crate::event::Function;
use crate::fixes::evidence::EvidenceKind;

/// What a tracer sees of the fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// What kind of suspect.
    pub evidence: EvidenceKind,
    /// The processes in which it shows; empty for any.
    #[serde(default)]
    pub processes: Vec<String>,
    /// The modules of which one must be on the call path.
    pub modules: Option<Modules>,
    /// Functions on the call path: every step must be there.
    #[serde(default)]
    pub frames: Vec<Step>,
    /// Whether the steps are found in their order, innermost first.
    #[serde(default)]
    pub ordered: bool,
    /// Functions whose presence on the call path says that it is something else.
    #[serde(default)]
    pub absent: Vec<String>,
    /// The functions that may have allocated; empty for any.
    #[serde(default)]
    pub allocators: Vec<Function>,
    /// Bytes.
    pub bytes: Option<BytesRange>,
    /// Blocks that stay.
    pub blocks: Option<BlocksRange>,
    /// Anything else that the source counts: handles, heaps, control blocks. Told, never compared.
    #[serde(default)]
    pub amounts: Vec<Amount>,
    /// Set where the source does not describe this signature and it is inferred from what
    /// it does say: how. A hit is then never more than `possible`.
    pub inferred: Option<String>,
}

/// Modules of which one must be on the call path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Modules {
    /// File names; compared without case.
    pub any: Vec<String>,
    /// Where on the path.
    pub at: Place,
}

/// Where on the call path something is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Anywhere.
    Path,
    /// It is the blame frame; elsewhere on the path it leaves the question open.
    Blame,
}

/// One step of the call path: any of these functions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Function names without arguments; a qualified one also fits at the end of a longer name.
    pub any: Vec<String>,
    /// The module they are in, where the source says so.
    pub module: Option<String>,
    /// Where on the path; anywhere if not given.
    #[serde(default = "anywhere")]
    pub at: Place,
    /// Whether the functions are too common to be a hit by themselves.
    #[serde(default)]
    pub common: bool,
}

fn anywhere() -> Place {
    Place::Path
}

/// Bytes, and what they are counted per.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BytesRange {
    /// At least.
    pub min: u64,
    /// At most.
    pub max: u64,
    /// `allocation`, or the event: only the former can be held against bytes per call.
    pub per: String,
}

/// Blocks that stay, and what they are counted per.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlocksRange {
    /// At least.
    pub min: f64,
    /// At most.
    pub max: f64,
    /// The event.
    pub per: String,
}

/// Something else that the source counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    /// What, in the singular: `registry handle`, `heap`.
    pub what: String,
    /// How many; `None` where only the unit is stated.
    pub count: Option<u64>,
    /// The event: `logon`, `opened store`.
    pub per: String,
}

impl Amount {
    /// `2 registry handles per opened store`.
    pub fn in_words(&self) -> String {
        match self.count {
            Some(1) => format!("1 {} per {}", self.what, self.per),
            Some(count) => format!("{count} {}s per {}", self.what, self.per),
            None => format!("a {} (size not stated) per {}", self.what, self.per),
        }
    }
}
