//! Sites that ran and are no suspects, held against the fixes that are about their modules: how a
//! trace shows that a fix is there and works. For each fix the site that it fits best is kept.
//! Only stacks through a module that a fix names are named here.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use super::assemble::Material;
use super::blamed::survivors;
use super::uncertain::{SiteUncertainty, whole};
use super::witness::{Account, Witness};
use crate::event::ModuleId;
use crate::fixes::{Catalogue, EvidenceKind, Match, Standing, Status, concerns, match_dismissed};
use crate::ledger::{Estimate, Site, SiteId};
use crate::names::Namer;

/// A site that is no suspect, and the fixes that fit it better than any other such site.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ran {
    /// The process's name.
    pub process: String,
    /// The blame frame's function, or `module+0xoffset`.
    pub function: String,
    /// The blame frame's module's name.
    pub module: String,
    /// The site's verdict.
    pub verdict: String,
    /// Blocks ever allocated at the site.
    pub allocations: u64,
    /// Live blocks.
    pub live_blocks: u64,
    /// How far these may be off; `None` where they were counted.
    pub uncertainty: Option<SiteUncertainty>,
    /// The fixes, best first.
    pub fixes: Vec<Match>,
}

/// Holds the sites that are no suspects against the catalogue.
pub fn ran(material: Material<'_>, namer: &mut Namer, catalogue: &Catalogue) -> Vec<Ran> {
    let Material { ledger, assessment, min_confidence, .. } = material;
    let modules: FxHashSet<ModuleId> = ledger
        .modules()
        .iter()
        .filter(|(_, identity)| concerns(catalogue, identity))
        .map(|(id, _)| id)
        .collect();
    let growing = assessment.accused(min_confidence).map(|judged| judged.site);
    let released = assessment.over_releases.iter().filter(|over| over.confidence >= min_confidence);
    let suspects: BTreeSet<SiteId> = growing.chain(released.map(|over| over.site)).collect();
    let concerned = |judged: &&crate::verdict::Judged| {
        let mut frames = ledger.stacks().frames(judged.stack);
        !suspects.contains(&judged.site)
            && frames.any(|frame| frame.module.is_some_and(|module| modules.contains(&module)))
    };
    let sites: Vec<_> = assessment.sites.iter().filter(concerned).collect();
    let named = survivors(ledger, namer, sites.iter().map(|site| (site.process, site.stack)));
    let witness = Witness::new(ledger);
    let mut best: BTreeMap<String, (Rank, usize, Match)> = BTreeMap::new();
    for (at, judged) in sites.iter().enumerate() {
        let Some(survivor) = named.get(&(judged.process, judged.stack)) else { continue };
        let site = ledger.site(judged.site);
        let account = Account {
            kind: EvidenceKind::Accumulation,
            process: judged.process,
            stack: judged.stack,
            site,
            blocks_per_event: judged.blocks_per_event,
        };
        let evidence = witness.evidence(account, survivor);
        for held in match_dismissed(catalogue, &evidence, judged.verdict.name()) {
            let rank = Rank::of(&held, site.map_or(0, |site| site.allocations));
            let Some(rank) = rank else { continue };
            if best.get(&held.id).is_none_or(|(least, ..)| rank < *least) {
                best.insert(held.id.clone(), (rank, at, held));
            }
        }
    }
    let mut fixes: BTreeMap<usize, Vec<(Rank, Match)>> = BTreeMap::new();
    for (rank, at, held) in best.into_values() {
        fixes.entry(at).or_default().push((rank, held));
    }
    let tell = |(at, mut fixes): (usize, Vec<(Rank, Match)>)| {
        let judged = sites.get(at)?;
        let blamed = named.get(&(judged.process, judged.stack)).and_then(|s| s.blamed());
        let site = ledger.site(judged.site);
        fixes.sort_by_key(|fix| fix.0);
        Some(Ran {
            process: witness.process(judged.process).map_or_else(String::new, |p| p.name.clone()),
            function: blamed.map_or_else(|| "unknown function".to_owned(), |step| step.label()),
            module: blamed
                .and_then(|step| step.module)
                .map_or_else(|| "unknown module".to_owned(), |module| module.name.clone()),
            verdict: judged.verdict.name().to_owned(),
            allocations: site.map_or(0, |site| {
                whole(site.allocations, estimate(site, site.estimated_allocations()))
            }),
            live_blocks: site.map_or(0, |site| {
                whole(site.live_blocks, estimate(site, site.estimated_live_blocks()))
            }),
            uncertainty: site.and_then(SiteUncertainty::of),
            fixes: fixes.into_iter().map(|(_, held)| held).collect(),
        })
    };
    fixes.into_iter().filter_map(tell).collect()
}

fn estimate(site: &Site, estimate: Estimate) -> Option<Estimate> {
    site.estimates().map(|_| estimate)
}

/// How well a fix fits a site, best least: by status, by what is unknown, by how much ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank(Status, usize, Reverse<u64>);

impl Rank {
    /// `None` where a clause of the signature fails: the site is another than the fix is about.
    fn of(held: &Match, allocations: u64) -> Option<Rank> {
        let signature = || {
            let clauses = ["process", "module", "function", "allocator", "bytes"];
            held.reasons.iter().filter(move |reason| clauses.contains(&reason.clause.as_str()))
        };
        let count = |standing| signature().filter(|reason| reason.standing == standing).count();
        let fits = count(Standing::No) == 0 && count(Standing::Yes) > 0;
        fits.then(|| Rank(held.status, count(Standing::Unknown), Reverse(allocations)))
    }
}
