//! The manifest: what a case is made of, so that whoever gets it can check it and knows what it leaves out. `docs/case.md`
//! documents it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::missing::Missing;

/// The version of the manifest.
pub const SCHEMA: u32 = 1;

/// Everything a manifest says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`](crate::read::bundle::FORMAT).
    pub format: String,
    /// [`SCHEMA`].
    pub schema: u32,
    /// Version of the unfreed that wrote the case.
    pub version: String,
    /// The parts, but the manifest itself.
    pub parts: Vec<Part>,
    /// What the case was made from.
    pub inputs: Vec<Input>,
    /// What was done to the trace.
    pub trace: TraceKept,
    /// What a vendor will ask for and is not here.
    pub missing: Vec<Missing>,
    /// How many names of each kind were replaced; `None` where none were to be.
    pub redacted: Option<BTreeMap<String, u64>>,
}

/// One part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Part {
    /// Its name in the archive.
    pub name: String,
    /// Its bytes, unpacked.
    pub size: u64,
    /// Of these, hexadecimal.
    pub sha256: String,
}

/// An original input.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Input {
    /// As it was named.
    pub name: String,
    /// Its bytes; `None` where it is no file that could be read again.
    pub size: Option<u64>,
    /// Their SHA-256, hexadecimal.
    pub sha256: Option<String>,
    /// The processes that it tells of by number.
    pub pids: Vec<u32>,
    /// When it begins: seconds since 1970-01-01 UTC; `None` where it does not say.
    pub started_unix_s: Option<f64>,
    /// Minutes east of UTC on the traced machine; `None` where it does not say.
    pub utc_offset_minutes: Option<i32>,
    /// The part that it is, where originals are included.
    pub part: Option<String>,
}

/// What was done to the trace.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TraceKept {
    /// Whether all events are there.
    pub whole: bool,
    /// In words.
    pub how: String,
    /// Whether analysing it again gave the same suspects, of the same confidence and with the same fixes. It was
    /// tried before the case was written.
    pub same_suspects: bool,
}
