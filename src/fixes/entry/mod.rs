//! One published fix, as the matcher and the renderings use it: parsed, checked, immutable.
//! How it is written in a file is `document.rs`'s business. The *allocation signature* (what a
//! tracer sees) and the *faulty function* (where the free is missing) are separate: often the
//! one is not on the other's stack. Where the source is silent a field says so, by `None`, by
//! an absent end or by [`Stated::NotStated`]; nothing is filled in.

mod condition;
mod crash;
mod line;
mod relation;
mod signature;

use std::path::PathBuf;

use serde::{Deserialize, Serialize, Serializer};

pub use condition::{Check, Condition};
pub use crash::Crash;
pub use line::{End, Line, LineFile, Provenance};
pub use relation::{Relation, RelationKind};
pub use signature::{Amount, BlocksRange, BytesRange, Modules, Place, Signature, Step};

/// One published fix. As JSON it is what `fixes show --json` gives: every field is there, and what the source does not state is null,
/// empty or `not stated`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// Its id; the file is named after it.
    pub id: String,
    /// What it is, in one line.
    pub title: String,
    /// What kind of fault it mends.
    pub kind: Kind,
    /// What people see.
    pub symptom: String,
    /// Why, as far as the source says.
    pub cause: String,
    /// Which products the source says it is about, in its words.
    pub applies_to: Vec<String>,
    /// Where its facts were read.
    pub sources: Vec<Source>,
    /// What a tracer sees.
    pub signature: Signature,
    /// What a crash dump shows, where the source speaks of a crash.
    pub crash: Option<Crash>,
    /// Where the fault is.
    pub faulty: Faulty,
    /// Which versions have the fault and which the fix, per product line.
    pub lines: Vec<Line>,
    /// Settings that the fix needs.
    pub settings: Vec<Setting>,
    /// What must be there before it can be installed.
    pub prerequisites: Vec<Prerequisite>,
    /// What restarts.
    pub restart: Restart,
    /// What to do.
    pub remedy: Plan,
    /// What must be true besides; all of it. Some a fact or a module can show, some only the reader can say.
    pub conditions: Vec<Condition>,
    /// What the source leaves open.
    pub unknowns: Vec<String>,
    /// What to look at where a distribution's package is older than the fix.
    pub backports: Option<Backports>,
    /// How it stands to others.
    pub relations: Vec<Relation>,
    /// Who vouches for it.
    #[serde(serialize_with = "origin_in_words")]
    pub origin: Origin,
}

impl Entry {
    /// Every setting of the target that it asks for, by its whole path: those that the fix needs, and those of its conditions.
    pub fn setting_names(&self) -> impl Iterator<Item = &str> {
        let asked = self.conditions.iter().filter_map(|condition| match &condition.check {
            Some(Check::Setting { name, .. }) => Some(name.as_str()),
            _ => None,
        });
        self.settings.iter().map(|setting| setting.name.as_str()).chain(asked)
    }
}

/// What kind of fault a fix mends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is its name")]
pub enum Kind {
    Heap,
    /// Handles of the kernel.
    Handle,
    /// Descriptors: files, sockets.
    FileDescriptor,
    RegistryHandle,
    CriticalSection,
    InternalObject,
    PagedPool,
    UseCount,
    HeapCorruption,
    /// An exception that is no corruption.
    Crash,
    UnboundedBuffer,
    /// A counter grows, memory does not.
    CounterOnly,
    /// Works as designed, or the caller is at fault.
    ByDesign,
    Configuration,
}

/// Where facts were read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The publication's own title.
    pub title: String,
    /// Where it is or was, where known.
    pub url: Option<String>,
    /// Which revision of it was read, in its own terms.
    pub revision: Option<String>,
    /// How much of it was read.
    pub read: Read,
}

/// How much of a source was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is its name")]
pub enum Read {
    Full,
    Excerpt,
    Diff,
    SubjectOnly,
}

/// Where the fault is, as far as the source says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faulty {
    /// The process that is at fault, where it is not the one that grows.
    pub process: Option<String>,
    /// The module; `None` where not stated.
    pub module: Option<String>,
    /// The functions; empty where not stated.
    #[serde(default)]
    pub functions: Vec<String>,
    /// In words.
    pub says: Option<String>,
}

/// A setting that a fix needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Its whole path.
    pub name: String,
    /// The value that switches the fix on.
    pub on: String,
    /// The values that leave it off.
    #[serde(default)]
    pub off: Vec<String>,
    /// Whether an absent value leaves it off.
    #[serde(default)]
    pub absent_is_off: bool,
    /// The command that reads it.
    pub read: String,
    /// The command that sets it.
    pub set: String,
}

/// What must be there first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prerequisite {
    /// What.
    pub what: String,
    /// Where that is described.
    pub see: Option<String>,
}

/// Yes, no, or the source does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is its name")]
pub enum Stated {
    Yes,
    No,
    #[default]
    #[serde(rename = "not stated")]
    NotStated,
}

/// What restarts when the fix is installed, and whether a restart helps without it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// Whether the computer must be restarted.
    #[serde(default)]
    pub computer: Stated,
    /// What installing restarts by itself; `None` where not stated.
    pub services: Option<Vec<String>>,
    /// Whether restarting clears the symptom for a while.
    #[serde(default)]
    pub clears_symptom: Stated,
    /// The source's statement in words; `None` where it makes none.
    pub says: Option<String>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What kind of remedy.
    pub kind: RemedyKind,
    /// The version that has the fix, where it is one version and not one per file.
    pub version: Option<String>,
    /// The steps, in order.
    #[serde(default)]
    pub steps: Vec<String>,
    /// Where to get it, where that is stated or plain.
    pub from: Option<String>,
    /// What it will not fix.
    #[serde(default)]
    pub limits: Vec<String>,
    /// How to see afterwards that it worked, where there is more to look at than the site itself.
    #[serde(default)]
    pub verify: Vec<String>,
}

/// Kinds of remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is its name")]
pub enum RemedyKind {
    Hotfix,
    Rollup,
    ServicePack,
    Release,
    Configuration,
    CodeChange,
    None,
}

/// What a distribution's version does not say, and where to look instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backports {
    /// Why the package's version does not decide.
    pub says: String,
    /// What to look at.
    #[serde(default)]
    pub check: Vec<String>,
    /// What a changelog that names any of these says: that the package carries the fix. CVE numbers, bug numbers, commits.
    #[serde(default)]
    pub references: Vec<String>,
}

/// Who vouches for an entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// It came with the program.
    Embedded,
    /// It was read from this file.
    User(PathBuf),
}

/// Null for what came with the program.
fn origin_in_words<S: Serializer>(origin: &Origin, into: S) -> Result<S::Ok, S::Error> {
    origin.in_words().serialize(into)
}
