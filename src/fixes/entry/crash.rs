//! What a crash dump shows of a fault, where its source says that the process crashes.

use serde::{Deserialize, Serialize, Serializer};

/// A crash that a source speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crash {
    /// The codes of the exceptions that the source names: `0xc0000005` is an access violation.
    #[serde(serialize_with = "in_hexadecimal")]
    pub exceptions: Vec<u32>,
    /// The processes that crash.
    pub processes: Vec<String>,
    /// The modules of which one must be loaded.
    pub modules: Vec<String>,
    /// What the source says of the place of the crash, or does not.
    pub says: String,
}

/// As reports have them: `0xc0000005`.
fn in_hexadecimal<S: Serializer>(codes: &[u32], into: S) -> Result<S::Ok, S::Error> {
    into.collect_seq(codes.iter().map(|code| format!("{code:#010x}")))
}
