//! What the observation cannot exclude, whatever a site's numbers say: lost frees, a short time, blocks that
//! were never freed, a load that stopped, missing stacks.

use super::never_freed;
use super::observation::{MIN_DURATION_S, Observation};
use super::scale::{Doubt, Scale};
use super::statistics::{ramp, variation};
use super::survivors::Survivors;
use crate::event::StackId;
use crate::ledger::{Cohort, Ledger, Site, StackEnd};

/// Frees that were lost leave survivors behind in proportion to the births; frees of unknown blocks
/// may be the deaths that survivors would have replaced (a steady cache, attached to).
pub(super) fn losses(
    scale: &mut Scale,
    cohorts: &[Cohort],
    survivors: &Survivors,
    seen: &Observation,
) {
    let born = survivors.sum(cohorts, |c| c.born);
    let explained = seen.frees_missed * born as f64;
    if explained > 0.0 {
        let left = if survivors.blocks < 3.0 * explained + 10.0 {
            0.3
        } else {
            1.0 - explained / survivors.blocks
        };
        scale.factor(left, Doubt::LostFrees);
    }
    // Nothing tells which blocks such a module is given: it may have freed every survivor.
    if seen.releases_unseen {
        scale.cap(0.45, Doubt::Unseen);
    }
    if seen.bytes_lost {
        scale.factor(0.9, Doubt::LostFrees);
    }
    let recent = survivors.epochs.len() / 2;
    let stayed: f64 = survivors.counts[recent..].iter().sum();
    let unmatched: u64 =
        survivors.epochs[recent..].iter().map(|&e| seen.activity[e].unmatched).sum();
    if unmatched as f64 >= 0.5 * stayed || seen.frees_hidden {
        scale.cap(0.45, Doubt::Unmatched);
    }
}

pub(super) fn caps(
    scale: &mut Scale,
    ledger: &Ledger,
    site: &Site,
    survivors: &Survivors,
    seen: &Observation,
) {
    if seen.duration_s < MIN_DURATION_S {
        scale.cap(0.45, Doubt::Short);
    }
    if never_freed::is(site) {
        // What fills in each of several processes has its bound in each.
        let blocks = survivors.blocks / seen.processes as f64;
        scale.cap(never_freed::cap(blocks, seen.duration_s), Doubt::NeverFreed);
    }
    // A start-up builds what it keeps in an irregular rush; a leak follows the load. Those of several
    // processes make an even one.
    if seen.from_start && seen.duration_s < 10.0 {
        let rough = survivors.steadiness() < 0.85
            || variation(&survivors.counts) > 0.6
            || seen.processes > 1;
        if rough {
            scale.cap(0.6, Doubt::Irregular);
        }
    }
    // A site that came to life late has only its own short past to show.
    let span = survivors.epochs.len() as f64 / seen.load_end.max(1) as f64;
    scale.cap(0.5 + 0.47 * ramp(span, 0.1, 0.4), Doubt::Short);
    if seen.load_stopped() {
        scale.cap(stopped(site, survivors, seen), Doubt::LoadStopped);
    }
    match ledger.stacks().end(site.stack) {
        StackEnd::Lost => scale.cap(0.3, Doubt::NoStack),
        _ if site.stack == StackId::TRUNCATED => scale.cap(0.3, Doubt::NoStack),
        StackEnd::NotTaken => scale.cap(0.6, Doubt::NoStack),
        StackEnd::Complete | StackEnd::Truncated => {}
    }
    if site.estimated {
        scale.cap(0.85, Doubt::Few);
    }
    if site.tallied {
        scale.cap(0.9, Doubt::Few);
    }
}

/// The process fell idle and the site with it. A leak does so when its load stops, and so does
/// everything a start-up builds: it takes a run of work long enough, or several, to tell.
fn stopped(site: &Site, survivors: &Survivors, seen: &Observation) -> f64 {
    let run = seen.last_run();
    let several = survivors.from < run.saturating_sub(1)
        && survivors.epochs.iter().any(|&e| e >= run)
        && run > 0;
    let serves = seen.churn_without(site.allocations, site.frees) >= 0.5;
    stop_cap(seen, several, serves, survivors.steadiness() > 0.85)
}

/// The same by what is known of the site: whether it grew in several runs of work, whether the rest
/// of the process freed most of what it allocated, whether the site grew evenly.
pub(super) fn stop_cap(seen: &Observation, several: bool, serves: bool, even: bool) -> f64 {
    let run = seen.last_run();
    let length = seen.load_end - run;
    let from_startup = run == 0 && seen.from_start;
    let long = length as f64 * seen.width_s >= 10.0 && serves && even;
    let wide = length * 4 >= seen.busy.len();
    match (several, from_startup) {
        (true, _) => 0.85,
        (false, true) if long && wide => 0.75,
        (false, false) if wide && serves => 0.75,
        _ => 0.45,
    }
}
