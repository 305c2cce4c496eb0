//! The sites of one trace that matter to a comparison: its suspects, and those other sites that
//! could be the same as one of the other trace's suspects, because their stacks go through a
//! module that is to blame there. Only these are named.

use std::collections::{BTreeMap, BTreeSet};

use super::super::assemble::listed;
use super::super::blamed::{Survivor, survivors};
use super::super::model::{Kind, Report, SiteUncertainty, StackFrame, Suspect};
use super::super::modules;
use super::super::stacks::Step;
use super::super::uncertain::whole;
use super::key::unversioned;
use super::{FrameKey, Measure, Shown, Site, SiteKey};
use crate::event::ModuleId;
use crate::ledger::{Estimate, Ledger, SiteId};
use crate::names::Namer;
use crate::verdict::{Assessment, Verdict};

/// Collects the sites of one trace. `own` is its report, `other` that of the other trace.
pub fn sites(
    ledger: &Ledger,
    assessment: &Assessment,
    own: &Report,
    other: &Report,
    namer: &mut Namer,
) -> Vec<Site> {
    let mut sites: Vec<Site> = own.suspects.iter().map(of_suspect).collect();
    let suspects: BTreeSet<SiteId> =
        assessment.accused(own.min_confidence).map(|judged| judged.site).collect();
    let blamed: BTreeSet<String> =
        other.suspects.iter().map(|suspect| unversioned(&suspect.module.name)).collect();
    let modules: BTreeSet<ModuleId> = ledger
        .modules()
        .iter()
        .filter(|(_, identity)| blamed.contains(&unversioned(&identity.name)))
        .map(|(id, _)| id)
        .collect();
    let through_blamed = |site: &crate::ledger::Site| {
        let mut frames = ledger.stacks().frames(site.stack);
        frames.any(|frame| frame.module.is_some_and(|module| modules.contains(&module)))
    };
    let verdicts: BTreeMap<SiteId, Verdict> =
        assessment.sites.iter().map(|judged| (judged.site, judged.verdict)).collect();
    let dismissed = ledger.sites().filter(|(id, _)| !suspects.contains(id)).map(|(id, site)| {
        let measure = Measure { verdict: verdicts.get(&id).copied(), ..ran(ledger, site) };
        (site, measure, false)
    });
    // What was freed too often below the bound is no suspect, but not acquitted either.
    let below = assessment.over_releases.iter().filter(|o| o.confidence < own.min_confidence);
    let below = below.filter_map(|over| {
        let site = ledger.site(over.site)?;
        Some((site, Measure { freed_again: over.count, ..ran(ledger, site) }, true))
    });
    let candidates: Vec<_> =
        dismissed.chain(below).filter(|(site, ..)| through_blamed(site)).collect();
    let stacks = candidates.iter().map(|(site, ..)| (site.process, site.stack));
    let named = survivors(ledger, namer, stacks);
    for (site, measure, over_release) in candidates {
        let Some(survivor) = named.get(&(site.process, site.stack)) else { continue };
        let process = ledger.image(site.process).and_then(|image| image.process.as_ref());
        let process = process.map_or("", |process| process.name.as_str());
        sites.push(Site {
            key: SiteKey { over_release, ..key(process, survivor) },
            measure,
            shown: None,
            version: survivor.blamed().and_then(|step| step.module).and_then(modules::version),
        });
    }
    sites
}

/// What was measured at a site that is no suspect.
fn ran(ledger: &Ledger, site: &crate::ledger::Site) -> Measure {
    let (blocks, bytes) = listed(ledger, site);
    let estimated = |estimate: Estimate| site.estimates().map(|_| estimate);
    Measure {
        allocations: whole(site.allocations, estimated(site.estimated_allocations())),
        live_blocks: blocks.max(whole(site.live_blocks, estimated(site.estimated_live_blocks()))),
        live_bytes: bytes.max(whole(site.live_bytes, estimated(site.estimated_live_bytes()))),
        uncertainty: SiteUncertainty::of(site),
        ..Measure::default()
    }
}

fn key(process: &str, survivor: &Survivor<'_>) -> SiteKey {
    let frame = |step: &Step<'_>| {
        let module = step.module.map(|module| module.name.as_str());
        FrameKey::new(module, step.function(), &format!("{:#x}", step.frame.offset))
    };
    SiteKey {
        process: process.to_owned(),
        frames: survivor.steps.iter().map(frame).collect(),
        blame: survivor.blamed().map(frame),
        over_release: false,
    }
}

/// The verdict's own measure of growth in blocks, where it has one.
fn blocks_per_s(suspect: &Suspect) -> f64 {
    let slope = suspect.evidence.iter().find(|evidence| evidence.fact == "low-water-slope");
    slope.map_or(0.0, |slope| slope.value)
}

fn of_suspect(suspect: &Suspect) -> Site {
    let frame = |frame: &StackFrame| {
        FrameKey::new(
            frame.module.as_deref(),
            frame.function.as_deref(),
            frame.address.as_deref().unwrap_or_default(),
        )
    };
    Site {
        key: SiteKey {
            process: suspect.process.clone(),
            frames: suspect.stack.iter().map(frame).collect(),
            blame: suspect.stack.iter().find(|frame| frame.blame).map(frame),
            over_release: suspect.kind == Kind::OverRelease,
        },
        measure: Measure {
            suspect: true,
            verdict: match suspect.kind {
                Kind::Leak => Some(Verdict::Leak),
                Kind::Growth => Some(Verdict::Growth),
                Kind::OverRelease => None,
            },
            confidence: suspect.confidence,
            allocations: suspect.allocations,
            freed_again: suspect.over_release.as_ref().map_or(0, |over| over.count),
            live_blocks: suspect.live_blocks,
            live_bytes: suspect.live_bytes,
            growth_bytes_per_s: suspect.growth_bytes_per_s,
            growth_blocks_per_s: blocks_per_s(suspect),
            blocks_per_event: suspect.blocks_per_event,
            uncertainty: suspect.uncertainty,
        },
        shown: Some(Shown {
            kind: suspect.kind,
            function: suspect.function.clone(),
            module: suspect.module.name.clone(),
            stack: suspect.stack.clone(),
        }),
        version: suspect.module.version.clone(),
    }
}
