//! Sites that are one thing to look at: those whose stacks differ only in how often frames repeat (a
//! recursion), and those of sibling processes (a server that forks its workers). Each may be too small
//! to tell anything of. Their sum is judged as a site is; if that accumulates, one of them speaks for
//! all and the others are its parts. What one of them shows alone needs no group.

use std::collections::{BTreeMap, BTreeSet};

use super::assessment::{GroupSum, Judged, Verdict};
use super::growth::FEW_SURVIVORS;
use super::observation::Observation;
use super::{held, site};
use crate::event::{Frame, ProcessId, StackId};
use crate::ledger::{Image, Ledger, Site, SiteId};

/// One site that has this share of what lives in its group stands for itself.
const ALONE: f64 = 0.8;

/// Siblings are looked at together if they were all seen until this share of the time before the end.
const ENDED: f64 = 0.1;

/// Who may share a group: the children of one parent, by its pid and their name, or one process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    Siblings(u32, String),
    Alone(ProcessId),
}

/// Judges the groups, and has their sites say so.
pub(super) fn judge(ledger: &Ledger, sites: &mut [Judged]) {
    for group in groups(ledger) {
        let Some((judged, named_after)) = together(ledger, sites, &group) else { continue };
        for id in group {
            let Some(of) = sites.get_mut(id.0 as usize).filter(|of| of.site == id) else {
                continue;
            };
            if id == named_after {
                *of = judged.clone();
            } else {
                of.verdict = judged.verdict;
                of.confidence = judged.confidence;
                of.decided_by = None;
                of.part_of = Some(named_after);
            }
        }
    }
}

/// What the group says, if it says more than each of its sites.
fn together(ledger: &Ledger, sites: &[Judged], group: &[SiteId]) -> Option<(Judged, SiteId)> {
    let sum = ledger.together(group)?;
    let leader = ledger.image(sum.leader)?;
    let largest = ledger.site(sum.named_after)?.live_blocks as f64;
    let of = |id: &SiteId| sites.get(id.0 as usize).filter(|of| of.site == *id);
    // What a scan found nobody to refer to needs no group to be told.
    if group.iter().filter_map(of).any(|of| of.verdict == Verdict::Leak) {
        return None;
    }
    let surest = group.iter().filter_map(of).filter(|of| of.verdict.accumulates());
    let surest = surest.map(|of| of.confidence).fold(0.0, f64::max);
    if surest > 0.0 && largest >= ALONE * sum.site.live_blocks as f64 {
        return None;
    }
    let processes: BTreeSet<ProcessId> =
        group.iter().filter_map(|id| Some(ledger.site(*id)?.process)).collect();
    let images: Vec<&Image> = processes.iter().filter_map(|id| ledger.image(*id)).collect();
    let seen = Observation::together(ledger, leader, &images);
    let (judged, _) =
        site::by_blocks(ledger, sum.named_after, &sum.site, &sum.cohorts, &seen, None);
    let members: Vec<&Site> = group.iter().filter_map(|id| ledger.site(*id)).collect();
    let mut judged = held::judge_together(ledger, &members, &sum, &seen, judged);
    if !judged.verdict.accumulates() || judged.confidence < surest {
        return None;
    }
    let (sites, images) = (group.len() as f64, processes.len() as f64);
    judged.evidence.push(site::fact("together-sites", sites, "sites"));
    judged.evidence.push(site::fact("together-processes", images, "processes"));
    judged.explanation.push(&match processes.len() {
        1 => format!(
            " {sites} stacks are counted together: they differ in how deep a recursion was."
        ),
        _ => format!(" {sites} sites of {images} processes with one parent are counted together."),
    });
    judged.group = Some(GroupSum {
        sites: group.len() as u64,
        processes: processes.len() as u64,
        allocations: sum.site.allocations,
        live_blocks: sum.site.live_blocks,
        live_bytes: sum.site.live_bytes,
    });
    Some((judged, sum.named_after))
}

/// Whether several of them have live blocks, and enough together. What is sampled is left out: how far
/// its sums may be off is kept by site.
fn is_worth_a_look(ledger: &Ledger, group: &[SiteId]) -> bool {
    let live = || group.iter().filter_map(|id| ledger.site(*id)).filter(|s| s.live_blocks > 0);
    let sampled = live().any(|site| site.estimates().is_some());
    let blocks = live().map(|site| site.live_blocks).fold(0, u64::saturating_add);
    !sampled && live().count() > 1 && blocks as f64 >= FEW_SURVIVORS
}

/// All groups that are worth a look, in the ledger's order.
fn groups(ledger: &Ledger) -> Vec<Vec<SiteId>> {
    let families: BTreeMap<ProcessId, Family> = families(ledger);
    let mut innermost: BTreeMap<(&Family, Place), Vec<(SiteId, StackId)>> = BTreeMap::new();
    for (id, site) in ledger.sites() {
        let family = families.get(&site.process);
        let frame = ledger.stacks().frames(site.stack).next();
        if let (Some(family), Some(frame)) = (family, frame) {
            innermost.entry((family, place(frame))).or_default().push((id, site.stack));
        }
    }
    let mut groups: Vec<Vec<SiteId>> = Vec::new();
    // Most sites share their innermost frame with none, and need no closer look.
    for sites in innermost.into_values().filter(|sites| sites.len() > 1) {
        let mut alike: BTreeMap<Vec<Place>, Vec<SiteId>> = BTreeMap::new();
        for (id, stack) in sites {
            alike.entry(places(ledger, stack)).or_default().push(id);
        }
        groups.extend(alike.into_values().filter(|group| is_worth_a_look(ledger, group)));
    }
    groups.sort_unstable();
    groups
}

fn families(ledger: &Ledger) -> BTreeMap<ProcessId, Family> {
    let now = ledger.now().seconds();
    let late = |image: &Image| {
        let end = ledger.end(image).seconds();
        // What a shutdown freed is put back site by site.
        now - end <= ENDED * (now - image.began.seconds()) && ledger.teardown(image).is_none()
    };
    let family = |image: &Image| match &image.process {
        Some(process) if process.parent != 0 && late(image) => {
            Family::Siblings(process.parent, process.name.clone())
        }
        _ => Family::Alone(image.id),
    };
    ledger.images().iter().map(|image| (image.id, family(image))).collect()
}

/// A place in the code.
type Place = (Option<u32>, u64);

fn place(frame: &Frame) -> Place {
    (frame.module.map(|module| module.0), frame.offset)
}

/// The different places of a stack: a recursion, however deep, has the same.
fn places(ledger: &Ledger, stack: StackId) -> Vec<Place> {
    let mut places: Vec<Place> = ledger.stacks().frames(stack).map(place).collect();
    places.sort_unstable();
    places.dedup();
    places
}
