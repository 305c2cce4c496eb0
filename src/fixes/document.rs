//! The file format of an entry: what `fixes/<id>.toml` may say, key by key; `docs/fixes.md` explains it. Unknown
//! keys are refused, so that a misspelt key cannot silently be a fact that is not stated.
//! Versions are still text here, for what they mean depends on the line's scheme.

use serde::Deserialize;

use super::entry::{
    Backports, Condition, Crash, Faulty, Kind, Plan, Prerequisite, Provenance, Relation, Restart,
    Setting, Signature, Source,
};
use super::version::Scheme;

/// What an end of a range says where the source says nothing.
pub(super) const NOT_STATED: &str = "not stated";

/// A whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub id: String,
    pub title: String,
    pub kind: Kind,
    pub symptom: String,
    pub cause: String,
    pub applies_to: Vec<String>,
    #[serde(default)]
    pub conditions: Vec<Condition>,
    #[serde(default)]
    pub unknowns: Vec<String>,
    pub sources: Vec<Source>,
    pub signature: Signature,
    pub crash: Option<Crash>,
    #[serde(default)]
    pub faulty: Faulty,
    /// [`NOT_STATED`], in place of `lines`.
    pub versions: Option<String>,
    #[serde(default)]
    pub lines: Vec<DocumentLine>,
    #[serde(default)]
    pub settings: Vec<Setting>,
    #[serde(default)]
    pub prerequisites: Vec<Prerequisite>,
    #[serde(default)]
    pub restart: Restart,
    pub remedy: Plan,
    pub backports: Option<Backports>,
    #[serde(default)]
    pub relations: Vec<Relation>,
}

/// A product line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DocumentLine {
    pub product: String,
    pub scheme: Scheme,
    pub distribution: Option<String>,
    pub platform: Option<String>,
    #[serde(default)]
    pub levels: Vec<String>,
    pub fixed_level: Option<String>,
    #[serde(default)]
    pub files: Vec<DocumentFile>,
}

/// A file of a product line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DocumentFile {
    pub name: String,
    pub line: Option<String>,
    pub affected: DocumentRange,
    pub fixed: String,
    pub provenance: Provenance,
    pub fixed_size: Option<u64>,
    #[serde(default)]
    pub affected_builds: Vec<String>,
    #[serde(default)]
    pub fixed_builds: Vec<String>,
}

/// A range of faulty versions; each end is a version or [`NOT_STATED`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DocumentRange {
    pub from: String,
    pub seen_from: Option<String>,
    pub before: Option<String>,
    pub through: Option<String>,
}
