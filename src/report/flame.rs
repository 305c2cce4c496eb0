//! The stacks of live bytes, for a flame graph: of the suspects and of the sites beside them that hold most. Naming takes time,
//! so the rest is summed up as what it is: not looked at.

use std::collections::BTreeSet;

use super::assemble::listed;
use super::blamed::survivors;
use super::stacks::Step;
use crate::event::{ProcessId, StackId};
use crate::ledger::{Ledger, Site};
use crate::names::Namer;

/// Stacks that are named besides those of the suspects.
const MOST: usize = 200;

/// The stacks, outermost caller first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flame {
    /// Each with its live bytes.
    pub stacks: Vec<Weighed>,
    /// Live bytes at sites that were not named.
    pub rest_bytes: u64,
}

/// One stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighed {
    /// Process, then the frames from the outermost on, each with its module.
    pub frames: Vec<String>,
    /// Process, then the modules that it goes through, once where frames of one follow each other.
    pub modules: Vec<String>,
    /// Live bytes.
    pub bytes: u64,
}

/// Collects the stacks that hold most live bytes, those of `suspects` first.
pub fn flame(
    ledger: &Ledger,
    namer: &mut Namer,
    suspects: impl IntoIterator<Item = (ProcessId, StackId)>,
) -> Flame {
    let live = |site: &Site| live(ledger, site);
    let (shown, rest) = heaviest(ledger, &suspects.into_iter().collect());
    let survivors = survivors(ledger, namer, shown.iter().map(|site| (site.process, site.stack)));
    let stacks = shown.iter().filter_map(|site| {
        let survivor = survivors.get(&(site.process, site.stack))?;
        let process = ledger.image(site.process).and_then(|image| image.process.as_ref());
        let root = match process {
            None => "process".to_owned(),
            // Some evidence has no number for it.
            Some(process) if process.pid == 0 => process.name.clone(),
            Some(process) => format!("{} ({})", process.name, process.pid),
        };
        let mut modules = vec![root.clone()];
        modules.extend(survivor.steps.iter().rev().map(module));
        modules.dedup();
        let frames = survivor.steps.iter().rev().map(frame);
        let frames = std::iter::once(root).chain(frames).collect();
        Some(Weighed { frames, modules, bytes: live(site) })
    });
    Flame {
        stacks: stacks.collect(),
        rest_bytes: rest.iter().fold(0, |sum, site| sum.saturating_add(live(site))),
    }
}

/// The sites that a flame graph shows, and the others.
pub fn heaviest<'a>(
    ledger: &'a Ledger,
    suspects: &BTreeSet<(ProcessId, StackId)>,
) -> (Vec<&'a Site>, Vec<&'a Site>) {
    let mut sites: Vec<&Site> =
        ledger.sites().map(|(_, site)| site).filter(|site| live(ledger, site) > 0).collect();
    let suspect = |site: &Site| suspects.contains(&(site.process, site.stack));
    sites.sort_by_key(|site| (!suspect(site), std::cmp::Reverse(live(ledger, site))));
    let rest = sites.split_off(sites.len().min(suspects.len() + MOST));
    (sites, rest)
}

fn live(ledger: &Ledger, site: &Site) -> u64 {
    site.live_bytes.max(listed(ledger, site).1)
}

fn module(step: &Step<'_>) -> String {
    step.module.map_or_else(|| "no module".to_owned(), |module| module.name.clone())
}

fn frame(step: &Step<'_>) -> String {
    match step.module {
        Some(module) => format!("{} [{}]", step.label(), module.name),
        None => step.label(),
    }
}
