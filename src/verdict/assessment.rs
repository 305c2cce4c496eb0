//! What the judge says: per site a verdict with the numbers it rests on, and what was freed twice.
//! These are values without behaviour; how they come about is the other modules' matter.

use serde::{Deserialize, Serialize};

use super::burst::Burst;
use super::counters::Counted;
use super::explanation::Explanation;
use crate::event::{ProcessId, StackId, Time};
use crate::ledger::{Estimate, SiteId};

/// What a site is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Accumulates and was found unreferenced.
    Leak,
    /// Accumulates.
    Growth,
    /// Grew, then flat.
    Cache,
    /// What is allocated is freed again.
    Steady,
    /// Allocated in one phase, or few blocks, and kept.
    OneOff,
    /// Cannot be told; [`Judged::decided_by`] says what would.
    Undecided,
}

impl Verdict {
    /// The word of reports and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Leak => "leak",
            Verdict::Growth => "growth",
            Verdict::Cache => "cache",
            Verdict::Steady => "steady",
            Verdict::OneOff => "one-off",
            Verdict::Undecided => "undecided",
        }
    }

    /// Whether such a site accumulates: a suspect, given enough confidence.
    pub fn accumulates(self) -> bool {
        matches!(self, Verdict::Leak | Verdict::Growth)
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// Whether blocks are still referenced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Held {
    /// Nothing refers to them.
    Lost,
    /// Something does.
    Referenced,
    /// No reachability scan was made.
    #[default]
    NotMeasured,
}

/// One number a verdict rests on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// Which, as `docs/verdicts.md` names it.
    pub fact: &'static str,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// The standard error, where it is an estimate from sampling.
    pub standard_error: Option<f64>,
}

/// What the recorded blocks of one site of a sampled process stand for: at the end, or, where the
/// process tore itself down and that decided, before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimated {
    /// Blocks allocated.
    pub allocations: Estimate,
    /// Blocks whose free was seen.
    pub frees: Estimate,
    /// Live blocks.
    pub live_blocks: Estimate,
    /// Their bytes.
    pub live_bytes: Estimate,
    /// Blocks that only the teardown freed.
    pub freed_at_end: Estimate,
    /// Bytes per second that stay; of use only where the site accumulates.
    pub growth_bytes_per_s: Estimate,
    /// Blocks that stayed per marked event, where marks carry counts.
    pub blocks_per_event: Option<Estimate>,
}

/// One site, judged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged {
    /// The site.
    #[serde(skip)]
    pub site: SiteId,
    /// Its process.
    #[serde(skip)]
    pub process: ProcessId,
    /// Its stack.
    #[serde(skip)]
    pub stack: StackId,
    /// What it is.
    pub verdict: Verdict,
    /// How sure that is, 0 to 1.
    pub confidence: f64,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
    /// Bytes per second by which the live set grows; 0 unless it accumulates, NaN where it does and nothing
    /// says how long it took.
    pub growth_bytes_per_s: f64,
    /// When the first of the blocks that stayed was allocated, to the precision of an epoch.
    #[serde(skip)]
    pub since: Time,
    /// Whether the blocks are still referenced.
    pub held: Held,
    /// Blocks that stayed per marked event, where marks carry counts.
    pub blocks_per_event: Option<f64>,
    /// What would decide it, where it is undecided.
    pub decided_by: Option<String>,
    /// The verdict in two plain sentences.
    pub explanation: Explanation,
    /// What the verdict was made of, if not of the site as it was at the end: the process tore
    /// itself down and freed what had grown until then.
    pub before_teardown: Option<BeforeTeardown>,
    /// The sums it was judged by, where it speaks for a group of sites.
    pub group: Option<GroupSum>,
    /// The site that speaks for it: verdict and confidence are those of their group.
    #[serde(skip)]
    pub part_of: Option<SiteId>,
    /// What its counts stand for; `None` where the process was not sampled.
    #[serde(skip)]
    pub estimated: Option<Estimated>,
}

/// Sites judged as one: their stacks differ only in how often frames repeat, or they are of sibling
/// processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct GroupSum {
    /// How many sites.
    pub sites: u64,
    /// Of how many processes.
    pub processes: u64,
    /// Blocks allocated, of all.
    pub allocations: u64,
    /// Live blocks, of all.
    pub live_blocks: u64,
    /// Their bytes.
    pub live_bytes: u64,
}

/// The live set of a site before its process tore itself down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BeforeTeardown {
    /// When the process began to.
    #[serde(skip)]
    pub at: Time,
    /// Live blocks then.
    pub live_blocks: u64,
    /// Their bytes.
    pub live_bytes: u64,
    /// Blocks of the site that the teardown freed.
    pub freed: u64,
}

/// Blocks of one site that were freed twice at one place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OverReleaseSuspect {
    /// The site of the blocks.
    #[serde(skip)]
    pub site: SiteId,
    /// The process.
    #[serde(skip)]
    pub process: ProcessId,
    /// The stack that allocated them.
    #[serde(skip)]
    pub stack: StackId,
    /// The stack of the first free; often not taken.
    #[serde(skip)]
    pub first_free: StackId,
    /// The stack of the second free; often not taken.
    #[serde(skip)]
    pub second_free: StackId,
    /// How often.
    pub count: u64,
    /// When first.
    #[serde(skip)]
    pub since: Time,
    /// 0 to 1.
    pub confidence: f64,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
    /// It in two plain sentences.
    pub explanation: Explanation,
}

/// Second frees that accuse nobody, since an allocation at their address, or the free of another block
/// there, may not have been seen: how many, by what shows that in their process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unjudged {
    /// Allocations, or events that may be allocations, were lost.
    pub lost: u64,
    /// A library was loaded so that it allocates unseen.
    pub libraries: u64,
    /// A block was freed that nobody was seen to allocate.
    pub allocated_unseen: u64,
    /// An address was given out while its block seemed to live.
    pub given_out_alive: u64,
    /// Only a sample of the process's blocks was recorded.
    pub sampled: u64,
}

impl Unjudged {
    /// All of them.
    pub fn sum(&self) -> u64 {
        [self.lost, self.libraries, self.allocated_unseen, self.given_out_alive, self.sampled]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}

/// Every site and every over-release, judged.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Assessment {
    /// Every site, in the ledger's order.
    pub sites: Vec<Judged>,
    /// What was freed twice, in order of process, site and stack.
    pub over_releases: Vec<OverReleaseSuspect>,
    /// Second frees that accuse nobody.
    pub over_releases_unjudged: Unjudged,
    /// What was counted of whole processes, in the ledger's order.
    pub counters: Vec<Counted>,
    /// The smallest leak that would have been a suspect at [`super::DEFAULT_MIN_CONFIDENCE`], in
    /// blocks of the size that is usual in the process; the largest over the processes that could
    /// be measured. `None` where nothing could be seen, or not of what allocated most.
    pub smallest_detectable_bytes_per_s: Option<f64>,
    /// Why that is `None`.
    pub unmeasured: Option<Unmeasured>,
    /// Where most allocations came in a short part of the observation.
    pub burst: Option<Burst>,
    /// How many processes that allocated could not be measured: it says nothing of these.
    pub processes_unmeasured: u64,
}

/// Why nothing can be said of leaks that were not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unmeasured {
    /// No allocation was seen.
    NothingAllocated,
    /// The process was observed too shortly.
    Short,
    /// The process stopped working long before the observation ended.
    LoadStopped,
    /// A module releases blocks past the tracer: any of them may look alive.
    FreesUnseen,
    /// Too much was lost: bytes of the recording, or most allocations or their stacks.
    Lost,
    /// The process ran before the trace began and was sampled: frees of its older blocks are not told.
    Sampled,
    /// There is one snapshot of what lived, and one shows no growth.
    OneSnapshot,
    /// Snapshots are all there is: they tell of no time in which nothing grew.
    Snapshots,
    /// Counters of whole processes are all there is.
    CountersOnly,
}

impl Judged {
    /// By how much the live set grew between snapshots, where that is what it was judged by.
    fn gained_bytes(&self) -> f64 {
        let gained = self.evidence.iter().find(|evidence| evidence.fact == "gained-bytes");
        gained.map_or(0.0, |evidence| evidence.value)
    }
}

impl Assessment {
    /// The sites that accumulate with at least this confidence, those that speak for a group among
    /// them, fastest growth first.
    pub fn suspects(&self, min_confidence: f64) -> Vec<&Judged> {
        let mut suspects: Vec<&Judged> =
            self.accused(min_confidence).filter(|site| site.part_of.is_none()).collect();
        suspects.sort_by(|a, b| {
            b.growth_bytes_per_s
                .total_cmp(&a.growth_bytes_per_s)
                .then_with(|| b.gained_bytes().total_cmp(&a.gained_bytes()))
                .then(a.site.cmp(&b.site))
        });
        suspects
    }

    /// The same in the ledger's order, with every site of a group.
    pub fn accused(&self, min_confidence: f64) -> impl Iterator<Item = &Judged> {
        let sure =
            move |site: &&Judged| site.verdict.accumulates() && site.confidence >= min_confidence;
        self.sites.iter().filter(sure)
    }
}
