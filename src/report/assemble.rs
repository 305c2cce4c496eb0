//! The report, put together: what the ledger counted, what the judge said, names for the stacks
//! that survive, the fixes that match. It decides nothing of its own but the order. The only
//! thing here that can read a file is the namer it is given.

use std::collections::BTreeMap;

use super::blamed::{Survivor, Survivors, survivors};
use super::history::history;
use super::memory;
use super::model::{
    Dismissed, Evidence, Fault, Held, Kind, Losses, NotTraced, OverRelease, Report, SCHEMA,
    SeenFrom, SiteUncertainty, Suspect, Target, Totals, TotalsUncertainty, Uncertainty, Undecided,
};
use super::modules;
use super::reach::{reached, scan};
use super::source;
use super::stacks::shown;
use super::time_of_day::TimeOfDay;
use super::uncertain::whole;
use super::witness::{Account, Witness, bytes_per_call};
use crate::event::{Exit, FactKind, Metric, ProcessId, StackId, Time};
use crate::fixes::{self, EvidenceKind};
use crate::ledger::{Estimate, Image, Ledger, Site};
use crate::names::Namer;
use crate::read;
use crate::read::case::PartSeen;
use crate::read::trace::Header;
use crate::verdict::{self, Assessment, Judged, OverReleaseSuspect, Verdict};

/// What a report is made of.
#[derive(Clone, Copy, Debug)]
pub struct Material<'a> {
    /// What the trace says of itself.
    pub header: &'a Header,
    /// What its events say.
    pub ledger: &'a Ledger,
    /// What that means.
    pub assessment: &'a Assessment,
    /// What could not be read.
    pub faults: &'a [read::Fault],
    /// The recordings, where there were several.
    pub parts: &'a [PartSeen],
    /// The least confidence at which a site is a suspect.
    pub min_confidence: f64,
}

/// Holds one suspect against the catalogue: the fixes that match, best first.
pub type Matcher<'a> = &'a dyn Fn(&fixes::Evidence<'_>) -> Vec<fixes::Match>;

/// Puts a report together.
pub fn assemble(material: Material<'_>, namer: &mut Namer, matcher: Matcher<'_>) -> Report {
    let Material { header, ledger, assessment, faults, parts, min_confidence } = material;
    let growing = assessment.suspects(min_confidence);
    let released = assessment.over_releases.iter().filter(|over| over.confidence >= min_confidence);
    let wanted = growing.iter().map(|judged| (judged.process, judged.stack)).chain(
        released.clone().flat_map(|over| {
            [over.stack, over.first_free, over.second_free].map(|stack| (over.process, stack))
        }),
    );
    let survivors = survivors(ledger, namer, wanted);
    let Header { started_unix_ns, utc_offset_minutes, .. } = *header;
    let clock = TimeOfDay::new(started_unix_ns, utc_offset_minutes, ledger.now());
    let witness = Witness::new(ledger);
    let assembler = Assembler { ledger, clock, matcher, witness, survivors };
    let growing = growing.into_iter().map(|judged| assembler.growth(judged));
    let released = released.map(|over| assembler.over_release(over));
    let mut suspects: Vec<Suspect> = growing.chain(released).collect();
    // Stable: what is equal stays in the ledger's order.
    suspects.sort_by(|a, b| {
        weight(a).cmp(&weight(b)).then(b.growth_bytes_per_s.total_cmp(&a.growth_bytes_per_s))
    });
    let blocks_until = parts.iter().filter_map(|part| part.blocks_until).max();
    let shown = |image| target(ledger, assessment, image, blocks_until);
    let target: Vec<Target> = ledger.images().iter().map(shown).collect();
    Report {
        schema: SCHEMA,
        source: source::shown(header, ledger, parts, &target),
        target,
        duration_s: duration(ledger),
        losses: losses(ledger),
        not_traced: not_traced(ledger),
        faults: faults.iter().map(fault).collect(),
        totals: totals(ledger),
        modules: modules::inventory(ledger, &|_, _| Vec::new()),
        conclusive: !suspects.is_empty() || assessment.smallest_detectable_bytes_per_s.is_some(),
        baseline: None,
        suspects,
        crashes: Vec::new(),
        dismissed: dismissed(assessment, min_confidence),
        undecided: undecided(ledger, assessment, min_confidence),
        min_confidence,
        smallest_detectable_bytes_per_s: assessment.smallest_detectable_bytes_per_s,
        unmeasured: assessment.unmeasured,
        burst: assessment.burst,
        processes_unmeasured: assessment.processes_unmeasured,
    }
}

/// What decides the order before growth does: kind, then confidence in steps of a tenth.
fn weight(suspect: &Suspect) -> (u8, u8) {
    let kind = match suspect.kind {
        Kind::Leak => 0,
        Kind::Growth => 1,
        Kind::OverRelease => 2,
    };
    (kind, 10 - (suspect.confidence.clamp(0.0, 1.0) * 10.0) as u8)
}

/// Makes suspects of what was judged.
struct Assembler<'a> {
    ledger: &'a Ledger,
    clock: TimeOfDay,
    matcher: Matcher<'a>,
    witness: Witness<'a>,
    survivors: Survivors<'a>,
}

impl<'a> Assembler<'a> {
    fn growth(&self, judged: &Judged) -> Suspect {
        let common = Account {
            kind: EvidenceKind::Accumulation,
            process: judged.process,
            stack: judged.stack,
            site: self.ledger.site(judged.site),
            blocks_per_event: judged.blocks_per_event,
        };
        let kind = if judged.verdict == Verdict::Leak { Kind::Leak } else { Kind::Growth };
        let common = self.suspect(common);
        let before = judged.before_teardown;
        let estimated = judged.estimated;
        let common = match judged.group {
            Some(group) => Suspect {
                allocations: group.allocations,
                live_blocks: group.live_blocks,
                live_bytes: group.live_bytes,
                ..common
            },
            None => common,
        };
        Suspect {
            kind,
            allocations: whole(common.allocations, estimated.map(|e| e.allocations)),
            uncertainty: estimated.map(SiteUncertainty::from),
            live_blocks: match before {
                Some(before) => before.live_blocks,
                None => whole(common.live_blocks, estimated.map(|e| e.live_blocks)),
            },
            live_bytes: match before {
                Some(before) => before.live_bytes,
                None => whole(common.live_bytes, estimated.map(|e| e.live_bytes)),
            },
            freed_at_end: before.map_or(0, |before| before.freed),
            verdict: judged.verdict.name().to_owned(),
            confidence: judged.confidence,
            explanation: judged.explanation.told(|time| self.clock.say(time)),
            evidence: judged.evidence.iter().map(evidence).collect(),
            growth_bytes_per_s: judged.growth_bytes_per_s,
            since_s: self.since(judged.since),
            held: judged.held,
            ..common
        }
    }

    fn over_release(&self, over: &OverReleaseSuspect) -> Suspect {
        let common = Account {
            kind: EvidenceKind::OverRelease,
            process: over.process,
            stack: over.stack,
            site: self.ledger.site(over.site),
            blocks_per_event: None,
        };
        let freed = |stack| {
            let survivor = self.survivor(over.process, stack);
            shown(&survivor.steps, survivor.blame)
        };
        Suspect {
            kind: Kind::OverRelease,
            verdict: "over-release".to_owned(),
            confidence: over.confidence,
            explanation: over.explanation.told(|time| self.clock.say(time)),
            evidence: over.evidence.iter().map(evidence).collect(),
            since_s: self.since(over.since),
            over_release: Some(OverRelease {
                count: over.count,
                first_free: freed(over.first_free),
                first_free_complete: self.witness.complete(over.first_free),
                second_free: freed(over.second_free),
            }),
            ..self.suspect(common)
        }
    }

    /// What is the same for every kind of suspect; the rest is empty.
    fn suspect(&self, common: Account<'_>) -> Suspect {
        let Account { process, stack, site, blocks_per_event, .. } = common;
        let survivor = self.survivor(process, stack);
        let blamed = survivor.blamed();
        Suspect {
            kind: Kind::Growth,
            verdict: String::new(),
            confidence: 0.0,
            explanation: String::new(),
            evidence: Vec::new(),
            process: self.witness.process(process).map_or_else(String::new, |p| p.name.clone()),
            pid: self.witness.process(process).map_or(0, |process| process.pid),
            target: self.witness.index(process),
            function: blamed.map_or_else(|| "unknown function".to_owned(), |step| step.label()),
            module: blamed
                .and_then(|step| step.module)
                .map_or_else(modules::unknown, modules::shown),
            allocations: site.map_or(0, |site| site.allocations),
            live_blocks: site.map_or(0, |site| site.live_blocks.max(listed(self.ledger, site).0)),
            live_bytes: site.map_or(0, |site| site.live_bytes.max(listed(self.ledger, site).1)),
            freed_at_end: 0,
            bytes_per_call: site.and_then(bytes_per_call),
            blocks_per_event,
            estimated: site.is_some_and(|site| site.estimated),
            uncertainty: None,
            growth_bytes_per_s: 0.0,
            since_s: 0.0,
            held: Held::NotMeasured,
            reached: site.and_then(|site| reached(self.ledger, site)),
            stack: shown(&survivor.steps, survivor.blame),
            stack_complete: self.witness.complete(stack),
            over_release: None,
            fixes: (self.matcher)(&self.witness.evidence(common, survivor)),
            history: site.map_or_else(Default::default, |site| history(self.ledger, site)),
        }
    }

    fn survivor(&self, process: ProcessId, stack: StackId) -> &Survivor<'a> {
        const NONE: &Survivor<'_> = &Survivor { steps: Vec::new(), blame: None };
        self.survivors.get(&(process, stack)).unwrap_or(NONE)
    }

    fn since(&self, time: Time) -> f64 {
        let began = self.ledger.began().unwrap_or_default();
        Time(time.0.saturating_sub(began.0)).seconds()
    }
}

/// Blocks and bytes of a site in its process's last snapshot; none where they were told one by one.
pub(crate) fn listed(ledger: &Ledger, site: &Site) -> (u64, u64) {
    let taken = ledger.image(site.process).map_or(&[][..], Image::snapshots);
    let last = taken.last().map(|(number, _)| *number);
    let of = site.snapshots.points().last().filter(|(number, _)| Some(*number) == last);
    match of {
        Some((_, live)) if site.allocations == 0 => (live.blocks, live.bytes.0),
        _ => (0, 0),
    }
}

fn evidence(evidence: &verdict::Evidence) -> Evidence {
    Evidence {
        fact: evidence.fact.to_owned(),
        value: evidence.value,
        unit: evidence.unit.to_owned(),
        standard_error: evidence.standard_error,
    }
}

fn target(
    ledger: &Ledger,
    assessment: &Assessment,
    image: &Image,
    blocks_until: Option<Time>,
) -> Target {
    let process = image.process.clone().unwrap_or_default();
    let allocations = ledger.estimated_totals_of(image).map(|totals| totals.allocations);
    Target {
        seen_from: seen_from(ledger, image),
        pid: process.pid,
        name: process.name,
        command: process.command,
        unseen_first_s: image.unseen_first.map(Time::seconds),
        exit: image.exit.unwrap_or(Exit::StillRunning),
        allocations: whole(image.allocations, allocations),
        allocations_uncertainty: allocations.map(Uncertainty::from),
        sampled_bytes: image.sampling.map(|sampling| sampling.mean.0),
        scan: scan(ledger, image),
        memory: memory::shown(ledger, image, blocks_until),
        counters: assessment
            .counters
            .iter()
            .filter(|counted| counted.process == image.id)
            // Of a process whose blocks were traced `memory` tells it, held against them: by itself it would look like a
            // verdict.
            .filter(|counted| image.allocations == 0 || counted.metric != Metric::Rss)
            .copied()
            .collect(),
    }
}

/// A process whose parent is older in the trace and which began without a program of its own was
/// forked while the trace ran.
fn seen_from(ledger: &Ledger, image: &Image) -> SeenFrom {
    if image.from_start() {
        return SeenFrom::Start;
    }
    if ledger.forked(image) { SeenFrom::Fork } else { SeenFrom::Running }
}

/// From the first event to the last epoch mark; to the last event where there is no such mark.
fn duration(ledger: &Ledger) -> f64 {
    let began = ledger.began().unwrap_or_default();
    let end = ledger.last_epoch().unwrap_or(ledger.now());
    Time(end.0.saturating_sub(began.0)).seconds()
}

fn losses(ledger: &Ledger) -> Losses {
    let lost = ledger.lost();
    Losses {
        events: lost.events.saturating_add(lost.allocations).saturating_add(lost.frees),
        frees: lost.frees,
        stacks: lost.stacks.saturating_add(ledger.stacks().unknown()),
        bytes: lost.bytes,
    }
}

pub(super) fn not_traced(ledger: &Ledger) -> Vec<NotTraced> {
    let kinds = [FactKind::NotTraced, FactKind::FreesUnseen, FactKind::AllocationsUnseen];
    let mut not_traced: Vec<NotTraced> = Vec::new();
    for fact in ledger.facts().filter(|fact| kinds.contains(&fact.kind)) {
        let why = fact.value.clone().unwrap_or_default();
        match not_traced.iter_mut().find(|other| other.program == fact.subject) {
            // What a module frees, and what it allocates.
            Some(other) => other.why = format!("{}; {why}", other.why),
            None => not_traced.push(NotTraced { program: fact.subject.clone(), why }),
        }
    }
    not_traced
}

fn fault(fault: &read::Fault) -> Fault {
    Fault { offset: fault.offset.0, what: fault.what.to_string(), count: fault.count }
}

fn totals(ledger: &Ledger) -> Totals {
    let totals = ledger.totals();
    let estimated = ledger.estimated_totals();
    // Snapshots list the blocks that a trace of the same process tells one by one, too.
    let told = |site: &Site| ledger.image(site.process).is_some_and(|image| image.allocations > 0);
    let listed = ledger.sites().filter(|(_, site)| !told(site));
    let listed = listed.map(|(_, site)| self::listed(ledger, site));
    let listed = listed.fold((0, 0), |sum: (u64, u64), of| {
        (sum.0.saturating_add(of.0), sum.1.saturating_add(of.1))
    });
    Totals {
        allocations: whole(totals.allocations, estimated.map(|e| e.allocations)),
        frees: whole(totals.frees, estimated.map(|e| e.frees)),
        live_blocks: whole(
            totals.live_blocks.saturating_add(listed.0),
            estimated.map(|e| e.live_blocks),
        ),
        live_bytes: whole(
            totals.live_bytes.0.saturating_add(listed.1),
            estimated.map(|e| e.live_bytes),
        ),
        estimated: estimated.is_some(),
        uncertainty: estimated.map(TotalsUncertainty::from),
        frees_unmatched: totals.frees_unmatched,
        frees_unseen: totals.frees_unseen,
        libraries_unseen: ledger.lost().libraries,
    }
}

fn dismissed(assessment: &Assessment, min_confidence: f64) -> Dismissed {
    let mut dismissed = Dismissed {
        over_releases_unjudged: assessment.over_releases_unjudged.sum(),
        unjudged_by: assessment.over_releases_unjudged,
        ..Dismissed::default()
    };
    for site in &assessment.sites {
        match site.verdict {
            Verdict::Cache => dismissed.cache += 1,
            Verdict::Steady => dismissed.steady += 1,
            Verdict::OneOff => dismissed.one_off += 1,
            Verdict::Undecided => dismissed.undecided += 1,
            Verdict::Leak | Verdict::Growth
                if site.confidence < min_confidence && site.part_of.is_none() =>
            {
                dismissed.below_bound += 1;
            }
            Verdict::Leak | Verdict::Growth => {}
        }
    }
    for over in &assessment.over_releases {
        let below = u64::from(over.confidence < min_confidence);
        dismissed.below_bound += below;
        dismissed.below_bound_over_release += below;
    }
    dismissed
}

/// Of what may accumulate, too, where that is not sure enough for a suspect.
fn undecided(ledger: &Ledger, assessment: &Assessment, min_confidence: f64) -> Vec<Undecided> {
    let mut reasons: BTreeMap<&str, (u64, u64, Option<Estimate>)> = BTreeMap::new();
    for judged in &assessment.sites {
        let Some(decided_by) = &judged.decided_by else { continue };
        if judged.verdict.accumulates() && judged.confidence >= min_confidence {
            continue;
        }
        let (sites, bytes, estimate) = reasons.entry(decided_by).or_default();
        *sites += 1;
        let Some(site) = ledger.site(judged.site) else { continue };
        let sampled = site.estimates().is_some();
        let live = site.live_bytes.max(listed(ledger, site).1);
        let live = whole(live, sampled.then(|| site.estimated_live_bytes()));
        *bytes = bytes.saturating_add(live);
        if sampled {
            let sum = estimate.unwrap_or_default().and(site.estimated_live_bytes());
            *estimate = Some(sum);
        }
    }
    let mut all: Vec<Undecided> = reasons
        .into_iter()
        .map(|(decided_by, (sites, live_bytes, estimate))| Undecided {
            decided_by: decided_by.to_owned(),
            sites,
            live_bytes,
            live_bytes_uncertainty: estimate.map(Uncertainty::from),
        })
        .collect();
    all.sort_by_key(|reason| std::cmp::Reverse(reason.live_bytes));
    all
}
