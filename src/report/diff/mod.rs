//! Two traces held against each other: is the fix working? Sites are the same where their stacks
//! are, by module name and function, not by offset, so that a new build of a plug-in is still
//! the same plug-in. [`compare`] is pure: it is given what was measured at the sites of either
//! trace and says what became of each suspect. "Fixed" is only what ran, and could have been
//! seen to grow had it grown.

mod compare;
mod judgement;
mod key;
mod sites;

use super::known;
use serde::{Deserialize, Serialize};

pub use compare::compare;
pub use key::{FrameKey, SiteKey, unversioned};
pub use sites::sites;

use super::model::{Fault, Kind, Losses, Report, SiteUncertainty, Source, StackFrame, Target};
use crate::verdict::Verdict;

/// Whether a trace began after another; what does not say when it began did not.
fn began_after(one: &Report, other: &Report) -> bool {
    let (one, other) = (one.source.started_unix_s, other.source.started_unix_s);
    other > 0.0 && one > other
}

/// What changed between two traces.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DiffReport {
    /// [`super::model::SCHEMA`].
    pub schema: u32,
    /// The earlier trace.
    pub before: Side,
    /// The later one.
    pub after: Side,
    /// Whether what was given as the earlier trace began after the other, by the clocks of both.
    pub reversed: bool,
    /// Each suspect of either trace, worst first.
    pub changes: Vec<Change>,
}

/// One of the two traces.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Side {
    /// Where its events came from.
    pub source: Source,
    /// The processes traced.
    pub target: Vec<Target>,
    /// Seconds from the first event to the last epoch mark.
    pub duration_s: f64,
    /// What was lost.
    pub losses: Losses,
    /// What could not be read.
    pub faults: Vec<Fault>,
    /// The smallest leak that would have been a suspect.
    pub smallest_detectable_bytes_per_s: Option<f64>,
}

impl Side {
    /// What a report says of its trace.
    pub fn of(report: &Report) -> Self {
        Side {
            source: report.source.clone(),
            target: report.target.clone(),
            duration_s: report.duration_s,
            losses: report.losses.clone(),
            faults: report.faults.clone(),
            smallest_detectable_bytes_per_s: report.smallest_detectable_bytes_per_s,
        }
    }
}

/// What became of one suspect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// In a word.
    pub outcome: Outcome,
    /// Where that is undecided: for want of what.
    pub undecided_by: Option<Lack>,
    /// What kind of suspect it is.
    pub kind: Kind,
    /// The process's name.
    pub process: String,
    /// The blame frame's function.
    pub function: String,
    /// The blame frame's module.
    pub module: String,
    /// The module's version in the earlier trace.
    pub version_before: Option<String>,
    /// The module's version in the later trace.
    pub version_after: Option<String>,
    /// What was measured in the earlier trace; `None` where the site did not run.
    pub before: Option<Measure>,
    /// What was measured in the later trace; `None` where the site did not run.
    pub after: Option<Measure>,
    /// How the site was found again.
    pub matched_by: MatchedBy,
    /// What the outcome was decided by.
    pub basis: Basis,
    /// The stack, innermost frame first.
    pub stack: Vec<StackFrame>,
}

/// What became of a suspect, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was no suspect before; its site ran, or the earlier trace did not know it.
    New,
    /// It grows faster than before.
    Worse,
    /// It grows as before.
    Unchanged,
    /// It grows more slowly, but is still a suspect.
    Improved,
    /// Its site was not seen in the later trace: it did not run, or no longer allocates.
    NotSeen,
    /// It is a suspect in one trace only, and the other could not have shown it: [`Lack`] says why.
    Undecided,
    /// Its site ran and is no suspect any more.
    Fixed,
}

/// Why a trace without a suspect does not show that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lack {
    /// At its old pace it would not have been seen in the later trace.
    Pace,
    /// A trace is of snapshots whose times are not known, and so is how fast it grew there.
    Times,
    /// The later trace is of snapshots alone, in which nothing shows that a site ran and was freed.
    Moments,
    /// Its site allocated too little in the later trace.
    Load,
    /// Events were lost in the later trace, which can hide a second free, or second frees there
    /// accuse nobody.
    Losses,
    /// The later trace does not acquit it: its site is undecided, or accumulates or is freed too
    /// often below the confidence bound.
    Verdict,
    /// It is a suspect in the later trace, and the earlier could not have shown it.
    Earlier,
    /// A trace is sampled, and what differs may be the choice of the sample; or the later one is, and
    /// does not show what is looked for.
    Sampling,
}

/// How a site was found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MatchedBy {
    /// Every frame is the same function of the same module.
    Stack,
    /// Only the blame frame is.
    BlameFrame,
    /// It was not.
    Nothing,
}

/// What an outcome was decided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Blocks that stay per marked event: independent of load.
    BlocksPerEvent,
    /// Growth: it depends on load, so both traces should be taken under the same.
    Growth,
    /// Whether it is a suspect.
    Verdict,
}

/// What was measured at a site in one trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// Whether it is a suspect there.
    pub suspect: bool,
    /// The site's verdict (of several, that of a suspect, else of the busiest); `None` for an
    /// over-release.
    pub verdict: Option<Verdict>,
    /// The confidence that it is one; 0 for a site that is no suspect.
    pub confidence: f64,
    /// Blocks ever allocated.
    pub allocations: u64,
    /// How often a block was freed again, at whatever confidence.
    pub freed_again: u64,
    /// Live blocks at the end.
    pub live_blocks: u64,
    /// Live bytes at the end.
    pub live_bytes: u64,
    /// Rate at which live bytes grow; 0 for a site that is no suspect, NaN (in the JSON `null`) where it is
    /// known only by how much.
    #[serde(with = "known")]
    pub growth_bytes_per_s: f64,
    /// Rate at which live blocks grow, where it was measured; 0 for a site that is no suspect.
    pub growth_blocks_per_s: f64,
    /// Blocks that stay per marked event, where marks carry counts.
    pub blocks_per_event: Option<f64>,
    /// How far these may be off; `None` where they were counted.
    pub uncertainty: Option<SiteUncertainty>,
}

/// One site of a trace, as [`compare`] is given it.
#[derive(Clone, Debug)]
pub struct Site {
    /// What it is recognised by.
    pub key: SiteKey,
    /// What was measured.
    pub measure: Measure,
    /// For suspects: how it is called.
    pub shown: Option<Shown>,
    /// The blame frame's module's version.
    pub version: Option<String>,
}

/// How a suspect is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// What kind of suspect.
    pub kind: Kind,
    /// The blame frame's function.
    pub function: String,
    /// The blame frame's module.
    pub module: String,
    /// The stack, innermost frame first.
    pub stack: Vec<StackFrame>,
}
