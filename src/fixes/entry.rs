//! One published fix, as the matcher and the renderings use it: parsed, checked, immutable.
//! How it is written in a file is [`super::document`]'s business. The *allocation signature* (what a
//! tracer sees) and the *faulty function* (where the free is missing) are separate: often the
//! one is not on the other's stack. Where the source is silent a field says so, by `None`, by
//! an absent end or by [`Stated::NotStated`]; nothing is filled in.

use serde::{Deserialize, Serialize};

use super::evidence::EvidenceKind;
use super::product::Level;
use super::version::{Scheme, Version};
use crate::event::Function;

/// One published fix.
#[derive(Clone, Debug, PartialEq)]
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
    /// What must be true and only the reader can say.
    pub conditions: Vec<String>,
    /// What the source leaves open.
    pub unknowns: Vec<String>,
    /// What to look at where a distribution's package is older than the fix.
    pub backports: Option<Backports>,
    /// How it stands to others.
    pub relations: Vec<Relation>,
    /// Who vouches for it.
    pub origin: Origin,
}

/// What kind of fault a fix mends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is its name")]
pub enum Kind {
    Heap,
    Handle,
    RegistryHandle,
    CriticalSection,
    InternalObject,
    PagedPool,
    UseCount,
    HeapCorruption,
    UnboundedBuffer,
    /// A counter grows, memory does not.
    CounterOnly,
    /// Works as designed, or the caller is at fault.
    ByDesign,
    Configuration,
}

/// Where facts were read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is its name")]
pub enum Read {
    Full,
    Excerpt,
    Diff,
    SubjectOnly,
}

/// What a tracer sees of the fault.
#[derive(Clone, Debug, PartialEq, Deserialize)]
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
    /// Set where the source does not describe this signature and it is inferred from what
    /// it does say: how. A hit is then never more than `possible`.
    pub inferred: Option<String>,
}

/// Modules of which one must be on the call path.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Modules {
    /// File names; compared without case.
    pub any: Vec<String>,
    /// Where on the path.
    pub at: Place,
}

/// Where on the call path something is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Anywhere.
    Path,
    /// It is the blame frame; elsewhere on the path it leaves the question open.
    Blame,
}

/// One step of the call path: any of these functions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlocksRange {
    /// At least.
    pub min: f64,
    /// At most.
    pub max: f64,
    /// The event.
    pub per: String,
}

/// Where the fault is, as far as the source says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faulty {
    /// The module; `None` where not stated.
    pub module: Option<String>,
    /// The functions; empty where not stated.
    #[serde(default)]
    pub functions: Vec<String>,
    /// In words.
    pub says: Option<String>,
}

/// One product line: its versions compare with each other and with nothing else.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The product's name, with its version where that is part of the name.
    pub product: String,
    /// How its versions compare.
    pub scheme: Scheme,
    /// The distribution, for [`Scheme::Debian`]: `debian 12`.
    pub distribution: Option<String>,
    /// The levels (service packs) of the product that the source names; empty where it names none.
    pub levels: Vec<Level>,
    /// The level from which on the product carries the fix, where stated.
    pub fixed_level: Option<Level>,
    /// Its files; all must be fixed.
    pub files: Vec<LineFile>,
}

/// One file of a product line.
#[derive(Clone, Debug, PartialEq)]
pub struct LineFile {
    /// File name, or soname.
    pub name: String,
    /// The leading parts by which a version of this file is known to belong to the line;
    /// `None` where every version does.
    pub line: Option<Version>,
    /// The first version with the fault; `None` where not stated.
    pub from: Option<Version>,
    /// Where the fault ends.
    pub end: End,
    /// The first version with the fix; `None` where none is stated.
    pub fixed: Option<Version>,
    /// Where the versions come from.
    pub provenance: Provenance,
}

/// Where a range of faulty versions ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Every version before this one has the fault.
    Before(Version),
    /// This is the last one with the fault.
    Through(Version),
    /// The source does not say.
    NotStated,
}

/// Where version numbers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provenance {
    /// The source itself lists the file.
    Article,
    /// A rollup that contains the fix: an upper bound.
    Rollup,
    /// The source gives date and size, and the version was found by them.
    DateAndSize,
    /// The build of a service pack.
    ServicePack,
    /// The first upstream release that contains the fix's commit.
    Release,
}

/// A setting that a fix needs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prerequisite {
    /// What.
    pub what: String,
    /// Where that is described.
    pub see: Option<String>,
}

/// Yes, no, or the source does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What kind of remedy.
    pub kind: RemedyKind,
    /// The version that has the fix, where it is one version and not one per file.
    pub version: Option<String>,
    /// The steps, in order.
    #[serde(default)]
    pub steps: Vec<String>,
    /// What it will not fix.
    #[serde(default)]
    pub limits: Vec<String>,
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
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backports {
    /// Why the package's version does not decide.
    pub says: String,
    /// What to look at.
    pub check: Vec<String>,
}

/// How an entry stands to another publication.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relation {
    /// How: `cites`, `residual-after`, `recurs-in`, `sibling`, `in-rollup`, `superseded-by`, ...
    pub kind: String,
    /// The other's id.
    pub id: String,
    /// In words.
    pub says: String,
}

/// Who vouches for an entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// It came with the program.
    Embedded,
    /// It was read from this file.
    User(std::path::PathBuf),
}
