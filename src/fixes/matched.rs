//! The outcome of holding one suspect against one fix, with the reason for each clause.

use serde::{Deserialize, Serialize};

use super::entry::RemedyKind;

/// One fix, held against one suspect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Match {
    /// The fix's id in the catalogue (`KB896064`).
    pub id: String,
    /// Its title.
    pub title: String,
    /// Whether and how it fits.
    pub status: Status,
    /// 0 to 1: how well the allocation signature fits. The status does not depend on it alone.
    pub confidence: f64,
    /// How the confidence came about, clause by clause; empty where the fix does not apply.
    pub score: String,
    /// Why: one for each clause that was looked at.
    pub reasons: Vec<Reason>,
    /// What applying it takes.
    pub remedy: Remedy,
    /// Publications to know of besides: what remains after it, what looks the same and is something else.
    pub related: Vec<String>,
    /// Where it is published.
    pub source: String,
    /// Who vouches for it: `None` for the catalogue of unfreed, else the user's own file.
    pub origin: Option<String>,
}

/// Whether a fix fits a suspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Every clause holds.
    Applies,
    /// The fixed files are there, the setting that switches the fix on is not.
    SwitchMissing,
    /// A fact is unknown; the reasons say which.
    Possible,
    /// Every fixed file is there.
    AlreadyFixed,
    /// A clause fails.
    DoesNotApply,
}

/// One clause of a match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Which clause: `module`, `function`, `version`, `process`, `bytes`, `setting`, ...
    pub clause: String,
    /// Whether it holds.
    pub standing: Standing,
    /// In words, with the values compared, and for `unknown` how to find out.
    pub text: String,
}

/// Whether a clause holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is its name")]
pub enum Standing {
    Yes,
    No,
    Unknown,
}

/// What applying a fix takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remedy {
    /// What kind of remedy it is; `None` where nothing is to be done.
    pub kind: Option<RemedyKind>,
    /// Where to get it, where that is known.
    pub from: Option<String>,
    /// The version that has the fix, where one is published.
    pub version: Option<String>,
    /// The files it replaces, with their fixed versions (`Cdoexm.dll 6.0.6617.63`).
    pub files: Vec<String>,
    /// What to do, in order.
    pub steps: Vec<String>,
    /// What restarts: in the article's terms; `None` where it does not say.
    pub restart: Option<String>,
    /// What must be installed first.
    pub prerequisites: Vec<String>,
    /// Settings to make, as `path = value`.
    pub settings: Vec<String>,
    /// How to look at those settings, and how to make them.
    pub commands: Vec<Command>,
    /// What it will not fix.
    pub limits: Vec<String>,
    /// How to see afterwards that it worked.
    pub verify: Vec<String>,
}

/// The commands for one setting, for the system that the fix is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The setting.
    pub setting: String,
    /// Reads it.
    pub read: String,
    /// Makes it.
    pub set: String,
}
